"""What of a record goes into an NWB file, as arrays: trials sorted by their requests, series of stimuli and responses."""

from __future__ import annotations

import json
import os
import sqlite3
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ._nwb_meta import fault
from .errors import IoError
from .io import Record

Floats = np.ndarray[Any, np.dtype[np.float64]]

WHOLE = ("trial_idx", "attempt", "token", "arm", "num_learned", "units")
REAL = ("utility", "lateness_ms", "log_evidence")
TEXT = ("role", "requested_clock", "rendered_clock", "delivered_clock", "kind", "reason")


@dataclass
class Series:
    """Values at times; of one shape, because a data set has one."""

    name: str
    values: Floats
    times_s: Floats
    kind: str = ""
    station: str = ""
    members: Any = None  # numbers in the pool, where these are frames that NWB can hold as images
    label: str = ""
    unit: str = ""

    def timing(self) -> dict[str, Any]:
        """A rate where the times are regular to a nanosecond, as NWB asks."""
        steps = np.unique(np.diff(self.times_s).round(9))
        if len(self.times_s) > 2 and len(steps) == 1 and steps[0] > 0:
            return {"starting_time": float(self.times_s[0]), "rate": float(1 / steps[0])}
        return {"timestamps": self.times_s}


@dataclass
class Estimate:
    """An array of the record."""

    name: str
    num_trials: int
    shape: str
    values: Floats


@dataclass
class Recorded:
    """A record, ready to be written."""

    title: str
    configuration: str
    seed: str
    host: str
    started_ns: int
    versions: list[tuple[str, str]]
    start_s: Floats
    stop_s: Floats
    shown_s: Floats  # the delivery, or the request where none was told
    trials: dict[str, Any]
    stimuli: list[Series] = field(default_factory=list)
    responses: list[Series] = field(default_factory=list)
    arrays: list[Estimate] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)

    def array_times(self) -> Floats:
        """When the last of an array's trials was shown."""
        ended = dict(zip(self.trials["trial_idx"].tolist(), self.shown_s.tolist(), strict=True))
        return np.array([ended.get(a.num_trials - 1, np.nan) for a in self.arrays])


def _numbers(blob: bytes | None) -> Floats:
    return np.frombuffer(blob or b"", "<f8")


