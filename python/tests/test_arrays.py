"""Arrays: no copies in or out, read-only views, owners that live long enough."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import hartline as hl


def test_views_are_the_belief_itself() -> None:
    model = hl.models.glm(shape=[6])
    belief = model.prior()
    mean, covariance = belief.mean, belief.covariance
    assert not mean.flags.writeable and not mean.flags.owndata
    assert belief.mean.ctypes.data == mean.ctypes.data
    assert covariance.shape == (6, 6)
    before = mean.copy()
    model.update(belief, np.eye(6)[2], 7)
    assert belief.mean.ctypes.data == mean.ctypes.data
    assert mean[2] > before[2], "a view follows its belief"
    with pytest.raises(ValueError):
        mean[0] = 1.0


def test_views_outlive_what_they_look_into() -> None:
    belief = hl.models.glm(shape=[200]).prior()
    covariance = belief.covariance
    kept = covariance.copy()
    del belief
    gc.collect()
    noise = [np.random.default_rng(k).normal(size=200 * 200) for k in range(20)]
    assert np.array_equal(covariance, kept) and len(noise) == 20


def test_views_of_a_trial_outlive_the_learner() -> None:
    stimulus = hl.Experiment.example("gabor").learner().choose().stimulus
    gc.collect()
    assert stimulus.shape == (8, 8)
    assert np.sum(stimulus**2) == pytest.approx(1)


def test_pool_is_a_view() -> None:
    experiment = hl.Experiment.example("tuning_curve")
    pool = experiment.stimuli.stimuli
    assert pool is not None and pool.shape == (101, 1) and not pool.flags.writeable
    assert experiment.truth is not None and not experiment.truth.flags.writeable


def test_a_fork_shares_nothing() -> None:
    model = hl.models.glm(shape=[3])
    belief = model.prior()
    fork = belief.fork()
    model.update(belief, [1, 0, 0], 3)
    assert fork.digest != belief.digest and fork.digest == model.prior().digest
    assert not np.shares_memory(fork.mean, belief.mean)


@pytest.mark.parametrize(
    "stimulus", [[1, 0, 0], (1.0, 0.0, 0.0), np.array([1, 0, 0]), np.array([1, 0, 0], dtype=np.float32), np.eye(3)[:, 0], np.eye(3)[0]]
)
def test_any_numbers_are_taken(stimulus: Any) -> None:
    model = hl.models.glm(shape=[3])
    belief, wanted = model.prior(), model.prior()
    model.update(belief, stimulus, 2)
    model.update(wanted, np.array([1.0, 0.0, 0.0]), 2)
    assert belief.digest == wanted.digest


def test_grid_weights_have_an_axis_for_each_parameter() -> None:
    run = hl.Experiment.example("tuning_curve").run()
    weights = run.belief().weights
    assert weights.shape == (81, 11, 9, 3)
    assert weights.sum() == pytest.approx(1)
    values, probability = run.belief().marginal("centre")
    assert probability == pytest.approx(weights.sum(axis=(1, 2, 3)))
    assert values @ probability == pytest.approx(run.mean[0])


def test_snapshots_do_not_change_later() -> None:
    run = hl.Experiment.example("gabor", set={"num_trials": 5}).start()
    run.step()
    belief = run.belief()
    mean = belief.mean.copy()
    run.go()
    assert np.array_equal(belief.mean, mean) and not np.array_equal(run.belief().mean, mean)
