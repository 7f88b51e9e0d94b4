#!/usr/bin/env python3
"""Times adopy and questplus on the grid benchmark, on one thread, and prints what they chose and computed as JSON.

    build/venv-peers/bin/python bench/peers/grid_peers.py [--peer questplus|adopy] [--num-trials 40]

The table is the same for every engine: 120 designs x 40,000 parameter nodes x 2 outcomes, uniform prior, no randomness but the
uniform numbers in `uniforms`.

    P(correct | x, t, b) = 1 - d - (1 - g - d) exp(-10^(b (x - t) / 20)),    g = 0.5, d = 0.02
    x = -40 .. 0 dB in 120 steps (design_idx 0..119), t = -40 .. 0 dB in 200, b = 1 .. 6 in 200, each evenly spaced, ends included

Trial n shows design shown_idx[n], the one with the largest utility on the history so far by a direct computation in double
precision, and the response is correct when uniforms[n] < P(correct | x, t = -20, b = 3.5). Each peer is asked for its own choice
at every trial, then told the shown design and the response. The time of a trial is the thread's processor time of choosing and
updating, without making the table. Utility is the mutual information between parameters and response, in nats; it must agree with
the direct one within 1e-10 for questplus and 2e-4 for adopy, whose sums of 40,000 terms are in single precision. Exits with 1 if it
does not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import adopy  # noqa: E402
import numpy as np  # noqa: E402
import questplus  # noqa: E402
import xarray  # noqa: E402

SEED = 20170101
GUESS, LAPSE = 0.5, 0.02
TRUE_THRESHOLD, TRUE_SLOPE = -20.0, 3.5
GRIDS = {"design": (-40.0, 0.0, 120), "threshold": (-40.0, 0.0, 200), "slope": (1.0, 6.0, 200)}
DESIGNS, THRESHOLDS, SLOPES = (np.linspace(*GRIDS[name]) for name in ("design", "threshold", "slope"))


def probability_correct(x: np.ndarray, threshold: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Weibull psychometric function of a stimulus in dB."""
    return 1 - LAPSE - (1 - GUESS - LAPSE) * np.exp(-10 ** (slope * (x - threshold) / 20))


class Direct:
    """The same computed plainly in double precision: the yardstick, not a competitor."""

    def __init__(self) -> None:
        self.correct = probability_correct(DESIGNS[:, None, None], THRESHOLDS[:, None], SLOPES).reshape(len(DESIGNS), -1)
        self.conditional_entropy = binary_entropy(self.correct)
        self.belief = np.full(self.correct.shape[1], 1 / self.correct.shape[1])

    def utility(self) -> np.ndarray:
        return binary_entropy(self.correct @ self.belief) - self.conditional_entropy @ self.belief

    def update(self, design_idx: int, correct: bool) -> None:
        likelihood = self.correct[design_idx]
        self.belief = self.belief * (likelihood if correct else 1 - likelihood)
        self.belief /= self.belief.sum()


def binary_entropy(p: np.ndarray) -> np.ndarray:
    """In nats; no probability here is 0 or 1."""
    return -(p * np.log(p) + (1 - p) * np.log1p(-p))


class QuestPlusPeer:
    """questplus, which minimises the expected entropy of the posterior."""

    name = "questplus"
    version = questplus.__version__
    tolerance = 1e-10

    def __init__(self) -> None:
        self.engine = questplus.QuestPlus(
            stim_domain={"intensity": DESIGNS},
            param_domain={"threshold": THRESHOLDS, "slope": SLOPES, "lower_asymptote": GUESS, "lapse_rate": LAPSE},
            outcome_domain={"response": ["correct", "wrong"]}, func="weibull", stim_scale="dB")

    def choose(self) -> int:
        return int(np.searchsorted(DESIGNS, self.engine.next_stim["intensity"] - 1e-9))

    def update(self, design_idx: int, correct: bool) -> None:
        self.engine.update(stim={"intensity": DESIGNS[design_idx]}, outcome={"response": "correct" if correct else "wrong"})

    def utility(self) -> np.ndarray:
        """The whole curve, which the package computes and keeps to itself: read where it looks for the least entropy."""
        seen: list[np.ndarray] = []
        with entropies_seen_by_argmin(seen):
            self.choose()
        posterior = self.engine.posterior.values
        entropy = -np.sum(posterior * np.log(np.where(posterior > 0, posterior, 1)))
        return entropy - seen[0].reshape(-1)


@contextmanager
def entropies_seen_by_argmin(seen: list[np.ndarray]) -> Iterator[None]:
    """Keeps a copy of every array whose smallest element is looked for."""
    original = xarray.DataArray.argmin

    def argmin(array: xarray.DataArray, *arguments: object, **keywords: object) -> object:
        seen.append(np.array(array.values))
        return original(array, *arguments, **keywords)

    xarray.DataArray.argmin = argmin
    try:
        yield
    finally:
        xarray.DataArray.argmin = original


