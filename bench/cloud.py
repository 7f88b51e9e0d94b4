#!/usr/bin/env python3
"""What `hartline.cloud.map` costs a task beside plain Dask and `ProcessPoolExecutor`, and how much two cores save. Called by bench/run.

    bench/cloud.py [--num N]        prints rows of the results as JSON

Runs in build/venv-cloud. Times are on the wall, so that what else runs here counts; ours and the peers take turns, three times, and
rows are medians. Every result of every turn is compared with the serial one.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hartline as hl

NUM_ROUNDS = 3
NUM_CORES = 2


def nothing(item: int) -> int:
    """A task that takes no time."""
    return math.isqrt(item)


def work(item: dict[str, int]) -> float:
    """A task of a fixed number of operations."""
    total = 0.0
    for k in range(item["operations"]):
        total += math.sqrt(k + item["number"])
    return total


def seconds_of(body: Callable[[], list[Any]], expected: list[Any]) -> float:
    begun = time.perf_counter()
    got = body()
    took = time.perf_counter() - begun
    if got != expected:
        raise AssertionError("results differ from the serial ones")
    return took


def row(name: str, metric: str, value: float, unit: str, answer: str, **other: Any) -> dict[str, Any]:
    return {"name": name, "metric": metric, "value": value, "unit": unit, "peer": "", "peer_value": None, "ratio": None, "aim": "",
            "aim_met": True, "bound": "", "ok": True, "answer_ok": True, "answer": answer} | other


def overhead_rows(workers: Executor, pool: Executor, cluster: hl.cloud.Dask, num: int, folder: Path) -> list[dict[str, Any]]:
    items = list(range(num))
    expected = [nothing(item) for item in items]
    stores = iter(range(NUM_ROUNDS))
    client = cluster.client
    ways: dict[str, Callable[[], list[Any]]] = {
        "map": lambda: hl.cloud.map("cloud.nothing", items, workers).results(),
        "pool": lambda: list(pool.map(nothing, items)),
        "map, stored": lambda: hl.cloud.map("cloud.nothing", items, workers, store=str(folder / str(next(stores)))).results(),
        "map on Dask": lambda: hl.cloud.map("cloud.nothing", items, cluster).results(),
        "Dask": lambda: client.gather(client.map(nothing, items, pure=False)),
        "executor of Dask": lambda: list(client.get_executor(pure=False).map(nothing, items)),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(NUM_ROUNDS):
        for name, way in ways.items():
            times[name].append(seconds_of(way, expected) / num * 1e3)
    ms = {name: statistics.median(values) for name, values in times.items()}
    again = seconds_of(lambda: hl.cloud.map("cloud.nothing", items, workers, store=str(folder / "0")).results(), expected) / num * 1e3
    answer = f"{num} results equal the serial ones, {NUM_ROUNDS} times"
    dask = f"distributed {version('distributed')}"

    def beside(name: str, ours: str, peer: str, words: str) -> dict[str, Any]:
        return row(name, "overhead", ms[ours], "ms a task, wall", answer, peer=words, peer_value=ms[peer], ratio=ms[peer] / ms[ours])

    python = f"ProcessPoolExecutor, Python {sys.version.split()[0]}"
    return [
        beside("map/workers", "map", "pool", python),
        beside("map/workers, stored", "map, stored", "pool", f"{python}, nothing stored"),
        row("map/taken from the store", "overhead", again, "ms a task, wall", answer),
        beside("map/dask", "map on Dask", "Dask", f"client.map of {dask}, TLS"),
        beside("map/dask, one by one", "map on Dask", "executor of Dask", f"client.get_executor() of {dask}, TLS"),
    ]


def speed_up_rows(workers: Executor, pool: Executor) -> list[dict[str, Any]]:
    begun = time.perf_counter()
    work({"operations": 1_000_000, "number": 0})
    per_ms = 1_000_000 / (time.perf_counter() - begun) / 1e3
    rows = []
    for task_ms in (1, 10, 100):
        items = [{"operations": round(per_ms * task_ms), "number": k} for k in range(2000 // task_ms)]
        expected = [work(item) for item in items]
        ours, peers, alone_ms = [], [], []
        for _ in range(NUM_ROUNDS):
            alone = seconds_of(lambda: [work(item) for item in items], expected)
            ours.append(alone / seconds_of(lambda: hl.cloud.map("cloud.work", items, workers).results(), expected))
            peers.append(alone / seconds_of(lambda: list(pool.map(work, items)), expected))
            alone_ms.append(alone / len(items) * 1e3)
        value, peer = statistics.median(ours), statistics.median(peers)
        aim = "" if task_ms < 10 else "ratio >= 0.95"
        rows.append(row(f"map/{task_ms} ms", "speed_up", value, f"times on {NUM_CORES} cores", f"{len(items)} tasks of "
                        f"{statistics.median(alone_ms):.3g} ms in series; results equal the serial ones, {NUM_ROUNDS} times",
                        peer="ProcessPoolExecutor", peer_value=peer, ratio=value / peer, aim=aim, aim_met=value / peer >= 0.95))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--num", type=int, default=2000)
    num = parser.parse_args().num
    begun = time.perf_counter()
    with (hl.cloud.Workers(NUM_CORES) as workers, tempfile.TemporaryDirectory(dir=".") as folder,
          ProcessPoolExecutor(NUM_CORES, multiprocessing.get_context("spawn")) as pool):
        hl.cloud.map("cloud.nothing", range(2 * NUM_CORES), workers).results()
        started = time.perf_counter() - begun
        list(pool.map(nothing, range(2 * NUM_CORES)))
        begun = time.perf_counter()
        with hl.cloud.dask(num_workers=NUM_CORES) as cluster:
            hl.cloud.map("cloud.nothing", range(2 * NUM_CORES), cluster).results()
            dask_started = time.perf_counter() - begun
            rows = overhead_rows(workers, pool, cluster, num, Path(folder))
        rows += speed_up_rows(workers, pool)
    rows.append(row("map/start", "time", started, f"s, wall, {NUM_CORES} workers to their first results", "right",
                    peer="a Dask cluster with TLS", peer_value=dask_started, ratio=dask_started / started))
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
