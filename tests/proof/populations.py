#!/usr/bin/env python3
"""Networks of 4,000 cells over ten seeds, beside Brian's C++ standalone mode: rates, irregularity and correlations by Kolmogorov-Smirnov.

    build/venv-networks/bin/python tests/proof/populations.py ENGINE [SEEDS [SECONDS]]

Of each seed's network, after its first 200 ms: the mean rate, the mean coefficient of variation of intervals of cells with five spikes or
more, and the mean correlation of 2,000 pairs of cells over bins of 10 ms. Per network and measure the two samples of ten numbers
must be such as one law may give: two-sample statistic below its 0.5 % point. The distribution over all cells is compared too, and told.
So are the weights of a cell's plastic inputs after fifty times as long.
Needs NumPy and brian2. Exits with 1 where a sample differs. Prints a table.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench/peers"))
NUM_CELLS, SKIP_MS, BIN_MS, NUM_PAIRS = 4000, 200.0, 10.0, 2000
MOST_WEIGHT, PLASTIC_TIMES = 0.01, 50
MEASURES = ("rate, Hz", "CV of intervals", "correlation of pairs")


def statistic(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance of the two empirical distribution functions."""
    both = np.concatenate([a, b])
    return float(np.max(np.abs(np.searchsorted(np.sort(a), both, "right") / len(a) - np.searchsorted(np.sort(b), both, "right") / len(b))))


def critical(n: int, level: float) -> float:
    """The least value of the statistic of two samples of n that has a probability of at most `level`, by its exact law.

    P(D >= k/n) = 2 Σ_j (-1)^(j+1) C(2n, n + jk) / C(2n, n)    Reference: Gnedenko & Korolyuk 1951
    """
    for k in range(1, n + 1):
        p = 2 * sum((-1) ** (j + 1) * math.comb(2 * n, n + j * k) for j in range(1, n // k + 1)) / math.comb(2 * n, n)
        if p <= level:
            return k / n
    return 1.0


def measures(time_ms: np.ndarray, neuron: np.ndarray, duration_ms: float) -> list[np.ndarray]:
    """Of every cell its rate and CV; of pairs their correlation."""
    late = time_ms >= SKIP_MS
    time_ms, neuron = time_ms[late], neuron[late].astype(int)
    rates = np.bincount(neuron, minlength=NUM_CELLS) / (duration_ms - SKIP_MS) * 1e3
    order = np.lexsort((time_ms, neuron))
    bounds = np.searchsorted(neuron[order], np.arange(NUM_CELLS + 1))
    cvs = []
    for i in range(NUM_CELLS):
        intervals = np.diff(time_ms[order][bounds[i]:bounds[i + 1]])
        if len(intervals) >= 4:
            cvs.append(np.std(intervals) / np.mean(intervals))
    bins = int((duration_ms - SKIP_MS) / BIN_MS)
    counts = np.zeros((NUM_CELLS, bins))
    place = np.minimum(((time_ms - SKIP_MS) / BIN_MS).astype(int), bins - 1)
    np.add.at(counts, (neuron, place), 1)
    active = np.flatnonzero(counts.std(axis=1) > 0)
    pairs = np.random.default_rng(1).choice(active, (NUM_PAIRS, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    scaled = (counts - counts.mean(axis=1, keepdims=True)) / np.maximum(counts.std(axis=1, keepdims=True), 1e-12)
    return [rates, np.array(cvs), (scaled[pairs[:, 0]] * scaled[pairs[:, 1]]).mean(axis=1)]


def ours(engine: str, network: str, seed: int, duration_ms: float) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([engine, "simulate", str(ROOT / f"bench/networks/{network}.toml"), "--out", folder, "--seed", str(seed),
                        "--threads", "1", "--set", f"duration_ms={duration_ms}", "--set", 'record.spikes={ spikes = "cells" }', "--json"],
                       check=True, capture_output=True)
        rows = np.load(f"{folder}/spikes.npy")
    return measures(rows[:, 0], rows[:, 1], duration_ms)


def our_weights(engine: str, seed: int, duration_ms: float) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([engine, "simulate", str(ROOT / "bench/networks/stdp.toml"), "--out", folder, "--seed", str(seed), "--threads", "1",
                        "--set", f"duration_ms={duration_ms}", "--set", f'record.w={{ values = ["plastic.w"], every_ms = {duration_ms} }}',
                        "--json"], check=True, capture_output=True)
        return [np.load(f"{folder}/w.npy")[-1, 1:] / MOST_WEIGHT]


def peers(network: str, seeds: range, duration_ms: float) -> list[list[np.ndarray]]:
    """Built once; the seed is then given to the built program."""
    import brian2 as b2
    import brian_network

    with tempfile.TemporaryDirectory() as folder:
        b2.device.reinit()
        b2.device.activate(build_on_run=False)
        b2.set_device("cpp_standalone", build_on_run=False, directory=folder)
        b2.seed(brian_network.SEED)
        net, seen = brian_network.stdp() if network == "stdp" else brian_network.build(network, record=True)
        net.run(duration_ms * b2.ms)
        brian_network.compile_for_any_seed(folder)
        out = []
        for seed in seeds:
            brian_network.run_built(folder, NETWORK_SEED=str(seed))
            if network == "stdp":
                out.append([np.asarray(seen.w) / MOST_WEIGHT])
            else:
                out.append(measures(np.asarray(seen.t / b2.ms), np.asarray(seen.i), duration_ms))
    return out


def main() -> int:
    engine = sys.argv[1]
    num_seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    duration_ms = 1e3 * float(sys.argv[3]) if len(sys.argv) > 3 else 1000.0
    seeds = range(1, num_seeds + 1)
    bound = critical(num_seeds, 0.005)
    failed = 0
    print(f"\n{num_seeds} seeds each, {duration_ms - SKIP_MS:.0f} ms; of the means at most {bound - 1 / num_seeds:.1f} is allowed;"
          " that of all cells.\n\n| network | measure | here | Brian | of means | of cells |\n|---|---|---|---|---|---|")
    for network in ("cuba", "coba", "cobahh", "stdp"):
        long_ms = PLASTIC_TIMES * duration_ms if network == "stdp" else duration_ms
        mine = [our_weights(engine, seed, long_ms) if network == "stdp" else ours(engine, network, seed, long_ms) for seed in seeds]
        theirs = peers(network, seeds, long_ms)
        for k, name in enumerate(("weights, of the largest",) if network == "stdp" else MEASURES):
            a, b = np.array([one[k].mean() for one in mine]), np.array([one[k].mean() for one in theirs])
            d = statistic(a, b)
            cells = statistic(np.concatenate([one[k] for one in mine]), np.concatenate([one[k] for one in theirs]))
            failed += d >= bound
            print(f"| {network} | {name} | {a.mean():.4g} ± {a.std(ddof=1):.2g} | {b.mean():.4g} ± {b.std(ddof=1):.2g} | {d:.1f} |"
                  f" {cells:.3f} |", flush=True)
    print()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