def _reals(values: list[Any]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _zeros(rows: list[sqlite3.Row], started_ns: int) -> dict[str, int]:
    """Where each clock stood when the session began. The subject's counts from there; another's first time is put at the wall time
    of that trial's decision."""
    zeros = {"subject": 0}
    for row in rows:
        for station in ("requested", "rendered", "delivered"):
            clock = row[f"{station}_clock"]
            if clock and clock not in zeros:
                zeros[clock] = row[f"{station}_ns"] - (row["decided_at_ns"] - started_ns)
    return zeros


def _times(rows: list[sqlite3.Row], station: str, zeros: dict[str, int]) -> Floats:
    clocks = [row[f"{station}_clock"] for row in rows]
    return _reals([(row[f"{station}_ns"] - zeros[clock]) * 1e-9 if clock else None for row, clock in zip(rows, clocks, strict=True)])


def read(path: str | os.PathLike[str]) -> Recorded:
    """Reads a record in one transaction."""
    record = Record(path)  # looks at the format
    database = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    try:
        database.execute("BEGIN")
        return _read(database, record)
    except sqlite3.Error as error:
        raise fault(IoError, os.fspath(path), "a record that can be read", str(error)) from error
    finally:
        database.close()


def _read(database: sqlite3.Connection, record: Record) -> Recorded:
    info = dict(database.execute("SELECT key, value FROM info").fetchall())
    configuration = tomllib.loads(info["configuration"])
    rows = database.execute("SELECT * FROM trial ORDER BY trial_idx, attempt").fetchall()
    zeros = _zeros(rows, int(info["started_ns"]))
    kinds = {kind for (kind,) in database.execute("SELECT DISTINCT kind FROM stimulus WHERE station = 'requested'")}
    values = _pool_values(record, [(row["trial_idx"], row["attempt"]) for row in rows]) if kinds == {"pool"} else {}
    order = np.argsort(_times(rows, "requested", zeros), kind="stable")
    rows = [rows[i] for i in order]
    requested, rendered, delivered = (_times(rows, station, zeros) for station in ("requested", "rendered", "delivered"))
    # two clocks: the wall time that the observation took, counted from the request
    took = _reals([None if row["observed_at_ns"] is None else (row["observed_at_ns"] - row["decided_at_ns"]) * 1e-9 for row in rows])
    stimuli = {(s["trial_idx"], s["attempt"], s["station"]): s for s in database.execute("SELECT * FROM stimulus")}
    out = Recorded(
        title=configuration.get("title") or "Hartline run", configuration=info["configuration"], seed=info["seed"], host=info["host"],
        started_ns=int(info["started_ns"]),
        versions=[tuple(v) for v in database.execute("SELECT name, value FROM version ORDER BY position")],
        start_s=requested, stop_s=np.fmax(requested + took, delivered), shown_s=np.where(np.isnan(delivered), requested, delivered),
        trials={})
    for name in WHOLE:
        out.trials[name] = np.array([row[name] for row in rows], np.int64)
    for name in REAL:
        out.trials[name] = _reals([row[name] for row in rows])
    for name in TEXT:
        out.trials[name] = [row[name] or "" for row in rows]
    out.trials |= {"requested_time": requested, "rendered_time": rendered, "delivered_time": delivered}
    out.trials["answered"] = np.array([bool(row["answered"]) for row in rows])
    if any(row["marks"] for row in rows):
        out.trials["marks"] = [np.frombuffer(row["marks"] or b"", np.uint8) for row in rows]
    _add_shown(out, [stimuli[row["trial_idx"], row["attempt"], "requested"] for row in rows])
    out.stimuli = _stimuli(out, rows, stimuli, values, configuration["stimulus"])
    out.responses = _responses(out, rows)
    out.arrays = [Estimate(a["name"], a["num_trials"], a["shape"], _numbers(a["samples"]))
                  for a in database.execute("SELECT * FROM array ORDER BY num_trials, name")]
    out.events = [tuple(e) for e in database.execute("SELECT trial_idx, time_ns, level, kind, message FROM event ORDER BY event_idx")]
    return out


def _pool_values(record: Record, keys: list[tuple[int, int]]) -> dict[tuple[int, int], Floats]:
    """The values of the requested members of a pool; none where the record's model is not of this program."""
    columns = record.columns()
    if columns["stimulus"] is None:
        return {}
    return dict(zip(keys, np.asarray(columns["stimulus"]), strict=True))


def _add_shown(out: Recorded, requested: list[sqlite3.Row]) -> None:
    """Columns on the requested stimulus that its kind, or its covariates, call for."""
    kinds = {s["kind"] for s in requested}
    if "pool" in kinds:
        out.trials["pool_idx"] = np.array([-1 if s["pool_idx"] is None else s["pool_idx"] for s in requested], np.int64)
        out.trials["content_hash"] = np.array([s["content_hash"] or 0 for s in requested], np.int64)
    if "pattern" in kinds:
        out.trials["targets"] = [np.array(json.loads(s["targets"] or "[]"), np.int64) for s in requested]
        out.trials["power_mw"] = [_numbers(s["power_mw"]) for s in requested]
        for name in ("onset_ms", "duration_ms", "rate_hz"):
            out.trials[name] = _reals([s[name] for s in requested])
    covariates = [dict(zip(json.loads(s["covariate_names"] or "[]"), _numbers(s["covariates"]), strict=True)) for s in requested]
    for name in dict.fromkeys(name for c in covariates for name in c):
        out.trials[f"covariate_{name}"] = _reals([c.get(name) for c in covariates])


def _named(name: str, groups: dict[Any, list[Any]]) -> list[tuple[str, Any, list[Any]]]:
    """Groups of one shape each; numbered where there are several."""
    return [(name if len(groups) == 1 else f"{name}_{k}", key, group) for k, (key, group) in enumerate(groups.items())]


def _stimuli(out: Recorded, rows: list[sqlite3.Row], stimuli: dict[Any, sqlite3.Row], pool: dict[Any, Floats],
             described: dict[str, Any]) -> list[Series]:
    series = []
    for station, times in (("requested", out.start_s), ("rendered", out.trials["rendered_time"]), ("delivered", out.shown_s)):
        groups: dict[Any, list[Any]] = {}
        for row, time in zip(rows, times, strict=True):
            s = stimuli.get((row["trial_idx"], row["attempt"], station))
            if s is None or s["kind"] == "pattern":
                continue
            shape, values, member = tuple(json.loads(s["shape"] or "[]")), _numbers(s["samples"]), -1
            if s["kind"] == "pool":
                known = pool.get((row["trial_idx"], row["attempt"]))
                if known is None or station != "requested":
                    continue  # its number is told by the trial
                shape, member = tuple(described["shape"]), s["pool_idx"]
                shape, values = (shape if np.prod(shape) == known.size else known.shape), known
            groups.setdefault((shape, member >= 0), []).append((values.reshape(shape), time, member))
        name = "stimulus" if station == "requested" else f"stimulus_{station}"
        for series_name, (shape, pooled), group in _named(name, groups):
            values, at, members = map(np.array, zip(*group, strict=True))
            order = np.argsort(at, kind="stable")
            frames = pooled and len(shape) == 2
            series.append(Series(series_name, values[order], at[order], station=station, members=members[order] if frames else None,
                                 label=described["label"], unit=described["unit"]))
    return series


def _responses(out: Recorded, rows: list[sqlite3.Row]) -> list[Series]:
    groups: dict[Any, list[Any]] = {}
    for row, time in zip(rows, out.shown_s, strict=True):
        if row["answered"]:
            shape = (row["num_cells"], row["num_bins"])
            groups.setdefault((row["kind"], *shape), []).append((_numbers(row["response"]).reshape(shape), time))
    series = []
    for name, key, group in _named("response", groups):
        values, at = map(np.array, zip(*group, strict=True))
        order = np.argsort(at, kind="stable")
        series.append(Series(name, values[order], at[order], kind=key[0]))
    return series
