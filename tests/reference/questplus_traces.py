#!/usr/bin/env python3
"""Reference: Watson's worked examples as questplus plays them.

    build/venv-peers/bin/python tests/reference/questplus_traces.py     writes questplus_traces.json

Runs six examples of the package's own test suite while noting what they put in and what comes out: 406 choices, each with
the expected entropy of the best stimulus's posterior, and the final posterior's mode and entropy. Entropies are in nats.

Three (224 choices) have a Weibull function and are stored with its grids:

    P(correct | x, t, b, d) = 1 - d - (1 - g - d) exp(-10^(b (x - t) / 20)),    x and t in dB, g = 0.5

and three other models (182 choices), stored with every grid under the package's name for it:

    mean, sd and lapse      P(correct | x, m, s, d) = d + (1 - 2 d) Φ((x - m) / s)
    contrast sensitivity    the Weibull function with t = max(min_thresh, c0 + cf f), b = 3, d = 0.01; f: spatial frequency
    Thurstone scaling       P(first | x1, x2, t, q, m) = Φ((S(x1) - S(x2)) / √2),   S(x) = m (max(0, x - t) / (1 - t))^q

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
WEIBULL_EXAMPLES = [
    ("threshold", "test_threshold", {"threshold": -20}, 1.683501),
    ("threshold and slope", "test_threshold_slope", {"threshold": -20, "slope": 3}, 2.691951),
    ("threshold, slope and lapse", "test_threshold_slope_lapse", {"threshold": -20, "slope": 5, "lapse_rate": 0.04}, 3.288745),
]
# name, the function of the package's test suite, the response that counts as 1, and the mode that the suite asserts, if it does
OTHER_EXAMPLES = [
    ("mean, sd and lapse", "test_mean_sd_lapse", "Correct", {"mean": 0, "sd": 4, "lapse_rate": 0.01}),
    ("contrast sensitivity", "test_spatial_contrast_sensitivity", "Correct", {"min_thresh": -32, "c0": -56, "cf": 1.4}),
    ("Thurstone scaling", "test_thurstone_scaling", "First", {}),
]


class Record:
    """What a staircase is told, kept beside it."""

    last: Record

    def __init__(self, **keywords: object) -> None:
        super().__init__(**keywords)
        self.shown: list[list[float]] = []
        self.answers: list[str] = []
        self.margins: list[float] = []
        self.best: list[float] = []
        Record.last = self

    def update(self, *, stim: dict, **answer: object) -> None:
        entropies = self.expected_entropies()
        self.shown.append([float(stim[name]) for name in self.stimulus_names()])
        self.answers.append(answer["response"] if "response" in answer else answer["outcome"]["response"])
        self.best.append(float(np.min(entropies)))
        self.margins.append(float(np.diff(np.sort(entropies)[:2])[0]))
        super().update(stim=stim, **answer)

    def stimulus_names(self) -> list[str]:
        return [name for name in self.likelihoods.dims if name != "response" and name not in self.param_domain]

    def expected_entropies(self) -> np.ndarray:
        """Of the posterior after each stimulus [num_stimuli], computed here from the package's tables."""
        joint = (self.posterior * self.likelihoods).transpose("response", *self.stimulus_names(), ...).values
        joint = joint.reshape(joint.shape[0], int(np.prod([len(self.likelihoods[name]) for name in self.stimulus_names()])), -1)
        outcome = joint.sum(axis=2, keepdims=True)
        return -np.sum(joint * np.log(np.where(joint > 0, joint / outcome, 1)), axis=(0, 2))


class Recorded(Record, questplus.QuestPlus):
    """The staircase of most examples."""


class RecordedThurstone(Record, questplus.QuestPlusThurstone):
    """The staircase of the example that compares two stimuli."""


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


def play(test: str) -> Record:
    """Runs one example, which itself asserts every choice."""
    sys.modules.setdefault("pytest", types.ModuleType("pytest"))  # the suite imports it and these examples do not use it
    suite = importlib.import_module("questplus.tests.test_qp")
    suite.QuestPlus, suite.QuestPlusThurstone = Recorded, RecordedThurstone
    getattr(suite, test)()
    return Record.last


