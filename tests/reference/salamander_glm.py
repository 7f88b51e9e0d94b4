#!/usr/bin/env python3
"""Reference: how well a Poisson GLM fitted to all pool trials predicts the held-out trials of the 20 salamander cells.

    HARTLINE_DATA=... build/venv-test/bin/python tests/reference/salamander_glm.py            writes salamander_glm.json
    HARTLINE_DATA=... build/venv-test/bin/python tests/reference/salamander_glm.py --check    compares with it

The stimuli come from tools/import_salamander. Model: count ~ Poisson(f(bias + w . x)) per frame, f = exp or softplus,
w ~ N(0, sd^2 I), bias ~ N(0, 10^2); maximum a posteriori by Newton's method. One sd serves all cells: the one with the best
mean log-likelihood of pool frames 20000..24999 after a fit to pool frames 0..19999. Bits per spike are the log-likelihood gain
over a constant rate, per held-out spike; the constant is the held-out mean, which favours the constant. NumPy only.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
IMPORT = HERE.parent.parent / "tools" / "import_salamander"
RESULT = HERE / "salamander_glm.json"
LINKS = ("exp", "softplus")
PRIOR_SDS = (0.05, 0.07, 0.1, 0.14, 0.2)
BIAS_SD = 10.0
FIT_END = 20000             # pool frames before it choose the weights, those after it the prior
LN_CORRELATION, LN_BITS = 0.349, 1.14   # rank-1 LN baseline that came with the data


@dataclass(frozen=True)
class Trials:
    """A recorded folder: stimuli [num_trials, dim], responses [num_trials], half-open ranges."""

    name: str
    stimuli: np.ndarray
    responses: np.ndarray
    pool: slice
    held_out: slice


def read_trials(folder: Path) -> Trials:
    table = tomllib.loads((folder / "trials.toml").read_text())
    stimuli = np.load(folder / "stimuli.npy").astype(np.float64)
    responses = np.load(folder / "responses.npy")
    assert stimuli.shape == (table["num_trials"], table["dim"]) and responses.shape == (table["num_trials"],)
    return Trials(table["name"], stimuli, responses, slice(*table["split"]["pool"]), slice(*table["split"]["held_out"]))


def rate(predictor: np.ndarray, link: str) -> np.ndarray:
    """Spikes per frame."""
    return np.exp(predictor) if link == "exp" else np.logaddexp(0.0, predictor)


def rate_slope(predictor: np.ndarray, link: str) -> np.ndarray:
    """Derivative of the rate."""
    return np.exp(predictor) if link == "exp" else 1 / (1 + np.exp(-predictor))


def log_likelihood(predictor: np.ndarray, counts: np.ndarray, link: str) -> float:
    """Poisson log-likelihood without its constant, in nats."""
    expected = rate(predictor, link)
    return float(counts @ np.log(expected) - expected.sum())


def with_bias(stimuli: np.ndarray) -> np.ndarray:
    return np.hstack([stimuli, np.ones((len(stimuli), 1))])


def fit(stimuli: np.ndarray, counts: np.ndarray, sd: float, link: str, start: np.ndarray | None = None) -> np.ndarray:
    """Most probable weights, bias last [dim + 1]; Newton's method with the expected curvature, steps halved while they fail."""
    inputs = with_bias(stimuli)
    precision = np.full(inputs.shape[1], sd**-2)
    precision[-1] = BIAS_SD**-2
    weights = np.append(np.zeros(stimuli.shape[1]), np.log(counts.mean())) if start is None else start

    def log_posterior(candidate: np.ndarray) -> float:
        return log_likelihood(inputs @ candidate, counts, link) - 0.5 * float(precision @ candidate**2)

    value = log_posterior(weights)
    for _ in range(100):
        predictor = inputs @ weights
        expected, slope = rate(predictor, link), rate_slope(predictor, link)
        gradient = inputs.T @ ((counts / expected - 1) * slope) - precision * weights
        curvature = inputs.T @ (inputs * (slope**2 / expected)[:, None]) + np.diag(precision)
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < 1e-10:
            return weights
        length = 1.0
        while (moved := log_posterior(weights + length * step)) < value and length > 1e-9:
            length /= 2
        if length <= 1e-9:
            return weights
        weights, value = weights + length * step, moved
    raise RuntimeError(f"fit: must converge in 100 steps (sd {sd}, link {link}).")


def validation_gain(trials: Trials, link: str) -> list[float]:
    """For each prior sd: gain over a constant rate on the last part of the pool, in bits per spike."""
    stimuli, counts = trials.stimuli[trials.pool], trials.responses[trials.pool]
    tested = counts[FIT_END:]
    constant = log_likelihood(np.log(np.full(len(tested), tested.mean())), tested, "exp")
    gains, weights = [], None
    for sd in PRIOR_SDS:
        weights = fit(stimuli[:FIT_END], counts[:FIT_END], sd, link, weights)
        reached = log_likelihood(with_bias(stimuli[FIT_END:]) @ weights, tested, link)
        gains.append((reached - constant) / tested.sum() / np.log(2))
    return gains


