"""The errors of Hartline, with their facts as attributes.

An error says where, what was expected, what was got, and the next step.
"""

from __future__ import annotations

from typing import Self

__all__ = ["Error", "InternalError", "IoError", "RunError", "SpecError", "UnitError"]


class Error(Exception):
    """Base of all errors of Hartline. ``field``, ``expected``, ``got`` and ``hint`` are the facts of its message.

    >>> import hartline as hl
    >>> try:
    ...     hl.DesignSpec(search="bal")
    ... except hl.Error as error:
    ...     print(error.field, error.expected, error.got, error.hint, sep=" | ")
    search | one of auto, pool, ball, gradient | "bal" | Did you mean "ball"?
    """

    field: str = ""
    expected: str = ""
    got: str = ""
    hint: str = ""

    @classmethod
    def about(cls, field: str, expected: str, got: str, hint: str = "") -> Self:
        """An error with these facts, its message put together as the engine does."""
        error = cls(f"{field}: must be {expected} (got {got})." + (f" {hint}" if hint else ""))
        error.field, error.expected, error.got, error.hint = field, expected, got, hint
        return error


class SpecError(Error, ValueError):
    """The description is wrong.

    >>> import hartline as hl
    >>> hl.GlmSpec(bin_ms=-1)
    Traceback (most recent call last):
    hartline.errors.SpecError: bin_ms: must be > 0 ms (got -1 ms).
    """


class UnitError(SpecError):
    """A quantity has the wrong unit.

    >>> import hartline as hl
    >>> issubclass(hl.UnitError, hl.SpecError)
    True
    """


class RunError(Error, RuntimeError):
    """Numerics or a device failed while running; ``trial`` is when, or -1. The record holds every trial before it.

    >>> import hartline as hl
    >>> model = hl.models.glm(shape=[2])
    >>> model.update(model.prior(), stimulus=[1, 0], response=-1)
    Traceback (most recent call last):
    hartline.errors.RunError: response: must be a whole number >= 0 (got -1).
    """

    trial: int = -1


class IoError(Error, OSError):
    """A file, a disk or a peer failed.

    >>> import hartline as hl
    >>> try:
    ...     hl.Experiment.read("no such file")
    ... except OSError as error:
    ...     print(type(error).__name__)
    IoError
    """


class InternalError(Error, RuntimeError):
    """A fault of Hartline itself.

    >>> import hartline as hl
    >>> issubclass(hl.InternalError, hl.Error)
    True
    """
