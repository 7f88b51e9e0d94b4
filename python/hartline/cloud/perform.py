"""What a worker does with a request: bytes in, bytes out, so that any executor can carry it."""

from __future__ import annotations

import functools
import json
import socket
import time
import traceback
from dataclasses import dataclass
from typing import Any

from .. import errors
from .plain import encode
from .task import Refusal, prepared

_prepared = functools.lru_cache(maxsize=8)(prepared)


def perform(request: bytes) -> bytes:
    """Two lines of a task's head and one of an item; returns a line about the work, and the result. Raises nothing."""
    head, _, item = request.rpartition(b"\n")
    about: dict[str, Any] = {}
    result = b""
    try:
        function, common = _prepared(head)
        begun = time.perf_counter()
        result = encode(function(json.loads(item), **common), "result")
        about["seconds"] = time.perf_counter() - begun
    except Refusal as refusal:
        about["refusal"] = (*refusal.facts[:2], f"{refusal.facts[2]} on {socket.gethostname()}", refusal.facts[3])
    except BaseException as error:  # a task may raise what it likes, SystemExit too
        facts = [getattr(error, name) for name in ("field", "expected", "got", "hint")] if isinstance(error, errors.Error) else []
        about["error"] = {"type": type(error).__name__, "text": str(error), "facts": facts, "trace": traceback.format_exc()}
    return encode(about, "reply") + b"\n" + result


@dataclass(frozen=True)
class Reply:
    """A worker's answer: a result and how long it took, or the task's own error, or a refusal."""

    result: bytes
    seconds: float
    error: errors.Error | None
    refusal: errors.IoError | None


def read_reply(data: bytes, task: str) -> Reply:
    """`task`: how errors name it."""
    line, _, result = data.partition(b"\n")
    about = json.loads(line)
    refusal = errors.IoError.about(*about["refusal"]) if "refusal" in about else None
    return Reply(result, about.get("seconds", 0.0), _error(about["error"], task) if "error" in about else None, refusal)


def _error(told: dict[str, Any], task: str) -> errors.Error:
    if told["facts"] and told["type"] in errors.__all__:
        error: errors.Error = getattr(errors, told["type"])(f"{task}: {told['text']}")
        error.field, error.expected, error.got, error.hint = told["facts"]
    else:
        error = errors.RunError.about(task, "one that returns", f"{told['type']}: {told['text']}")
    error.add_note(f"In the worker:\n{told['trace']}")
    return error