class AdopyPeer:
    """adopy with its defaults: float32, likelihoods mixed with 1e-7 of noise."""

    name = "adopy"
    version = adopy.__version__
    tolerance = 2e-4

    def __init__(self) -> None:
        task = adopy.Task(name="detection", designs=["x"], responses=["correct"])
        model = adopy.Model(name="Weibull", task=task, params=["threshold", "slope"], func=self.log_likelihood)
        self.engine = adopy.Engine(task, model, grid_design={"x": DESIGNS}, grid_param={"threshold": THRESHOLDS, "slope": SLOPES},
                                   grid_response={"correct": np.array([1.0, 0.0])})

    @staticmethod
    def log_likelihood(correct: np.ndarray, x: np.ndarray, threshold: np.ndarray, slope: np.ndarray) -> np.ndarray:
        p = probability_correct(x, threshold, slope)
        return np.log(np.where(correct == 1, p, 1 - p))

    def choose(self) -> int:
        return int(np.argmin(np.abs(DESIGNS - self.engine.get_design()["x"])))

    def update(self, design_idx: int, correct: bool) -> None:
        self.engine.update({"x": DESIGNS[design_idx]}, {"correct": float(correct)})

    def utility(self) -> np.ndarray:
        return np.array(self.engine.mutual_info, dtype=np.float64)


def play_directly(uniforms: np.ndarray) -> dict:
    """The history that every peer is told, and the utility before its first and after its last trial."""
    direct = Direct()
    first, shown, correct = direct.utility(), [], []
    for uniform in uniforms:
        shown.append(int(np.argmax(direct.utility())))
        correct.append(int(uniform < probability_correct(DESIGNS[shown[-1]], TRUE_THRESHOLD, TRUE_SLOPE)))
        direct.update(shown[-1], bool(correct[-1]))
    return {"shown_idx": shown, "correct": correct, "utility_first_trial": first.tolist(),
            "utility_after_last_trial": direct.utility().tolist()}


def run(peer_type: type, history: dict) -> dict:
    """Times a peer on the given history and compares its utilities with the direct ones."""
    begin = time.perf_counter()
    peer = peer_type()
    setup_ms = (time.perf_counter() - begin) * 1e3
    first, choices, times_ms = peer.utility(), [], []
    for design_idx, correct in zip(history["shown_idx"], history["correct"]):
        begin = time.thread_time()
        choices.append(peer.choose())
        peer.update(design_idx, bool(correct))
        times_ms.append((time.thread_time() - begin) * 1e3)
    last = peer.utility()
    error = max(float(np.max(np.abs(first - history["utility_first_trial"]))),
                float(np.max(np.abs(last - history["utility_after_last_trial"]))))
    return {"peer": peer.name, "version": peer.version, "median_ms": float(np.median(times_ms)),
            "p99_ms": float(np.percentile(times_ms, 99)), "setup_ms": setup_ms, "utility_error": error,
            "utility_tolerance": peer.tolerance, "agrees": error <= peer.tolerance, "choices": choices,
            "utility_first_trial": first.tolist(), "utility_after_last_trial": last.tolist()}


def processor() -> str:
    """The processor's name, where the system tells."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=("questplus", "adopy"), help="report one of them only")
    parser.add_argument("--num-trials", type=int, default=40)
    arguments = parser.parse_args()
    if arguments.num_trials < 30:
        parser.error(f"--num-trials: must be >= 30 (got {arguments.num_trials}). Percentiles of fewer mean little.")
    uniforms = np.random.default_rng(SEED).random(arguments.num_trials)
    history = play_directly(uniforms)
    peers = [run(peer, history) for peer in (QuestPlusPeer, AdopyPeer) if arguments.peer in (None, peer.name)]
    document = {
        "format": 1, "script": "bench/peers/grid_peers.py", "machine": processor(), "num_threads": 1,
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "xarray": xarray.__version__},
        "grids": {name: {"first": first, "last": last, "num": num} for name, (first, last, num) in GRIDS.items()},
        "guess": GUESS, "lapse": LAPSE, "true_threshold": TRUE_THRESHOLD, "true_slope": TRUE_SLOPE, "outcomes": ["correct", "wrong"],
        "num_trials": arguments.num_trials, "uniforms": uniforms.tolist(), "direct": history, "peers": peers,
    }
    json.dump(document, sys.stdout, indent=1)
    print()
    return 0 if all(peer["agrees"] for peer in peers) else 1


if __name__ == "__main__":
    sys.exit(main())
