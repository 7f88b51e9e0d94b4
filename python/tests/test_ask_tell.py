"""Ask and tell in this process: the inverted loop without a line between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import program

import hartline as hl
from hartline.rig import Rig


def count_of(stimulus: np.ndarray[Any, Any], trial: int) -> int:
    """A cell that answers by rule, so that who asks does not matter."""
    return int(np.exp(1 + 2 * stimulus.ravel()[0] - stimulus.ravel()[3])) + trial % 2


@pytest.fixture
def remote(gabor: dict[str, Any]) -> dict[str, Any]:
    return {**gabor, "subject": {"kind": "remote"}}


def asked_and_told(run: hl.Run) -> hl.Run:
    while (trial := run.ask()) is not None:
        assert run.tell(trial, count_of(trial.stimulus, trial.index)) == "taken"
    run.finish()
    return run


def test_in_this_process_over_pipes_and_by_the_loop_the_same_bytes(remote: dict[str, Any], tmp_path: Path) -> None:
    experiment = hl.Experiment(remote)
    here = asked_and_told(experiment.start(record=tmp_path / "here.hartline"))
    (tmp_path / "remote.toml").write_text(experiment.to_toml())
    with Rig.start(tmp_path / "remote.toml", record=tmp_path / "there.hartline", program=program()) as rig:
        for stimulus in rig:
            rig.tell(stimulus, count_of(stimulus.values, stimulus.trial))
    loop = hl.Experiment({**remote, "subject": {"kind": "given"}}, subject=lambda x, trial: count_of(x, trial.index)).run()
    assert here.done and here.digest == loop.digest
    a, b = hl.Record(tmp_path / "here.hartline"), hl.Record(tmp_path / "there.hartline")
    for column in ("stimulus", "response", "mark", "utility", "log_evidence", "role"):
        assert a.columns()[column].tobytes() == b.columns()[column].tobytes() == loop.columns()[column].tobytes(), column
    assert a.arrays("mean")[60].tobytes() == b.arrays("mean")[60].tobytes() == loop.mean.tobytes()


def test_any_order_twice_late_and_never(remote: dict[str, Any]) -> None:
    run = hl.Experiment(remote).start()
    first, second, third = run.ask(), run.ask(), run.ask()
    assert first and second and third and [t.index for t in run.open] == [0, 1, 2]
    assert run.tell(second, 3) == "taken" and run.num_trials == 0
    assert run.tell(second, 3) == "doubled"
    assert run.tell(second, 4) == "late"
    assert run.tell(12345, 1) == "stranger"
    assert run.tell(first.token, None) == "taken"  # nothing came
    assert run.num_trials == 2
    assert run.give_up(third, "the screen went black") and not run.give_up(third, "again")
    frame = run.trials()
    assert list(frame["mark"]) == ["missing", "observed", "missing"]
    assert [event["kind"] for event in run.events()].count("given_up") == 1


def test_what_does_not_fit_leaves_the_trial_open(remote: dict[str, Any]) -> None:
    run = hl.Experiment(remote).start()
    trial = run.ask()
    assert trial
    for wrong in (-1, [1, 2], np.nan):
        with pytest.raises(hl.RunError):
            run.tell(trial, wrong)
    with pytest.raises(hl.RunError):
        run.tell(trial, 1, delivered=[1.0, 2.0])
    with pytest.raises(hl.SpecError, match="above 0"):
        run.ask(deadline_ms=0)
    assert [t.token for t in run.open] == [trial.token]
    shown = np.zeros(25)
    shown[3] = 0.5
    assert run.tell(trial, 2, delivered=shown, delivered_ns=run.now_ns()) == "taken"
    model = run.experiment.model
    belief = model.prior()
    model.update(belief, shown, 2)
    assert run.belief().digest == belief.digest


def test_the_loop_and_the_rig_are_not_mixed(gabor: dict[str, Any], remote: dict[str, Any]) -> None:
    with pytest.raises(hl.SpecError, match=r"Run\.step"):
        hl.Experiment(gabor).start().ask()
    with pytest.raises(hl.SpecError, match=r"Run\.ask"):
        hl.Experiment(remote).start().go()


def test_a_remote_run_is_resumed_by_who_asks(remote: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.hartline"
    run = hl.Experiment(remote).start(record=path)
    for _ in range(20):
        trial = run.ask()
        assert trial and run.tell(trial, count_of(trial.stimulus, trial.index)) == "taken"
    assert run.ask() is not None  # in flight when the process ends
    del run
    resumed = hl.resume(path)
    assert not resumed.done and resumed.num_trials == 21 and resumed.open == []
    assert asked_and_told(resumed).num_trials == 60
    assert list(hl.Record(path).trials()["mark"])[20] == "missing"


def test_a_deadline_brings_a_stimulus(remote: dict[str, Any]) -> None:
    run = hl.Experiment({**remote, "num_trials": 400}).start()
    roles = set()
    while (trial := run.ask(deadline_ms=0.02)) is not None:
        assert np.isfinite(trial.stimulus).all()
        roles.add(trial.role)
        run.tell(trial, 1)
    fallbacks = [event for event in run.events() if event["kind"] == "fallback"]
    assert ("fallback" in roles) == bool(fallbacks)
    assert len(fallbacks) == list(run.trials()["role"]).count("fallback")
