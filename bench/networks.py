"""Rows of the network benchmarks: `hartline simulate` beside Brian, standalone and by Cython, and NEST, whole programs in turns.

A network's cost is the time of a long run less that of a short one, so that building it does not count: processor time on one thread, time
on the wall on two. The answer is the mean rate, which is chaotic: it has to lie within a fifth of the peer's.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "build/venv-networks/bin/python"
OURS = ROOT / "build/venv-cloud/bin/python"  # has NumPy, which the package needs
NETWORKS = {"cobahh": (500.0, 1500.0), "cuba": (500.0, 3500.0)}  # short and long run, ms
NUM_ROUNDS = 3
FIRST_MS = 20.0
LEAST_SHARE = 0.9  # of two cores that a peer must have had for a ratio
NUM_CELLS, NUM_STEPS = 4000, 10000  # of a second
# the squid's membrane
DT_MS, NUM_CELL_STEPS, NUM_CELL_ROUNDS = 0.025, 3800, 9
# spikes of NEURON's CVODE at a tolerance of 1e-10, ms
CONVERGED_MS = (1.89798, 16.80621, 31.44140, 46.06446, 60.68663, 75.30873, 89.93083)


class Process:
    """A program that answers each line with one of JSON. `hello` is what it says first."""

    def __init__(self, *command: object, threads: int = 1, **settings: str) -> None:
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OMP_NUM_THREADS": str(threads), **settings})
        self.hello = self._read()

    def ask(self, *words: object) -> dict:
        assert self.process.stdin
        print(*words, file=self.process.stdin, flush=True)
        return self._read()

    def _read(self) -> dict:
        assert self.process.stdout
        for line in self.process.stdout:  # NEST greets on the same stream
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}")

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Peer:
    label: str
    words: tuple[str, ...]  # of its program in bench/peers
    threads: int = 1
    aims: dict[str, float] = field(default_factory=dict)  # network: times that ours has to be faster
    rounds: dict[str, int] = field(default_factory=dict)  # network: fewer than NUM_ROUNDS

    def start(self, network: str, *more: str) -> Process:
        script, *modes = self.words
        return Process(PEERS, ROOT / "bench/peers" / script, network, *modes, self.threads, *more, threads=self.threads)


STANDALONE, CYTHON = ("brian_network.py", "standalone"), ("brian_network.py", "cython")
NEST = ("nest_network.py",)
PEER_PROGRAMS = (Peer("Brian {version} standalone", STANDALONE, aims={"cobahh": 8.0, "cuba": 2.0}),
                 Peer("Brian {version} Cython", CYTHON),
                 Peer("NEST {version}, {model}", NEST, aims={"cuba": 1.0}, rounds={"cobahh": 1}),
                 Peer("Brian {version} standalone, OpenMP", STANDALONE, threads=2),
                 Peer("NEST {version}, {model}", NEST, threads=2, rounds={"cobahh": 1}))


def ours(engine: Path, network: str, seed: int, duration_ms: float, threads: int = 1) -> dict:
    """A whole run: its processor time and time on the wall, s, and what it says."""
    with tempfile.TemporaryDirectory() as folder:
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command = [str(engine), "simulate", str(ROOT / f"bench/networks/{network}.toml"), "--out", folder, "--threads", str(threads),
                   "--seed", str(seed), "--set", f"duration_ms={duration_ms}", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wall_s, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cells = json.loads(done.stdout)["neurons"]["cells"]
    return {"seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "wall_s": wall_s, "cells": cells,
            "rate_hz": cells["mean_rate_hz"]}


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def aims(bound: float | None, ratio: float) -> dict:
    return {"aim": f"ratio >= {bound:g}" if bound else "", "aim_met": ratio >= bound if bound else True}


@dataclass
class Second:
    seconds: float  # that a second of the network takes
    rate_hz: float  # over the long run
    share: float    # of the threads' time that the program had


def second_of(run: Callable[[float], dict], network: str, threads: int) -> Second:
    key = "seconds" if threads == 1 else "wall_s"
    short_ms, long_ms = NETWORKS[network]
    long, short = run(long_ms), run(short_ms)
    return Second((long[key] - short[key]) / ((long_ms - short_ms) * 1e-3), long["rate_hz"], long["seconds"] / threads / long["wall_s"])


def rows(engine: Path, network: str, instruction_set: str) -> list[dict]:
    mine: list[list[Second]] = [[] for _ in PEER_PROGRAMS]
    theirs: list[list[Second]] = [[] for _ in PEER_PROGRAMS]
    with ExitStack() as stack:
        processes = [stack.enter_context(peer.start(network)) for peer in PEER_PROGRAMS]
        labels = [peer.label.format(**process.hello) for peer, process in zip(PEER_PROGRAMS, processes)]
        for process in processes:  # what is compiled at the first run
            process.ask(1, FIRST_MS)
        for seed in range(1, NUM_ROUNDS + 1):
            for k, (peer, process) in enumerate(zip(PEER_PROGRAMS, processes)):
                if seed > peer.rounds.get(network, NUM_ROUNDS):
                    continue
                theirs[k].append(second_of(lambda duration: process.ask(seed, duration), network, peer.threads))
                mine[k].append(second_of(lambda duration: ours(engine, network, seed, duration, peer.threads), network,
                                         peer.threads))
    method = ours(engine, network, 1, FIRST_MS)["cells"]["method"]
    out = []
    for peer, label, our_times, times in zip(PEER_PROGRAMS, labels, mine, theirs):
        value, other = (median([run.seconds for run in runs]) for runs in (our_times, times))
        rate, peer_rate = (sum(run.rate_hz for run in runs) / len(runs) for runs in (our_times, times))
        ratio, share = other / value, median([run.share for run in times])
        # threads that wait for each other by spinning lose far more than what others take
        disturbed = peer.threads > 1 and share < LEAST_SHARE
        what, count = ("processor time", "one thread") if peer.threads == 1 else ("time on the wall", "two threads")
        out.append({"name": network, "metric": f"{what} of a second, {count}", "value": value, "unit": "s", "ok": True,
                    "peer": label, "peer_value": other, "ratio": None if disturbed else ratio, "bound": "",
                    **aims(peer.aims.get(network), ratio),
                    "answer_ok": abs(rate - peer_rate) <= 0.2 * peer_rate,
                    "answer": f"mean rate {rate:.1f} Hz, the peer's {peer_rate:.1f} Hz over {len(times)} seed{'s' * (len(times) > 1)}; "
                              f"{1e9 * value / NUM_CELLS / NUM_STEPS:.3g} ns a neuron and step, {method}, {instruction_set}"
                              + (f"; no ratio: the peer had {100 * share:.0f} % of two cores, other programs the rest" * disturbed)})
    return out


def first_spike_rows(engine: Path, instruction_set: str) -> list[dict]:
    """From starting the program to its first 20 ms of CUBA's spikes, on the wall. Nothing that a peer compiled before is left to it."""
    mine = [ours(engine, "cuba", seed, FIRST_MS) for seed in range(1, NUM_ROUNDS + 1)]
    value, rate = 1e3 * median([run["wall_s"] for run in mine]), mine[0]["rate_hz"]
    out = []
    for peer, how in ((PEER_PROGRAMS[0], "compiling included"), (PEER_PROGRAMS[1], "nothing compiled before"), (PEER_PROGRAMS[2], "")):
        with tempfile.TemporaryDirectory() as cache:
            begun = time.monotonic()
            with peer.start("cuba", *([cache] if peer.words == CYTHON else [])) as process:
                other = process.ask(1, FIRST_MS)
                wall_ms = 1e3 * (time.monotonic() - begun)
                label = peer.label.format(**process.hello) + (f", {how}" if how else "")
        out.append({"name": "first_spike", "metric": "from start to spikes", "value": value, "unit": "ms on the wall", "ok": True,
                    "peer": label, "peer_value": wall_ms, "ratio": wall_ms / value, "bound": "",
                    "aim": "<= 250 ms", "aim_met": value <= 250, "answer_ok": rate > 0 and abs(rate - other["rate_hz"]) < 0.5 * rate,
                    "answer": f"{NUM_CELLS} cells for {FIRST_MS:g} ms: {rate:.1f} Hz, the peer's {other['rate_hz']:.1f} Hz; "
                              f"slowest of {NUM_ROUNDS} {1e3 * max(run['wall_s'] for run in mine):.0f} ms; {instruction_set}"})
    return out


