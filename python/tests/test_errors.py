"""Errors carry their facts."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hartline as hl


def test_a_wrong_description_is_a_value_error(gabor: dict[str, Any]) -> None:
    gabor["design"] = {"kind": "infomaks"}
    with pytest.raises(ValueError) as caught:
        hl.Experiment(gabor)
    error = caught.value
    assert isinstance(error, hl.SpecError)
    assert (error.field, error.got, error.hint) == ("design.kind", '"infomaks"', 'Did you mean "infomax"?')
    assert error.expected.startswith("one of infomax")
    assert str(error) == f"{error.field}: must be {error.expected} (got {error.got}). {error.hint}"


def test_unknown_keywords_are_refused_by_name() -> None:
    with pytest.raises(hl.SpecError, match='Did you mean "num_trials"'):
        hl.Experiment(seed=1, num_trails=3, stimulus={"kind": "ball", "shape": [2]}, model={"kind": "glm"})
    with pytest.raises(hl.SpecError) as caught:
        hl.GlmSpec(lnk="exp")  # type: ignore[call-arg]
    assert caught.value.hint == 'Did you mean "link"?'


def test_a_field_is_checked_when_it_is_set() -> None:
    spec = hl.GlmSpec()
    with pytest.raises(hl.SpecError) as caught:
        spec.bin_ms = -3
    assert (caught.value.field, caught.value.expected, caught.value.got) == ("bin_ms", "> 0 ms", "-3 ms")
    assert spec.bin_ms == 1000


def test_a_wrong_response_is_a_run_error_that_names_its_trial(gabor: dict[str, Any]) -> None:
    del gabor["subject"]
    experiment = hl.Experiment(gabor, subject=lambda stimulus, trial: 1 if trial.index < 4 else -2)
    run = experiment.start()
    with pytest.raises(RuntimeError) as caught:
        run.go()
    assert isinstance(caught.value, hl.RunError)
    assert caught.value.trial == 4 and caught.value.field == "trial 4, response"
    assert run.num_trials == 4


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        hl.Record(tmp_path / "nothing.hartline")
    assert isinstance(caught.value, hl.IoError) and "nothing.hartline" in caught.value.field
    run = hl.Experiment.example("psychometric").run(record=tmp_path / "a.hartline")
    with pytest.raises(hl.IoError):
        run.experiment.run(record=tmp_path / "a.hartline")


def test_errors_survive_pickling() -> None:
    with pytest.raises(hl.SpecError) as caught:
        hl.GlmSpec(bin_ms=0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.field) == (hl.SpecError, str(caught.value), "bin_ms")


def test_what_a_subject_raises_comes_through(gabor: dict[str, Any]) -> None:
    def broken(stimulus: Any, trial: hl.Trial) -> int:
        raise KeyError("the amplifier is off")

    del gabor["subject"]
    with pytest.raises(KeyError, match="amplifier"):
        hl.Experiment(gabor, subject=broken).run()


def test_beliefs_of_other_models_are_refused() -> None:
    with pytest.raises(hl.SpecError, match="belief of this model"):
        hl.models.glm(shape=[2]).update(hl.models.glm(shape=[2]).prior(), [0, 1], 1)


@pytest.mark.parametrize("value", [object(), np.array(["a"]), {1, 2}.__iter__])
def test_what_cannot_stand_in_a_document_is_named(value: object) -> None:
    with pytest.raises(hl.SpecError) as caught:
        hl.Experiment({"seed": 1, "num_trials": 2, "stimulus": {"kind": value}, "model": {"kind": "glm"}})
    assert caught.value.field.startswith("stimulus.kind")
