"""Plain data: what tasks, items and results are made of, and their one way to be written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..errors import SpecError


def plain(value: Any, path: str) -> Any:
    """The value as it comes back from JSON: NumPy's numbers and arrays as numbers and lists, tuples as lists. Raises SpecError."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist(), path)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise SpecError.about(f"{path}[{key!r}]", "named by a text", type(key).__name__)
        return {key: plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(item, f"{path}[{k}]") for k, item in enumerate(value)]
    raise SpecError.about(path, "plain data", type(value).__name__,
                          "Numbers, texts, true, false, None, and lists and tables of them travel; say the rest with these.")


def encode(value: Any, path: str) -> bytes:
    """One line of JSON. Keys stay in their order, which may mean something: a model's parameters count in theirs."""
    return json.dumps(plain(value, path), ensure_ascii=False, separators=(",", ":")).encode()


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
