"""One line that tells how far a sweep is."""

from __future__ import annotations

import sys
import time
from typing import TextIO

WIDTH = 20


def duration(seconds: float) -> str:
    """As a person says it: ``15 ms``, ``40 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for unit, size, until in (("ms", 1e-3, 0.1), ("s", 1, 90), ("min", 60, 90 * 60), ("h", 3600, 48 * 3600)):
        if seconds < until:
            return f"{seconds / size:.2g} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.3g} days"


class Line:
    """A line on a terminal that is written over; on anything else it says nothing."""

    def __init__(self, num_tasks: int, out: TextIO | None = None):
        self._out = out or sys.stderr
        self._num_tasks = num_tasks
        self._live = self._out.isatty()
        self._shown_at = 0.0
        self._begun = time.monotonic()

    def show(self, num_done: int, num_stored: int, notes: str, last: bool = False) -> None:
        """`num_stored` of those done were there before; `notes`: what else there is to tell."""
        now = time.monotonic()
        if not self._live or (now - self._shown_at < 0.1 and not last):
            return
        self._shown_at = now
        full = WIDTH * num_done // max(self._num_tasks, 1)
        computed, left = num_done - num_stored, self._num_tasks - num_done
        time_left = f", {duration((now - self._begun) / computed * left)} left" if computed and left else ""
        text = f"[{'#' * full}{'.' * (WIDTH - full)}] {num_done}/{self._num_tasks}{notes}{time_left}"
        self._out.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        self._out.flush()