def mode_of(staircase: Record) -> tuple[dict[str, float], float]:
    """The most probable parameters and by how much they are more probable than the next."""
    order = np.argsort(staircase.posterior.values, axis=None)
    at = np.unravel_index(order[-1], staircase.posterior.shape)
    flat = staircase.posterior.values.reshape(-1)
    mode = {str(name): float(staircase.posterior[name].values[k]) for name, k in zip(staircase.posterior.dims, at)}
    return mode, float(flat[order[-1]] - flat[order[-2]])


def check_mode(name: str, found: dict[str, float], wanted: dict[str, float]) -> None:
    assert all(abs(found[key] - wanted[key]) < 1e-12 for key in wanted), f"{name}: mode must be {wanted} (got {found})."


def weibull_example(name: str, test: str, mode: dict[str, float], final_entropy: float) -> dict:
    """One of the first three, whose mode and entropy are known."""
    staircase = play(test)
    check_mode(name, {key: staircase.param_estimate[key] for key in mode}, mode)
    reached = entropy(staircase.posterior.values)
    assert abs(reached - final_entropy) < 5e-7, f"{name}: entropy must be {final_entropy} (got {reached})."
    return {
        "name": name, "num_trials": len(staircase.shown), "guess": float(staircase.param_domain["lower_asymptote"][0]),
        "stimuli_db": numbers(staircase.stim_domain["intensity"]), "thresholds_db": numbers(staircase.param_domain["threshold"]),
        "slopes": numbers(staircase.param_domain["slope"]), "lapses": numbers(staircase.param_domain["lapse_rate"]),
        "shown_db": [int(shown[0]) for shown in staircase.shown],
        "correct": [int(response == "Correct") for response in staircase.answers],
        "expected_entropy_nats": staircase.best, "margin_nats": staircase.margins,
        "final_mode": mode, "final_entropy_nats": reached,
    }


def other_example(name: str, test: str, one: str, mode: dict[str, float]) -> dict:
    """One of the other models, whose stimulus may have several variables."""
    staircase = play(test)
    found, lead = mode_of(staircase)
    check_mode(name, found, mode)
    assert lead > 1e-6, f"{name}: mode must be unique (led by {lead})."
    return {
        "name": name, "num_trials": len(staircase.shown),
        "stimulus": {key: numbers(staircase.likelihoods[key].values) for key in staircase.stimulus_names()},
        "parameters": {str(key): numbers(staircase.posterior[key].values) for key in staircase.posterior.dims},
        "shown": staircase.shown, "one_means": one, "responses": [int(response == one) for response in staircase.answers],
        "expected_entropy_nats": staircase.best, "margin_nats": staircase.margins,
        "final_mode": found, "final_entropy_nats": entropy(staircase.posterior.values),
    }


def main() -> int:
    examples = [weibull_example(*example) for example in WEIBULL_EXAMPLES]
    others = [other_example(*example) for example in OTHER_EXAMPLES]
    for name, some, wanted in (("Weibull examples", examples, 224), ("other examples", others, 182)):
        num_choices = sum(example["num_trials"] for example in some)
        assert num_choices == wanted, f"{name} must have {wanted} choices (got {num_choices})."
    document = {
        "format": 1, "script": "tests/reference/questplus_traces.py", "date": datetime.date.today().isoformat(),
        "versions": {"questplus": questplus.__version__, "python": platform.python_version(), "numpy": np.__version__,
                     "xarray": xarray.__version__},
        "source": "Stimuli and responses: the test suite of questplus (hoechenberger/questplus, questplus/tests/test_qp.py), after "
                  "Watson 2017, Journal of Vision 17(3):10.",
        "what": "shown_db and shown are questplus's choices; expected_entropy_nats that of the best stimulus; margin_nats by how much "
                "the second best is worse. Where margins are below rounding the shown stimulus need only be within 1e-9 nats of the best. "
                "In other_examples responses are 1 where the response is that of one_means.",
        "examples": examples, "other_examples": others,
    }
    RESULT.write_text(one_key_a_line(document) + "\n")
    for example in examples + others:
        print(f"{example['name']}: {example['num_trials']} choices, mode {example['final_mode']}, "
              f"entropy {example['final_entropy_nats']:.6f} nats, smallest margin {min(example['margin_nats']):.1e} nats")
    return 0


if __name__ == "__main__":
    sys.exit(main())
