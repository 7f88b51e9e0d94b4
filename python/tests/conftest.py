"""What the tests share: the C++ program, and small experiments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A shell starts programs in the background with Ctrl-C switched off, and their children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def program() -> list[str]:
    """The C++ executable named by HARTLINE_PROGRAM; without it the console script."""
    named = os.environ.get("HARTLINE_PROGRAM")
    return [named] if named else [sys.executable, "-m", "hartline"]


def cli(*arguments: object) -> dict[str, Any]:
    """Runs the program and reads the document that it prints."""
    done = subprocess.run([*program(), *map(str, arguments), "--json"], check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def gabor() -> dict[str, Any]:
    return {
        "seed": 3,
        "num_trials": 60,
        "subject": {"truth": "gabor", "gain": 2.0},
        "stimulus": {"kind": "ball", "shape": [5, 5]},
        "model": {"kind": "glm"},
        "belief": {"prior_sd": 0.4},
    }
