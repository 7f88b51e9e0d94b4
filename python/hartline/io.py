"""Records: what a run wrote down."""

from ._engine.io import Record

__all__ = ["Record"]
