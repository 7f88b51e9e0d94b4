"""C++ = Python = command line: the same bytes for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import cli

import hartline as hl

SHORT = {
    "gabor": {"num_trials": 80},
    "tuning_curve": {},
    "psychometric": {},
    "lags": {"num_trials": 40},
    "population": {"num_trials": 30},
    "tuning_gp": {"num_trials": 20},
    "which_model": {"num_trials": 30},
    "controls": {"num_trials": 60},
    "drift": {"num_trials": 60},
}


@pytest.mark.parametrize("name", SHORT)
def test_run_and_program_write_the_same(name: str, tmp_path: Path) -> None:
    overrides = [word for key, value in SHORT[name].items() for word in ("--set", f"{key}={value}")]
    told = cli("run", hl.examples.path(name), "--out", tmp_path / "program.hartline", *overrides)
    run = hl.Experiment.example(name, set=SHORT[name]).run(record=tmp_path / "python.hartline")
    assert run.digest == told["belief_digest"]
    for metric, value in told.items():
        if metric in run.metrics and not metric.startswith("choose_"):
            assert run.metrics[metric] == value, metric
    ours, theirs = run.record, hl.Record(tmp_path / "program.hartline")
    assert ours is not None
    assert ours.configuration == theirs.configuration
    assert ours.array_names == theirs.array_names
    for array in ours.array_names:
        a, b = ours.arrays(array), theirs.arrays(array)
        assert a.keys() == b.keys()
        assert all(a[k].tobytes() == b[k].tobytes() for k in a)
    a_columns, b_columns = ours.columns(), theirs.columns()
    for column, values in a_columns.items():
        if values is not None and column not in ("requested_s", "delivered_s", "lateness_ms"):
            assert values.tobytes() == b_columns[column].tobytes(), column


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    experiment = hl.Experiment.example("tuning_curve", set={"num_trials": 12}, threads=threads)
    assert experiment.run().digest == hl.Experiment.example("tuning_curve", set={"num_trials": 12}, threads=1).run().digest


@pytest.mark.parametrize("name", ["gabor", "tuning_curve", "lags", "drift"])
def test_ring_by_hand_is_the_run(name: str) -> None:
    experiment = hl.Experiment.example(name, set={"num_trials": 30})
    learner, subject = experiment.learner(), experiment.subject()
    utilities = []
    for _ in range(experiment.num_trials):
        trial = learner.choose()
        trial = learner.learn(trial, subject.respond(trial))
        utilities.append(trial.utility)
    learner.finish()
    run = experiment.run()
    assert learner.digest == run.digest
    assert np.array(utilities).tobytes() == run.columns()["utility"].tobytes()


def test_memory_and_file_hold_the_same(tmp_path: Path, gabor: dict[str, object]) -> None:
    experiment = hl.Experiment(gabor)
    memory, file = experiment.run().columns(), experiment.run(record=tmp_path / "a.hartline").columns()
    for column, values in memory.items():
        assert values.tobytes() == file[column].tobytes() or column == "lateness_ms", column


def test_lower_level_is_the_run(gabor: dict[str, object]) -> None:
    """Model, design and subject put together by hand give the experiment's belief."""
    experiment = hl.Experiment(gabor)
    model = hl.models.glm(shape=[5, 5], belief={"prior_sd": 0.4})
    design = hl.design.Design(hl.design.ball(dim=25), model, seed=3)
    plan, belief = design.make_plan(), model.prior()
    columns = experiment.run().columns()
    for trial in range(60):
        choice = design.choose(plan, belief, trial=trial)
        assert choice.stimulus.tobytes() == columns["stimulus"][trial].tobytes()
        design.follow(plan, belief, shown=choice)
        model.update(belief, choice.stimulus, columns["response"][trial])
        design.follow(plan, belief)
    assert belief.fork().digest == belief.digest
    model.refine(belief, columns["stimulus"], columns["response"])
    assert belief.mean.tobytes() == experiment.run().mean.tobytes()
