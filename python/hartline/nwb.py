"""Records as files of Neurodata Without Borders (NWB), by pynwb, which is imported when a file is written.

``trials`` holds every attempt in the order of the requests; times count in seconds from the session's start. Stimuli are series in
``stimulus`` (members of a pool of frames: an index into images), responses a series in ``acquisition``, the belief over time a table
in ``processing``, the configuration the source script.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _nwb_meta
from .errors import Error, IoError, SpecError
from ._nwb_record import Recorded, Series, read

if TYPE_CHECKING:
    import pynwb

__all__ = ["write"]

MODULE = "hartline"
COLUMNS = {  # of trials, beside start_time and stop_time
    "trial_idx": "number of the trial, from 0",
    "attempt": "1; 2 and later follow an interruption",
    "token": "the name by which the subject knows the attempt, 64 bits",
    "arm": "which design's belief the trial serves, from 0",
    "role": "measure, explore (drawn at random) or validate (never enters a belief)",
    "num_learned": "earlier trials that had been taken in when the stimulus was chosen",
    "requested_time": "when the stimulus was requested, s",
    "requested_clock": "clock of requested_time",
    "rendered_time": "when the stimulus was rendered, s; NaN: never observed",
    "rendered_clock": "clock of rendered_time",
    "delivered_time": "when the stimulus was delivered, s; NaN: never observed",
    "delivered_clock": "clock of delivered_time",
    "utility": "expected utility of the stimulus when it was chosen",
    "units": "search work completed for the choice",
    "lateness_ms": "by how much the choice missed its deadline, ms",
    "answered": "whether there is a response",
    "kind": "of the response: counts, trace, choice or time",
    "reason": "why values of the response are missing",
    "log_evidence": "log p(response given stimulus and earlier trials), nats",
    "pool_idx": "number of the stimulus in the pool; -1: not of a pool",
    "content_hash": "of the stimulus of the pool, 64 bits",
    "onset_ms": "of the pattern, ms",
    "duration_ms": "of the pattern, ms",
    "rate_hz": "of the pattern, Hz",
    "marks": "one a value of the response: 0 observed, 1 missing, 2 censored, 3 blanked",
    "targets": "of the pattern",
    "power_mw": "of the pattern, one a target, mW",
}
UNITS = {"counts": "counts", "trace": "a.u.", "choice": "choice", "time": "s"}


def write(record: str | os.PathLike[str], out: str | os.PathLike[str], meta: Mapping[str, Any] | None = None,
          dandi: bool = False) -> list[str]:
    """Writes a record as an NWB file; returns the fields that the DANDI archive would miss (``dandi`` refuses to go without them).

    ``meta`` has the fields of the session and, under ``subject``, of the subject, as NWB names them. The file is validated, read
    back and compared to the record before it takes its name.

    >>> import hartline as hl
    >>> hl.nwb.write("no such file", "cell.nwb", {"sesion_id": "3"})
    Traceback (most recent call last):
    hartline.errors.SpecError: meta.sesion_id: must be one of ... (got "sesion_id"). Did you mean "session_id"?
    """
    fields = _nwb_meta.checked(dict(meta or {}))
    missing = _nwb_meta.missing_for_dandi(fields)
    if dandi and missing:
        raise _nwb_meta.fault(SpecError, "meta", "complete for DANDI", f"none or a wrong form of {', '.join(missing)}",
                             "Give them as options or in the file of --meta.")
    target = Path(out)
    if target.exists():
        raise _nwb_meta.fault(IoError, str(target), "a new file", "one that exists", "Remove it or choose another name.")
    try:
        import pynwb  # noqa: F401
    except ImportError as error:
        raise _nwb_meta.fault(SpecError, "pynwb", "installed", str(error), "pip install 'hartline[nwb]'") from error
    recorded = read(record)
    if len(recorded.start_s) == 0:
        raise _nwb_meta.fault(SpecError, os.fspath(record), "a record with a trial", "none", "Run the experiment first.")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.nwb")
    try:
        _write(temporary, recorded, fields)
        _validate(temporary, target)
        _read_back(temporary, target, recorded)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.rename(temporary, target)
        _sync_folder(target.parent)
    except Error:
        raise
    except OSError as error:
        raise _nwb_meta.fault(IoError, str(target), "a file that can be written", str(error), "Check the folder and the disk.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return missing


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file(recorded: Recorded, fields: Mapping[str, Any]) -> pynwb.NWBFile:
    """The whole file in memory."""
    import pynwb

    session = {name: value for name, value in fields.items() if name != "subject"}
    session.setdefault("session_description", recorded.title)
    out = pynwb.NWBFile(
        identifier=str(uuid.uuid5(uuid.NAMESPACE_URL, f"hartline:{recorded.host}/{recorded.started_ns}/{recorded.seed}")),
        session_start_time=datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=recorded.started_ns // 1000),
        source_script=recorded.configuration, source_script_file_name="configuration.toml",
        was_generated_by=[list(version) for version in recorded.versions], **session)
    if "subject" in fields:
        out.subject = pynwb.file.Subject(**fields["subject"])
    _add_trials(out, recorded)
    for series in recorded.stimuli:
        _add_stimulus(out, series)
    for series in recorded.responses:
        out.add_acquisition(_series(series, UNITS[series.kind], f"responses ({series.kind}) of the answered trials, [trial, cell, bin]"))
    tables = [table for table in (_estimates(recorded), _events(recorded)) if table is not None]
    if tables:
        out.create_processing_module(MODULE, "what the run inferred and noted").add(tables)
    return out


def _vectors(name: str, description: str, values: Any) -> list[Any]:
    """A column of a table; a list of arrays makes a ragged one, which is two."""
    from hdmf.common import VectorData, VectorIndex

    if not isinstance(values, list) or not values or isinstance(values[0], str):
        return [VectorData(name=name, description=description, data=values)]
    data = VectorData(name=name, description=description, data=np.concatenate(values))
    return [data, VectorIndex(name=f"{name}_index", data=np.cumsum([len(value) for value in values]), target=data)]


def _add_trials(out: pynwb.NWBFile, recorded: Recorded) -> None:
    import pynwb

    columns = _vectors("start_time", "the request, s", recorded.start_s)
    columns += _vectors("stop_time", "the observation, not before the delivery, s; NaN: never observed", recorded.stop_s)
    names = ["start_time", "stop_time"]
    for name, values in recorded.trials.items():
        columns += _vectors(name, COLUMNS.get(name) or "covariate of the stimulus", values)
        names.append(name)
    out.trials = pynwb.epoch.TimeIntervals(
        name="trials", description="one row an attempt of a trial, in the order of the requests", columns=columns, colnames=names)


def _series(series: Series, unit: str, description: str) -> pynwb.TimeSeries:
    import pynwb

    return pynwb.TimeSeries(name=series.name, description=description, data=series.values, unit=unit or "n.a.", **series.timing())


def _add_stimulus(out: pynwb.NWBFile, series: Series) -> None:
    from pynwb.base import ImageReferences, Images
    from pynwb.image import GrayscaleImage, IndexSeries

    what = "stimuli as " + series.station
    if series.members is None:
        out.add_stimulus(_series(series, series.unit, f"{what}{': ' * bool(series.label)}{series.label}"))
        return
    members, which = np.unique(series.members, return_index=True)
    images = [GrayscaleImage(name=f"pool_{m}", data=series.values[i], description=f"member {m} of the pool")
              for m, i in zip(members, which, strict=True)]
    templates = Images(name=f"{series.name}_pool", images=images, description="the members of the pool that were shown",
                       order_of_images=ImageReferences(name="order_of_images", data=images))
    out.add_stimulus_template(templates)
    out.add_stimulus(IndexSeries(name=series.name, description=what, unit="N/A", indexed_images=templates,
                                 data=np.searchsorted(members, series.members).astype(np.uint32), **series.timing()))


def _estimates(recorded: Recorded) -> Any:
    from hdmf.common import DynamicTable

    if not recorded.arrays:
        return None
    arrays = recorded.arrays
    columns = _vectors("quantity", "mean or sd of the belief, truth; /ARM: of that arm", [a.name for a in arrays])
    columns += _vectors("num_trials", "trials that had been observed", np.array([a.num_trials for a in arrays]))
    columns += _vectors("time", "of the last of these trials, s; NaN before the first", recorded.array_times())
    columns += _vectors("shape", "of the values, as a JSON list", [a.shape for a in arrays])
    columns += _vectors("values", "in row-major order", [a.values for a in arrays])
    return DynamicTable(name="estimates", description="the belief over time", columns=columns,
                        colnames=["quantity", "num_trials", "time", "shape", "values"])


def _events(recorded: Recorded) -> Any:
    from hdmf.common import DynamicTable

    if not recorded.events:
        return None
    trial, time, level, kind, message = map(list, zip(*recorded.events, strict=True))
    columns = _vectors("trial_idx", "number of the trial, -1: none", np.array(trial))
    columns += _vectors("time", "since the session's start, s", np.array(time) * 1e-9)
    for name, values in (("level", level), ("kind", kind), ("message", message)):
        columns += _vectors(name, f"{name} of the event", values)
    return DynamicTable(name="run_events", description="warnings, stops, repeats", columns=columns,
                        colnames=["trial_idx", "time", "level", "kind", "message"])


def _write(path: Path, recorded: Recorded, fields: Mapping[str, Any]) -> None:
    import pynwb

    try:
        file = _file(recorded, fields)
    except (TypeError, ValueError) as error:  # pynwb on a field's form
        raise _nwb_meta.fault(SpecError, "meta", "what NWB takes", str(error), "Correct the field.") from error
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)


def _validate(path: Path, target: Path) -> None:
    import pynwb

    errors = pynwb.validate(path=str(path))
    if errors:
        raise _nwb_meta.fault(IoError, str(target), "valid NWB", "; ".join(str(error) for error in errors[:3]), "Nothing was written.")


def _read_back(path: Path, target: Path, recorded: Recorded) -> None:
    """Validation alone passes files that cannot be read."""
    import pynwb

    try:
        with pynwb.NWBHDF5IO(path, "r") as io:
            difference = _first_difference(io.read(), recorded)
    except Exception as error:  # pynwb has many
        reason = str(error).rpartition("due to: ")[2][:200]  # without the whole file in words
        raise _nwb_meta.fault(IoError, str(target), "a file that pynwb reads", reason, "Nothing was written.") from error
    if difference:
        raise _nwb_meta.fault(IoError, str(target), "equal to the record", f"another {difference}", "Nothing was written.")


def _same(got: Any, expected: Any) -> bool:
    """Equal to the bit; texts to the letter."""
    if isinstance(expected, list) and expected and not isinstance(expected[0], str):
        return len(got) == len(expected) and all(_same(a, b) for a, b in zip(got, expected, strict=True))
    if isinstance(expected, list):
        return list(got) == expected
    got = np.asarray(got[:])
    return bool(got.shape == expected.shape and got.astype(expected.dtype).tobytes() == expected.tobytes())


def _shown(series: Any) -> np.ndarray[Any, Any]:
    """The values of a stimulus' series, those of a pool looked up in its images."""
    if not hasattr(series, "indexed_images"):
        return np.asarray(series.data[:])
    images = [np.asarray(image.data[:]) for image in series.indexed_images.order_of_images.data[:]]
    return np.stack([images[i] for i in series.data[:]])


