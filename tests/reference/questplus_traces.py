#!/usr/bin/env python3
"""Reference: Watson's three worked examples as questplus plays them.

    build/venv-peers/bin/python tests/reference/questplus_traces.py     writes questplus_traces.json

Runs the three examples of the package's own test suite while noting what they put in and what comes out: 224 choices, each with
the expected entropy of every stimulus's posterior, and the final posterior's mode and entropy. Entropies are in nats.

    P(correct | x, t, b, d) = 1 - d - (1 - g - d) exp(-10^(b (x - t) / 20)),    x and t in dB, g = 0.5

Examples in Watson AB (2017), QUEST+: a general multidimensional Bayesian adaptive psychometric method, Journal of Vision 17(3):10.
"""

from __future__ import annotations

import datetime
import importlib
import json
import platform
import sys
import types
from pathlib import Path

import numpy as np
import questplus
import xarray

RESULT = Path(__file__).with_name("questplus_traces.json")
# name, the function of the package's test suite, and the final mode and entropy found by an independent implementation
EXAMPLES = [
    ("threshold", "test_threshold", {"threshold": -20}, 1.683501),
    ("threshold and slope", "test_threshold_slope", {"threshold": -20, "slope": 3}, 2.691951),
    ("threshold, slope and lapse", "test_threshold_slope_lapse", {"threshold": -20, "slope": 5, "lapse_rate": 0.04}, 3.288745),
]


class Recorded(questplus.QuestPlus):
    """A staircase that keeps what it was told."""

    last: Recorded

    def __init__(self, **keywords: object) -> None:
        super().__init__(**keywords)
        self.shown: list[int] = []
        self.correct: list[int] = []
        self.margins: list[float] = []
        self.best: list[float] = []
        Recorded.last = self

    def update(self, *, stim: dict, outcome: dict) -> None:
        entropies = self.expected_entropies()
        self.shown.append(int(stim["intensity"]))
        self.correct.append(int(outcome["response"] == "Correct"))
        self.best.append(float(np.min(entropies)))
        self.margins.append(float(np.diff(np.sort(entropies)[:2])[0]))
        super().update(stim=stim, outcome=outcome)

    def expected_entropies(self) -> np.ndarray:
        """Of the posterior after each stimulus [num_stimuli], computed here from the package's tables."""
        joint = (self.posterior * self.likelihoods).transpose("response", "intensity", ...).values
        joint = joint.reshape(*joint.shape[:2], -1)
        outcome = joint.sum(axis=2, keepdims=True)
        return -np.sum(joint * np.log(np.where(joint > 0, joint / outcome, 1)), axis=(0, 2))


def entropy(probabilities: np.ndarray) -> float:
    return float(-np.sum(probabilities * np.log(np.where(probabilities > 0, probabilities, 1))))


def numbers(values: np.ndarray) -> list[float]:
    return [float(value) for value in np.atleast_1d(values)]


def one_key_a_line(value: object) -> str:
    """JSON with every key on a line of its own and every list of numbers on one line."""
    if isinstance(value, dict):
        return "{" + ",\n".join(f"{json.dumps(key)}: {one_key_a_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(one_key_a_line, value)) + "]"
    return json.dumps(value)


def play(name: str, test: str, mode: dict[str, float], final_entropy: float) -> dict:
    """Runs one example, which itself asserts every choice, and checks mode and entropy."""
    sys.modules.setdefault("pytest", types.ModuleType("pytest"))  # the suite imports it and these examples do not use it
    suite = importlib.import_module("questplus.tests.test_qp")
    suite.QuestPlus = Recorded
    getattr(suite, test)()
    staircase = Recorded.last
    found = {key: staircase.param_estimate[key] for key in mode}
    assert all(abs(found[key] - mode[key]) < 1e-12 for key in mode), f"{name}: mode must be {mode} (got {found})."
    reached = entropy(staircase.posterior.values)
    assert abs(reached - final_entropy) < 5e-7, f"{name}: entropy must be {final_entropy} (got {reached})."
    return {
        "name": name, "num_trials": len(staircase.shown), "guess": float(staircase.param_domain["lower_asymptote"][0]),
        "stimuli_db": numbers(staircase.stim_domain["intensity"]), "thresholds_db": numbers(staircase.param_domain["threshold"]),
        "slopes": numbers(staircase.param_domain["slope"]), "lapses": numbers(staircase.param_domain["lapse_rate"]),
        "shown_db": staircase.shown, "correct": staircase.correct,
        "expected_entropy_nats": staircase.best, "margin_nats": staircase.margins,
        "final_mode": mode, "final_entropy_nats": reached,
    }


def main() -> int:
    examples = [play(*example) for example in EXAMPLES]
    num_choices = sum(example["num_trials"] for example in examples)
    assert num_choices == 224, f"examples must have 224 choices (got {num_choices})."
    document = {
        "format": 1, "script": "tests/reference/questplus_traces.py", "date": datetime.date.today().isoformat(),
        "versions": {"questplus": questplus.__version__, "python": platform.python_version(), "numpy": np.__version__,
                     "xarray": xarray.__version__},
        "source": "Stimuli and responses: the test suite of questplus (hoechenberger/questplus, questplus/tests/test_qp.py), after "
                  "Watson 2017, Journal of Vision 17(3):10.",
        "what": "shown_db is questplus's choice; expected_entropy_nats that of the best stimulus; margin_nats by how much the second "
                "best is worse. Where margins are below rounding the shown stimulus need only be within 1e-9 nats of the best.",
        "examples": examples,
    }
    RESULT.write_text(one_key_a_line(document) + "\n")
    for example in examples:
        print(f"{example['name']}: {example['num_trials']} choices, mode {example['final_mode']}, "
              f"entropy {example['final_entropy_nats']:.6f} nats, smallest margin {min(example['margin_nats']):.1e} nats")
    return 0


if __name__ == "__main__":
    sys.exit(main())
