"""Random streams, trials and responses: the words that every module shares."""

from ._engine.base import Response, Stream, Trial

__all__ = ["Response", "Stream", "Trial"]
