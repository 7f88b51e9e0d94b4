"""Subjects and response models that are written in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import hartline as hl


class TuningCurve(hl.Family):
    """The engine's tuning curve, written again."""

    parameters = {
        "centre": np.linspace(-10, 10, 81),
        "width": 0.25 * (8.0 / 0.25) ** (np.arange(11) / 10),
        "amplitude": 12.5 * (200 / 12.5) ** (np.arange(9) / 8),
        "baseline": [1.0, 2.0, 4.0],
    }

    def evaluate(self, stimulus: NDArray[np.float64], **p: Any) -> NDArray[np.float64]:
        rate: NDArray[np.float64] = p["amplitude"] * np.exp(-0.5 * ((stimulus[0] - p["centre"]) / p["width"]) ** 2) + p["baseline"]
        return rate


class Weibull(hl.Family):
    parameters = {"threshold": np.linspace(-40, 0, 41), "slope": [3.5]}
    num_choices = 2

    def evaluate(self, stimulus: NDArray[np.float64], **p: Any) -> NDArray[np.float64]:
        correct = 0.98 - 0.48 * np.exp(-(10 ** (p["slope"] * (stimulus[0] - p["threshold"]) / 20)))
        return np.stack([1 - correct, correct], axis=-1)


def test_a_family_in_python_is_as_good_as_the_engines() -> None:
    example = hl.Experiment.example("tuning_curve")
    document = example.to_dict()
    document["model"] = {"kind": "given"}
    ours, theirs = hl.Experiment(document, family=TuningCurve()).run(), example.run()
    assert ours.columns()["stimulus"].tobytes() == theirs.columns()["stimulus"].tobytes()
    assert ours.mean == pytest.approx(theirs.mean, rel=1e-9)
    # a stimulus that is not a member of the pool is taken at its own value
    a, b = ours.belief(), theirs.belief()
    ours.experiment.model.update(a, 0.123, 17)
    example.model.update(b, 0.123, 17)
    assert a.mean == pytest.approx(b.mean, rel=1e-9)


def test_a_family_of_choices_finds_the_threshold() -> None:
    def observer(stimulus: NDArray[np.float64], trial: hl.Trial) -> bool:
        correct = 0.98 - 0.48 * np.exp(-(10 ** (3.5 * (stimulus[0] + 20) / 20)))
        return bool(np.random.default_rng(trial.index).random() < correct)

    experiment = hl.Experiment(
        seed=1, num_trials=100, subject=observer, family=Weibull(), stimulus={"kind": "axis", "axis": {"from": -40, "to": 0, "num": 41}}
    )
    run = experiment.run()
    assert abs(run.mean[0] + 20) < 2 and run.sd[0] < 1.5
    assert hl.models.grid(Weibull(), np.linspace(-40, 0, 41)).prior().weights.shape == (41, 1)


@pytest.mark.parametrize(
    ("values", "field"), [([1.0, 2.0], "family.evaluate"), (-1.0, "family.evaluate"), (float("nan"), "family.evaluate")]
)
def test_what_a_family_says_is_checked(values: Any, field: str) -> None:
    class Wrong(hl.Family):
        parameters = {"a": [1.0, 2.0, 3.0]}

        def evaluate(self, stimulus: NDArray[np.float64], **p: Any) -> Any:
            return values if isinstance(values, list) else np.full(len(p["a"]), values)

    with pytest.raises(hl.SpecError) as caught:
        hl.models.grid(Wrong(), [0.0, 1.0])
    assert caught.value.field == field


def poisson_cell(stimulus: NDArray[np.float64], trial: hl.Trial) -> int:
    return int(np.random.default_rng(trial.index).poisson(np.exp(2.5 * stimulus[1, 2])))


def test_a_function_is_a_subject(gabor: dict[str, Any]) -> None:
    del gabor["subject"]
    run = hl.Experiment(gabor, subject=poisson_cell).run()
    assert np.argmax(np.abs(run.mean)) == 7
    assert "relative_error" not in run.metrics, "the truth is not known"
    assert run.experiment.truth is None


def test_a_recorded_subject_in_python_gives_the_same_belief() -> None:
    """One that answers what the simulated one answered."""
    simulated = hl.Experiment.example("gabor", set={"num_trials": 50})
    asked = simulated.subject()
    document = simulated.to_dict()
    document["subject"] = {"kind": "given"}
    assert hl.Experiment(document, subject=lambda stimulus, trial: asked.respond(trial)).run().digest == simulated.run().digest


def test_missing_and_censored_responses_are_told(gabor: dict[str, Any]) -> None:
    def subject(stimulus: NDArray[np.float64], trial: hl.Trial) -> hl.Response | int | None:
        if trial.index % 3 == 0:
            return None
        return hl.Response(4, marks=["censored"]) if trial.index % 3 == 1 else 2

    del gabor["subject"]
    marks = hl.Experiment(gabor, subject=subject).run().trials().mark
    assert list(marks[:6]) == ["missing", "censored", "observed"] * 2


def test_a_real_subject_is_not_asked_again(tmp_path: Path, gabor: dict[str, Any]) -> None:
    asked: list[int] = []

    def subject(stimulus: NDArray[np.float64], trial: hl.Trial) -> int:
        asked.append(trial.index)
        return poisson_cell(stimulus, trial)

    del gabor["subject"]
    experiment = hl.Experiment(gabor, subject=subject)
    run = experiment.start(record=tmp_path / "a.hartline")
    for _ in range(20):
        run.step()
    del run
    resumed = hl.resume(tmp_path / "a.hartline", subject=subject)
    assert asked == list(range(60))
    whole = hl.Experiment(gabor, subject=poisson_cell).run()
    assert resumed.digest == whole.digest
    assert hl.Record(tmp_path / "a.hartline").replay()["digest"] == whole.digest
    with pytest.raises(hl.SpecError, match="subject.kind"):
        hl.resume(tmp_path / "a.hartline")


def test_a_subject_has_a_clock_of_its_own(gabor: dict[str, Any]) -> None:
    class Rig(hl.Subject):
        time = 100.0

        def now_s(self) -> float:
            self.time += 0.25
            return self.time

        def respond(self, stimulus: NDArray[np.float64], trial: hl.Trial) -> int:
            return 1

    del gabor["subject"]
    times = hl.Experiment(gabor, subject=Rig()).run().columns()["requested_s"]
    assert np.allclose(np.diff(times), 0.25) and times[0] == 100.25


def test_comparing_needs_a_subject_that_can_be_copied(gabor: dict[str, Any]) -> None:
    del gabor["subject"]
    with pytest.raises(hl.SpecError, match="subject.kind"):
        hl.Experiment(gabor, subject=poisson_cell).compare()