def _first_difference(file: pynwb.NWBFile, recorded: Recorded) -> str:
    """What of a file that was read is not as in the record; empty when all is."""
    trials = {"start_time": recorded.start_s, "stop_time": recorded.stop_s, **recorded.trials}
    if len(file.trials) != len(recorded.start_s) or set(file.trials.colnames) != set(trials):
        return "table of trials"
    for name, values in trials.items():
        if not _same(file.trials[name][:], values):
            return f"trials.{name}"
    for place, all_series in ((file.stimulus, recorded.stimuli), (file.acquisition, recorded.responses)):
        if set(place) != {series.name for series in all_series}:
            return "set of series"
        for series in all_series:
            read_series = place[series.name]
            same_times = np.allclose(read_series.get_timestamps(), series.times_s, rtol=1e-12, atol=1e-9)
            if not same_times or not _same(_shown(read_series), series.values):
                return series.name
    if recorded.arrays:
        table = file.processing[MODULE]["estimates"]
        for name, expected in (("quantity", [a.name for a in recorded.arrays]), ("shape", [a.shape for a in recorded.arrays]),
                               ("values", [a.values for a in recorded.arrays])):
            if not _same(table[name][:], expected):
                return f"estimates.{name}"
    if recorded.events and list(file.processing[MODULE]["run_events"]["message"][:]) != [event[4] for event in recorded.events]:
        return "run_events"
    return "" if file.source_script == recorded.configuration else "configuration"
