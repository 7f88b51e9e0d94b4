#!/usr/bin/env python3
"""Reference: mutual information and posterior of a Poisson tuning curve on a parameter grid, by brute force.

    build/venv-test/bin/python tests/reference/poisson_grid.py     writes poisson_grid.json

    r ~ Poisson(f(x)),  f(x) = A exp(-(x - mu)^2 / (2 sigma^2)) + b

on 684 nodes (mu slowest, then sigma, A, b), uniform prior, 41 stimuli, counts 0..200. Before any trial and after three of them.
The posterior mean is in the order mu, sigma, A, b. Entropies and information in nats.
"""

from __future__ import annotations

import datetime
import json
import math
import platform
import sys
from pathlib import Path

import numpy as np

RESULT = Path(__file__).with_name("poisson_grid.json")
STIMULI = np.arange(-10, 10.25, 0.5)
GRIDS = {"mu": np.arange(-9, 10.0), "sigma": np.array([0.5, 1, 2, 4]), "A": np.array([10.0, 25, 50]), "b": np.array([1.0, 2, 5])}
MAX_COUNT = 200
TRIALS = [(-5.0, 1), (0.0, 2), (3.0, 40)]

# Found before by another program, to the digits given; the best stimulus first (before any trial -0.5 and 0.5 tie by symmetry).
KNOWN_PRIOR = {0.5: 1.05707703, 0.0: 1.05510225, -10.0: 0.75210215, 5.0: 1.03152838}
KNOWN_POSTERIOR = {5.0: 1.24223953, 0.0: 0.26722369, -10.0: 0.11682664}
KNOWN_MEAN = (3.71737232, 1.12726690, 47.82311305, 1.53844948)
KNOWN_ENTROPY = 2.49792555


def nodes() -> np.ndarray:
    """Parameters of every node [num_nodes, 4]."""
    return np.stack(np.meshgrid(*GRIDS.values(), indexing="ij"), axis=-1).reshape(-1, 4)


def rates(stimuli: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Expected counts [num_stimuli, num_nodes]."""
    mu, sigma, amplitude, base = parameters.T
    return amplitude * np.exp(-((stimuli[:, None] - mu) ** 2) / (2 * sigma**2)) + base


def outcome_table(expected: np.ndarray) -> np.ndarray:
    """P(count | stimulus, node) [num_stimuli, num_nodes, MAX_COUNT + 1]."""
    counts = np.arange(MAX_COUNT + 1)
    log_factorials = np.array([math.lgamma(count + 1) for count in counts])
    return np.exp(counts * np.log(expected[..., None]) - expected[..., None] - log_factorials)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Over the last axis; 0 log 0 = 0."""
    return -np.sum(probabilities * np.log(np.where(probabilities > 0, probabilities, 1)), axis=-1)


def information(table: np.ndarray, belief: np.ndarray) -> np.ndarray:
    """Entropy of the predicted count less its expected entropy given the node [num_stimuli]."""
    return entropy(np.einsum("xnr,n->xr", table, belief)) - entropy(table) @ belief


def compare(name: str, found: float, wanted: float) -> None:
    assert abs(found - wanted) < 6e-9, f"{name}: must be {wanted} (got {found:.10f})."


def main() -> int:
    parameters = nodes()
    expected = rates(STIMULI, parameters)
    table = outcome_table(expected)
    belief = np.full(len(parameters), 1 / len(parameters))
    prior_information = information(table, belief)
    for x, count in TRIALS:
        belief = belief * table[int(np.argmin(np.abs(STIMULI - x))), :, count]
        belief /= belief.sum()
    posterior_information = information(table, belief)
    mean = belief @ parameters

    for known, curve, name in ((KNOWN_PRIOR, prior_information, "prior"), (KNOWN_POSTERIOR, posterior_information, "posterior")):
        for x, wanted in known.items():
            compare(f"{name} information at {x}", float(curve[np.argmin(np.abs(STIMULI - x))]), wanted)
        compare(f"{name} information of the best stimulus", float(np.max(curve)), next(iter(known.values())))
    for name, found, wanted in zip(GRIDS, mean, KNOWN_MEAN):
        compare(f"posterior mean of {name}", float(found), wanted)
    compare("posterior entropy", float(entropy(belief)), KNOWN_ENTROPY)

    document = {
        "format": 1, "script": "tests/reference/poisson_grid.py", "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "largest_lost_tail": float(np.max(np.abs(1 - table.sum(axis=-1)))),
        "stimuli": STIMULI.tolist(), "grids": {name: grid.tolist() for name, grid in GRIDS.items()}, "max_count": MAX_COUNT,
        "trials": [{"x": x, "count": count} for x, count in TRIALS],
        "prior_information_nats": prior_information.tolist(), "posterior_information_nats": posterior_information.tolist(),
        "posterior_mean": mean.tolist(), "posterior_entropy_nats": float(entropy(belief)), "posterior": belief.tolist(),
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    print(f"best stimulus {STIMULI[np.argmax(prior_information)]} with {prior_information.max():.8f} nats; after the trials "
          f"{STIMULI[np.argmax(posterior_information)]} with {posterior_information.max():.8f}; "
          f"lost tail {document['largest_lost_tail']:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