def farthest_ms(v: list[float]) -> float:
    """How far crossings of 0 mV are from the converged ones at most; infinite where their number differs."""
    v = [-65.0, *v]
    times = [DT_MS * (k + a / (a - b)) for k, (a, b) in enumerate(zip(v, v[1:])) if a <= 0 < b]
    return max(abs(a - b) for a, b in zip(times, CONVERGED_MS)) if len(times) == len(CONVERGED_MS) else float("inf")


def squid_port_rows(in_cpp: Callable[[], dict]) -> list[dict]:
    """A cell stepped from Python through ports, beside NEURON; `in_cpp` measures the same in C++."""
    words = (DT_MS, NUM_CELL_STEPS)
    mine, theirs, cpp = [], [], []
    with Process(OURS, ROOT / "bench/port_cell.py", *words, "rk4", PYTHONPATH=str(ROOT / "build/dev/python")) as our, \
            Process(PEERS, ROOT / "bench/peers/neuron_cell.py", *words) as other:
        for _ in range(NUM_CELL_ROUNDS):
            mine.append(our.ask())
            theirs.append(other.ask())
            cpp.append(in_cpp())
        label = f"NEURON {other.hello['version']} from Python, its hh without tables"
    peer_us, peer_off = median([run["us"] for run in theirs]), farthest_ms(theirs[-1]["v"])
    peer_text = f"the peer's, Crank-Nicolson, {peer_off:.2g} ms"
    peer_ok = peer_off < 0.02
    our_us, our_off = median([run["us"] for run in mine]), farthest_ms(mine[-1]["v"])
    python = {"name": "squid_port/Python", "metric": "write, step, read", "value": our_us, "unit": "us", "ok": True, "peer": label,
              "peer_value": peer_us, "ratio": peer_us / our_us, "bound": "", **aims(1.0, peer_us / our_us),
              "answer_ok": our_off < 0.001 and peer_ok,
              "answer": f"rk4, {DT_MS} ms: {len(CONVERGED_MS)} spikes, {our_off:.2g} ms off the converged times at most; {peer_text}"}
    row = sorted(cpp, key=lambda one: one["value"])[len(cpp) // 2]
    row |= {"peer": label, "peer_value": peer_us, "ratio": peer_us / row["value"], **aims(1.0, peer_us / row["value"]),
            "answer_ok": row["answer_ok"] and peer_ok, "answer": f"{row['answer']}; {peer_text}"}
    return [python, row]
