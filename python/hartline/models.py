"""Encoding models and what is believed of them: Model, Belief, update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._engine.models import (
    Axis,
    Belief,
    Context,
    GaussianBeliefSpec,
    GaussianProcessBeliefSpec,
    GaussianProcessSpec,
    GlmSpec,
    Model,
    PopulationSpec,
    PriorSpec,
    PsychometricSpec,
    TuningCurveSpec,
    gaussian_process,
    glm,
    grid,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Axis", "Belief", "Context", "Family", "GaussianBeliefSpec", "GaussianProcessBeliefSpec", "GaussianProcessSpec", "GlmSpec",
    "Model", "PopulationSpec", "PriorSpec", "PsychometricSpec", "TuningCurveSpec", "gaussian_process", "glm", "grid",
]


class Family:
    """A response model written in Python: how a response depends on the stimulus and a handful of parameters.

    Give an instance to ``Experiment(family=…)`` or to ``hartline.models.grid``. The belief lives on the grid of its parameters.

    ``parameters``: the values of each parameter, by name. ``num_choices``: 0 where the response is a Poisson count, else how many
    choices there are. ``stimulus_dim``: values of a stimulus.

    >>> import hartline as hl, numpy as np
    >>> class Saturating(hl.Family):
    ...     parameters = {"peak": np.linspace(5, 40, 15), "half": np.geomspace(2, 50, 15)}
    ...     def evaluate(self, stimulus, peak, half):
    ...         contrast = stimulus[0]
    ...         return peak * contrast**2 / (contrast**2 + half**2)
    >>> cell = lambda stimulus, trial: np.random.default_rng(trial.index).poisson(20 * stimulus[0]**2 / (stimulus[0]**2 + 100))
    >>> experiment = hl.Experiment(seed=1, num_trials=60, subject=cell, family=Saturating(),
    ...                            stimulus={"kind": "axis", "axis": hl.models.Axis(from_=1.0, to=100.0, num=34)})
    >>> peak, half = experiment.run().mean
    >>> bool(abs(peak - 20) < 4), bool(abs(half - 10) < 4)
    (True, True)
    """

    parameters: Mapping[str, ArrayLike] = {}
    num_choices: int = 0
    stimulus_dim: int = 1

    def evaluate(self, stimulus: NDArray[np.float64], **parameters: Any) -> ArrayLike:
        """What one stimulus [stimulus_dim] does at many nodes, each parameter an array [num].

        Returns the expected count [num], or the probability of each choice [num, num_choices].
        """
        raise NotImplementedError("a family says what a stimulus does: def evaluate(self, stimulus, **parameters)")
