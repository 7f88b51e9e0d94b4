"""Records as NWB files: valid, read back by pynwb equal to the record, and as DANDI's inspector wants them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hartline as hl

pynwb = pytest.importorskip("pynwb", reason="pynwb is in build/venv-nwb only")
inspector = pytest.importorskip("nwbinspector", reason="nwbinspector is in build/venv-nwb only")

META: dict[str, Any] = {
    "session_description": "a short run",
    "experiment_description": "one simulated cell",
    "experimenter": ["Hartline, Keffer"],
    "institution": "Rockefeller University",
    "lab": "Vision",
    "session_id": "s1",
    "keywords": ["active measurement"],
    "subject": {"subject_id": "L1", "species": "Limulus polyphemus", "sex": "U", "age": "P1Y", "description": "simulated"},
}
EXAMPLES = ["gabor", "population", "psychometric", "tuning_gp"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """The record and the NWB file of each example; sizes and times are printed."""
    folder = tmp_path_factory.mktemp("nwb")
    out = {}
    for name in [*EXAMPLES, "controls", "censoring"]:
        record, target = folder / f"{name}.hartline", folder / f"{name}.nwb"
        hl.Experiment.example(name, set={"num_trials": 30}).run(record=record)
        began = time.perf_counter()
        assert hl.nwb.write(record, target, META, dandi=True) == []
        took = time.perf_counter() - began
        print(f"{name}: record {record.stat().st_size} bytes, NWB {target.stat().st_size} bytes, written and checked in {took:.2f} s")
        out[name] = (record, target)
    return out


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    with pynwb.NWBHDF5IO(path, "r") as io:
        yield io.read()


def rows_of(record: Path, query: str) -> list[sqlite3.Row]:
    database = sqlite3.connect(record)
    database.row_factory = sqlite3.Row
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def numbers(values: list[Any]) -> np.ndarray[Any, Any]:
    return np.array([np.nan if v is None else v for v in values], float)


ALL = [*EXAMPLES, "controls", "censoring"]


@pytest.mark.parametrize("name", ALL)
def test_file_is_valid(name: str, files: dict[str, tuple[Path, Path]]) -> None:
    assert not pynwb.validate(path=str(files[name][1]))


@pytest.mark.parametrize("name", ALL)
def test_every_trial_is_read_back(name: str, files: dict[str, tuple[Path, Path]]) -> None:
    record, target = files[name]
    rows = rows_of(record, "SELECT * FROM trial ORDER BY requested_ns, trial_idx, attempt")
    assert len(rows) >= 30
    with opened(target) as file:
        for column in ("trial_idx", "attempt", "token", "arm", "num_learned", "units"):
            assert file.trials[column][:].tolist() == [row[column] for row in rows]
        for column in ("role", "kind", "reason", "requested_clock", "delivered_clock"):
            assert list(file.trials[column][:]) == [row[column] or "" for row in rows]
        for column in ("utility", "lateness_ms", "log_evidence"):
            np.testing.assert_array_equal(file.trials[column][:], numbers([row[column] for row in rows]))
        for station in ("requested", "rendered", "delivered"):
            expected = numbers([row[f"{station}_ns"] for row in rows]) * 1e-9
            np.testing.assert_allclose(file.trials[f"{station}_time"][:], expected, rtol=0, atol=1e-12)
        assert [bytes(marks) for marks in file.trials["marks"][:]] == [row["marks"] or b"" for row in rows]
        assert (file.trials["stop_time"][:] > file.trials["start_time"][:]).all()


@pytest.mark.parametrize("name", ALL)
def test_every_stimulus_is_read_back(name: str, files: dict[str, tuple[Path, Path]]) -> None:
    record, target = files[name]
    rows = rows_of(record, "SELECT s.*, t.requested_ns FROM stimulus s JOIN trial t USING (trial_idx, attempt) "
                           "WHERE station = 'requested' ORDER BY t.requested_ns, trial_idx, attempt")
    with opened(target) as file:
        series = file.stimulus["stimulus"]
        np.testing.assert_allclose(series.get_timestamps(), [row["requested_ns"] * 1e-9 for row in rows], rtol=1e-12, atol=1e-9)
        if rows[0]["kind"] == "array":
            assert [x.tobytes() for x in series.data[:]] == [row["samples"] for row in rows]
            assert series.data.shape[1:] == tuple(json.loads(rows[0]["shape"]))
            return
        assert file.trials["pool_idx"][:].tolist() == [row["pool_idx"] for row in rows]
        assert file.trials["content_hash"][:].tolist() == [row["content_hash"] for row in rows]
        values = np.asarray(hl.Record(record).columns()["stimulus"])
        by_trial = dict(zip(hl.Record(record).columns()["trial"].tolist(), values, strict=True))
        for i, row in enumerate(rows):
            if name == "population":
                image = series.indexed_images.order_of_images.data[int(series.data[i])]
                assert image.name == f"pool_{row['pool_idx']}" and image.data.shape == (6, 6)
                shown = image.data[:]
            else:
                shown = series.data[i]
            assert np.ravel(shown).tolist() == by_trial[row["trial_idx"]].tolist()


@pytest.mark.parametrize("name", ALL)
def test_every_response_is_read_back(name: str, files: dict[str, tuple[Path, Path]]) -> None:
    record, target = files[name]
    rows = rows_of(record, "SELECT * FROM trial WHERE answered = 1 ORDER BY delivered_ns, trial_idx, attempt")
    with opened(target) as file:
        series = file.acquisition["response"]
        assert series.data.shape == (len(rows), rows[0]["num_cells"], rows[0]["num_bins"])
        assert [x.tobytes() for x in series.data[:]] == [row["response"] for row in rows]
        np.testing.assert_allclose(series.get_timestamps(), [row["delivered_ns"] * 1e-9 for row in rows], rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_belief_configuration_and_subject_are_read_back(name: str, files: dict[str, tuple[Path, Path]]) -> None:
    record, target = files[name]
    with opened(target) as file:
        table = file.processing["hartline"]["estimates"]
        arrays = rows_of(record, "SELECT * FROM array ORDER BY num_trials, name")
        assert list(table["quantity"][:]) == [a["name"] for a in arrays] and {"mean", "sd"} <= {a["name"] for a in arrays}
        assert [x.tobytes() for x in table["values"][:]] == [a["samples"] for a in arrays]
        assert file.source_script == hl.Record(record).configuration
        assert file.subject.subject_id == "L1" and file.subject.species == "Limulus polyphemus" and file.subject.age == "P1Y"
        assert file.lab == "Vision" and file.session_id == "s1" and tuple(file.experimenter) == ("Hartline, Keffer",)
        started_ns = int(rows_of(record, "SELECT value FROM info WHERE key = 'started_ns'")[0][0])
        assert abs(file.session_start_time.timestamp() - started_ns * 1e-9) < 1e-5


@pytest.mark.parametrize("name", ALL)
def test_inspector_has_no_violation_with_the_configuration_of_dandi(name: str, files: dict[str, tuple[Path, Path]]) -> None:
    configuration = inspector.load_config("dandi")
    found = list(inspector.inspect_nwbfile(nwbfile_path=files[name][1], config=configuration,
                                           importance_threshold=inspector.Importance.BEST_PRACTICE_VIOLATION))
    assert found == []


def test_inspector_sees_what_is_missing_without_the_fields(files: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    target = tmp_path / "bare.nwb"
    assert hl.nwb.write(files["gabor"][0], target) == [
        "session_description", "subject.subject_id", "subject.species", "subject.sex", "subject.age"]
    found = list(inspector.inspect_nwbfile(nwbfile_path=target, config=inspector.load_config("dandi"),
                                           importance_threshold=inspector.Importance.CRITICAL))
    assert {m.check_function_name for m in found} == {"check_subject_exists"}


def test_missing_fields_are_all_named_before_anything_is_written(files: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    meta = {"session_description": "a run", "subject": {"subject_id": "L1", "species": "a crab", "sex": "?"}}
    with pytest.raises(hl.SpecError, match=r"subject\.species, subject\.sex, subject\.age") as caught:
        hl.nwb.write(files["gabor"][0], tmp_path / "out.nwb", meta, dandi=True)
    assert caught.value.field == "meta" and "subject_id" not in caught.value.got and not list(tmp_path.iterdir())


def test_unknown_field_is_an_error_with_the_nearest_name(files: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='Did you mean "species"'):
        hl.nwb.write(files["gabor"][0], tmp_path / "out.nwb", {"subject": {"specis": "Limulus polyphemus"}})


def test_record_without_a_trial_is_refused(files: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    record = tmp_path / "empty.hartline"
    record.write_bytes(files["gabor"][0].read_bytes())
    database = sqlite3.connect(record)
    with database:
        for table in ("stimulus", "trial", "array"):
            database.execute(f"DELETE FROM {table}")
    database.close()
    with pytest.raises(hl.SpecError, match="must be a record with a trial"):
        hl.nwb.write(record, tmp_path / "out.nwb", META)


def test_file_that_exists_is_left_alone(files: dict[str, tuple[Path, Path]]) -> None:
    record, target = files["gabor"]
    before = target.read_bytes()
    with pytest.raises(OSError, match="must be a new file"):
        hl.nwb.write(record, target, META)
    assert target.read_bytes() == before


def test_failed_validation_leaves_no_file(files: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    write = hl.nwb._write

    def broken(path: Path, *rest: Any) -> None:
        write(path, *rest)
        with h5py.File(path, "a") as file:
            del file["session_description"]

    monkeypatch.setattr(hl.nwb, "_write", broken)
    with pytest.raises(hl.IoError, match="must be valid NWB .*session_description"):
        hl.nwb.write(files["gabor"][0], tmp_path / "out.nwb", META)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["intervals/trials/utility", "intervals/trials/marks", "stimulus/presentation/stimulus/data",
                                   "acquisition/response/data", "processing/hartline/estimates/values"])
def test_file_that_differs_from_the_record_is_not_left(place: str, files: dict[str, tuple[Path, Path]], tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    write = hl.nwb._write

    def broken(path: Path, *rest: Any) -> None:
        write(path, *rest)
        with h5py.File(path, "a") as file:
            values = file[place][:]
            values.flat[3] += 1
            file[place][:] = values

    monkeypatch.setattr(hl.nwb, "_write", broken)
    with pytest.raises(hl.IoError, match="must be equal to the record"):
        hl.nwb.write(files["gabor"][0], tmp_path / "out.nwb", META)
    assert not list(tmp_path.iterdir())


def test_short_column_that_the_validator_passes_is_not_left(files: dict[str, tuple[Path, Path]], tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    write = hl.nwb._write

    def broken(path: Path, *rest: Any) -> None:
        write(path, *rest)
        with h5py.File(path, "a") as file:
            column = file["intervals/trials/utility"]
            attributes, short = dict(column.attrs), column[:-1]
            del file["intervals/trials/utility"]
            file["intervals/trials/utility"] = short
            file["intervals/trials/utility"].attrs.update(attributes)
        assert not pynwb.validate(path=str(path))

    monkeypatch.setattr(hl.nwb, "_write", broken)
    with pytest.raises(hl.IoError, match="Columns must be the same length"):
        hl.nwb.write(files["gabor"][0], tmp_path / "out.nwb", META)
    assert not list(tmp_path.iterdir())


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hartline", "nwb", *map(str, arguments)], capture_output=True, text=True)


def test_command_takes_fields_from_a_file_and_from_options(files: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    meta, target = tmp_path / "meta.toml", tmp_path / "out.nwb"
    meta.write_text('lab = "Vision"\n[subject]\nsubject_id = "L1"\nsex = "U"\n')
    first = command(files["gabor"][0], target, "--meta", meta, "--dandi")
    assert first.returncode == 2 and "session_description, subject.species, subject.age" in first.stderr and not target.exists()
    done = command(files["gabor"][0], target, "--meta", meta, "--dandi", "--session-description", "a run", "--subject-species",
                   "Limulus polyphemus", "--subject-age", "P1Y", "--experimenter", "Hartline, Keffer")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    with opened(target) as file:
        assert file.subject.age == "P1Y" and file.lab == "Vision" and file.session_description == "a run"


def test_command_without_a_record_fails_as_the_others_do(tmp_path: Path) -> None:
    done = command(tmp_path / "none.hartline", tmp_path / "out.nwb")
    assert done.returncode == 4 and done.stderr.startswith("hartline: ") and not list(tmp_path.iterdir())


def test_attempts_patterns_and_covariates_are_read_back(files: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    """A second attempt that was never observed, of a pattern with a covariate, on another clock."""
    record, target = tmp_path / "edited.hartline", tmp_path / "out.nwb"
    record.write_bytes(files["censoring"][0].read_bytes())
    database = sqlite3.connect(record)
    with database:
        database.execute("INSERT INTO trial (trial_idx, attempt, token, arm, role, num_learned, decided_at_ns, requested_ns, "
                         "requested_clock, utility, units, lateness_ms) "
                         "SELECT trial_idx, 2, 7, arm, role, num_learned, decided_at_ns + 1000000000, 5, 'rig', NULL, 3, -0.0 "
                         "FROM trial WHERE trial_idx = 29")
        database.execute("INSERT INTO stimulus (trial_idx, attempt, station, kind, targets, power_mw, onset_ms, duration_ms, rate_hz, "
                         "covariate_names, covariates) VALUES (29, 2, 'requested', 'pattern', '[4,7]', ?, 1.5, 10.0, 40.0, ?, ?)",
                         (np.array([0.5, 0.25]).tobytes(), '["speed"]', np.array([2.5]).tobytes()))
    database.close()
    hl.nwb.write(record, target, META)
    with opened(target) as file:
        i = file.trials["attempt"][:].tolist().index(2)
        assert file.trials["targets"][i].tolist() == [4, 7] and file.trials["power_mw"][i].tolist() == [0.5, 0.25]
        assert file.trials["covariate_speed"][i] == 2.5 and np.isnan(file.trials["utility"][i]) and not file.trials["answered"][i]
        assert np.isnan(file.trials["delivered_time"][i]) and np.isnan(file.trials["stop_time"][i])
        assert file.trials["requested_clock"][i] == "rig" and file.trials["rate_hz"][i] == 40
        assert sum(len(targets) for targets in file.trials["targets"][:]) == 2
