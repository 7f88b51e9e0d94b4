"""Hartline chooses the next stimulus so that the most is learned per trial.

A constant thing, a copyable state, and one verb between them: Model, Belief, update; Design, Plan, choose; Experiment, Run, run.

>>> import hartline as hl
>>> run = hl.Experiment.example("tuning_curve").run()
>>> run
<Run of "Gaussian tuning curve": 20 of 20 trials>
"""

from . import base, cli, cloud, design, dynamics, errors, examples, io, loop, models, nwb, tables
from .base import Response, Stream, Trial
from .cli import version
from .design import DesignSpec
from .errors import Error, InternalError, IoError, RunError, SpecError, UnitError
from .io import Record
from .loop import Experiment, Learner, Run, Spec, StimulusSpec, Subject, SubjectSpec, resume
from .models import Belief, Family, GaussianBeliefSpec, GlmSpec, Model
from .tables import learning_curves

__version__ = version()

__all__ = [
    "Belief", "DesignSpec", "Error", "Experiment", "Family", "GaussianBeliefSpec", "GlmSpec", "InternalError", "IoError", "Learner",
    "Model", "Record", "Response", "Run", "RunError", "Spec", "SpecError", "StimulusSpec", "Stream", "Subject", "SubjectSpec",
    "Trial", "UnitError", "base", "cli", "cloud", "design", "dynamics", "errors", "examples", "io", "learning_curves", "loop",
    "models", "nwb", "resume", "tables",
]