def held_out_scores(trials: Trials, sd: float, link: str) -> dict[str, float]:
    """Fits to the whole pool and scores the held-out trials."""
    weights = fit(trials.stimuli[trials.pool], trials.responses[trials.pool], sd, link)
    predictor = with_bias(trials.stimuli[trials.held_out]) @ weights
    counts = trials.responses[trials.held_out]
    constant = log_likelihood(np.log(np.full(len(counts), counts.mean())), counts, "exp")
    return {"correlation": float(np.corrcoef(rate(predictor, link), counts)[0, 1]),
            "bits_per_spike": (log_likelihood(predictor, counts, link) - constant) / counts.sum() / np.log(2),
            "bias": float(weights[-1]), "weight_norm": float(np.linalg.norm(weights[:-1]))}


def import_cells(temporal: str, folder: Path) -> list[Path]:
    subprocess.run([sys.executable, IMPORT, "--all", "--temporal", temporal, "--out", folder], check=True)
    return sorted(folder.glob("cell_*"))


def mean_of(cells: list[dict], link: str, number: str) -> float:
    return float(np.mean([cell[link][number] for cell in cells]))


def evaluate(temporal: str, sds: dict[str, float] | None) -> dict:
    """Scores of all cells; without given prior sds they are chosen on the pool."""
    with tempfile.TemporaryDirectory() as folder:
        paths = import_cells(temporal, Path(folder))
        chosen = {}
        if sds is None:
            gains = {link: np.mean([validation_gain(read_trials(path), link) for path in paths], axis=0) for link in LINKS}
            sds = {link: PRIOR_SDS[int(np.argmax(gains[link]))] for link in LINKS}
            chosen = {"validation_bits_per_spike": {link: dict(zip(map(str, PRIOR_SDS), gains[link].tolist())) for link in LINKS}}
        cells = []
        for path in paths:
            trials = read_trials(path)
            counts = {"num_spikes_pool": int(trials.responses[trials.pool].sum()),
                      "num_spikes_held_out": int(trials.responses[trials.held_out].sum())}
            cells.append({"cell": int(path.name.removeprefix("cell_"))} | counts
                         | {link: held_out_scores(trials, sds[link], link) for link in LINKS})
    means = {link: {number: mean_of(cells, link, number) for number in ("correlation", "bits_per_spike")} for link in LINKS}
    return {"prior_sd": sds} | chosen | {"mean": means, "cells": cells}


def print_table(title: str, result: dict) -> None:
    print(f"{title}; prior sd {result['prior_sd']}")
    print("cell  spikes  correlation exp  softplus   bits/spike exp  softplus")
    for cell in result["cells"]:
        exp, softplus = cell["exp"], cell["softplus"]
        print(f"{cell['cell']:4d}  {cell['num_spikes_pool']:6d}  {exp['correlation']:15.3f}  {softplus['correlation']:8.3f}"
              f"  {exp['bits_per_spike']:15.3f}  {softplus['bits_per_spike']:8.3f}")
    exp, softplus = result["mean"]["exp"], result["mean"]["softplus"]
    print(f"mean          {exp['correlation']:15.3f}  {softplus['correlation']:8.3f}"
          f"  {exp['bits_per_spike']:15.3f}  {softplus['bits_per_spike']:8.3f}\n")


def differences(found: object, wanted: object, path: str = "") -> list[str]:
    """Where two documents differ by more than 1e-6 in a number or at all in anything else."""
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        return [line for key in wanted for line in differences(found[key], wanted[key], f"{path}.{key}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [line for idx, pair in enumerate(zip(found, wanted)) for line in differences(*pair, f"{path}[{idx}]")]
    if isinstance(wanted, float) and isinstance(found, float) and abs(found - wanted) < 1e-6:
        return []
    return [] if found == wanted else [f"{path}: must be {wanted} (got {found})."]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with salamander_glm.json instead of writing it")
    arguments = parser.parse_args()
    others = evaluate("others", None)
    print_table("temporal function of the other cells", others)
    own = evaluate("own", others["prior_sd"])
    print_table("temporal function of the cell itself", own)
    results = {"temporal_others": others, "temporal_own": own}
    if arguments.check:
        wanted = json.loads(RESULT.read_text())
        lines = differences(results, {key: wanted[key] for key in results})
        print("\n".join(lines) or "agrees with salamander_glm.json")
        return 1 if lines else 0
    document = {"format": 1, "script": "tests/reference/salamander_glm.py", "date": datetime.date.today().isoformat(),
                "versions": {"python": platform.python_version(), "numpy": np.__version__},
                "what": "Poisson GLM, maximum a posteriori on the pool, scored on the held-out trials; " + __doc__.split("\n\n")[2],
                "ln_baseline_mean": {"correlation": LN_CORRELATION, "bits_per_spike": LN_BITS}}
    RESULT.write_text(json.dumps(document | results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
