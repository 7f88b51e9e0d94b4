"""Rows of the network benchmarks: `hartline simulate` beside Brian's C++ standalone mode, whole processes on one thread.

A network's cost is the processor time of a run of 1.5 s less that of one of .5 s, so that building it does not count; the two programs
take turns. The answer is the mean rate, which is chaotic: it has to lie within a fifth of the peer's.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEER = ROOT / "build/venv-networks/bin/python"
NUM_ROUNDS = 3
SHORT_MS, LONG_MS = 500.0, 1500.0
# of the peer: times that ours has to be faster
BOUNDS = {"cobahh": 8.0, "cuba": 2.0}


def ours(engine: Path, network: str, seed: int, duration_ms: float) -> tuple[float, dict]:
    """Processor time of a whole run, s, and its summary."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [str(engine), "simulate", str(ROOT / f"bench/networks/{network}.toml"), "--out", folder, "--threads", "1",
                   "--seed", str(seed), "--set", f"duration_ms={duration_ms}", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, json.loads(done.stdout)


def peers(network: str, seed: int) -> dict:
    done = subprocess.run([str(PEER), str(ROOT / "bench/peers/brian_network.py"), network, str(seed), str(SHORT_MS), str(LONG_MS)],
                          capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(done.stdout.strip().splitlines()[-1])


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def rows(engine: Path, network: str) -> list[dict]:
    our_seconds, peer_seconds, our_rates, peer_rates = [], [], [], []
    version = ""
    for seed in range(1, NUM_ROUNDS + 1):
        long, summary = ours(engine, network, seed, LONG_MS)
        short, _ = ours(engine, network, seed, SHORT_MS)
        peer = peers(network, seed)
        our_seconds.append(long - short)
        peer_seconds.append(peer["seconds"][str(LONG_MS)] - peer["seconds"][str(SHORT_MS)])
        our_rates.append(summary["neurons"]["cells"]["mean_rate_hz"])
        peer_rates.append(peer["rate_hz"])
        version = peer["version"]
    value, other = median(our_seconds), median(peer_seconds)
    rate, peer_rate = sum(our_rates) / NUM_ROUNDS, sum(peer_rates) / NUM_ROUNDS
    right = abs(rate - peer_rate) <= 0.2 * peer_rate
    ratio = other / value
    aim = BOUNDS[network]
    row = {"name": network, "metric": "processor time a second of the network", "value": value, "unit": "s", "ok": True,
           "peer": f"Brian {version}, C++ standalone", "peer_value": other, "ratio": ratio, "bound": "", "aim": f"ratio >= {aim:g}",
           "aim_met": ratio >= aim, "answer_ok": right,
           "answer": f"mean rate {rate:.1f} Hz, the peer's {peer_rate:.1f} Hz, over {NUM_ROUNDS} seeds; "
                     f"{1e9 * value / 4000 / 1e4:.3g} ns a neuron and step, {summary['neurons']['cells']['method']}"}
    return [row]


def first_spike_rows(engine: Path) -> list[dict]:
    """From starting the program to its first 20 ms of spikes, on the wall."""
    times = []
    for _ in range(NUM_ROUNDS):
        begun = time.monotonic()
        _, summary = ours(engine, "cuba", 1, 20.0)
        times.append(time.monotonic() - begun)
    peer = peers("cuba", 1)
    spikes = summary["neurons"]["cells"]["spikes"]
    value = 1e3 * median(times)
    return [{"name": "first_spike", "metric": "from start to spikes", "value": value, "unit": "ms on the wall", "ok": True,
             "peer": f"Brian {peer['version']}, C++ standalone, compiling included", "peer_value": 1e3 * peer["wall_s"],
             "ratio": 1e3 * peer["wall_s"] / value, "bound": "", "aim": "<= 250 ms", "aim_met": value <= 250, "answer_ok": spikes > 0,
             "answer": f"{spikes} spikes of 4,000 cells in 20 ms; the peer runs 500 ms"}]
