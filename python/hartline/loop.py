"""Experiments and their runs: Experiment, Run, run; and the ring turned by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._engine.loop import (
    ArmSpec,
    CompareSpec,
    Experiment,
    GaborSpec,
    Learner,
    Pairing,
    RecordSpec,
    Respondent,
    Run,
    Spec,
    StimulusSpec,
    StopSpec,
    SubjectSpec,
    TrainSpec,
    ValidationSpec,
    WatchSpec,
    begin_training,
    pair_fitness,
    resume,
    take_step,
    training_info,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .base import Trial

__all__ = [
    "ArmSpec", "CompareSpec", "Experiment", "GaborSpec", "Learner", "Pairing", "RecordSpec", "Respondent", "Run", "Spec", "StimulusSpec",
    "StopSpec", "Subject", "SubjectSpec", "TrainSpec", "ValidationSpec", "WatchSpec", "begin_training", "pair_fitness", "resume",
    "take_step", "training_info",
]


class Subject:
    """Who responds, written in Python: give an instance to ``Experiment(subject=…)``.

    A plain function of stimulus and trial does as well. Two more methods may be there. ``now_s()`` tells the subject's time in
    seconds; without it a trial takes ``trial_ms``. ``recall(stimulus, trial)`` is called for trials of an earlier process when a
    run is resumed, so that a simulation can catch up; a real subject has none and is not asked again.

    >>> import hartline as hl, numpy as np
    >>> class Cell(hl.Subject):
    ...     def respond(self, stimulus, trial):
    ...         drive = 3 * stimulus[0, 0]
    ...         return np.random.default_rng(trial.index).poisson(np.exp(drive))
    >>> experiment = hl.Experiment(seed=1, num_trials=30, subject=Cell(),
    ...                            stimulus={"kind": "ball", "shape": [4, 4]}, model={"kind": "glm"})
    >>> int(np.argmax(experiment.run().mean))
    0
    """

    def respond(self, stimulus: NDArray[np.float64], trial: Trial) -> Any:
        """Shows the stimulus and returns what came back: numbers, a ``Response``, or None where there is no response."""
        raise NotImplementedError("a subject says how it responds: def respond(self, stimulus, trial)")
