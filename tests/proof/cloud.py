#!/usr/bin/env python3
"""Kills workers of `hartline.cloud` with SIGKILL at random moments, on this machine and on Dask, and the sweep itself.

    tests/proof/cloud.py local | dask | sweep [--kills N] [--tasks N] [--seed S]        in build/venv-cloud, with the package on the path

After every sweep: each task has its result, the store holds the serial run's files byte for byte, no task was computed again that was
stored before. `local`, `dask`: workers are killed until so many kills have hit. `sweep`: the client is killed and started again on the
same store, with its workers and without warning; what it computed is counted by the tasks themselves. Prints `N passed, N failed,
N skipped`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

import hartline as hl
from hartline.cloud.experiments import run
from hartline.cloud.mapping import Results
from hartline.cloud.perform import perform, read_reply
from hartline.cloud.plain import digest, encode

EXPERIMENT = """format = 1
num_trials = 40
[subject]
truth = "prior"
[stimulus]
kind = "ball"
shape = [12]
[model]
kind = "glm"
[belief]
prior_sd = 0.5
"""
LOG = "HARTLINE_CLOUD_LOG"
SECONDS = 0.02  # a task takes at least so long, so that kills hit it
TRIES = 1000    # a task may be hit as often as chance will have it


class Failure(Exception):
    """What did not hold."""


def require(holds: bool, text: str) -> None:
    if not holds:
        raise Failure(text)


def simulated(seed: int) -> dict[str, Any]:
    """The task: one simulated experiment, and a line in the log that it was begun."""
    log = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{seed}\n".encode())
    os.close(log)
    begun = time.monotonic()
    result = run(seed, text=EXPERIMENT, keep=["metrics", "estimate"])
    time.sleep(max(0.0, SECONDS - (time.monotonic() - begun)))
    return result


TASK = hl.cloud.Task("cloud.simulated")


def files_of(store: Path) -> dict[str, bytes]:
    return {str(file.relative_to(store)): file.read_bytes() for file in store.rglob("*.json")}


def serial(store: Path, num_tasks: int) -> dict[str, bytes]:
    """The files that a serial run leaves: one task after the other in this process."""
    head, kept = TASK.head(), hl.cloud.Store(store)
    for seed in range(num_tasks):
        item = encode(seed, "")
        reply = read_reply(perform(head + item), "serial")
        require(reply.error is None and reply.refusal is None, f"{reply.error}{reply.refusal}")
        kept.put(digest(head.partition(b"\n")[0] + b"\n" + item), reply.result)
    return files_of(store)


def children() -> list[int]:
    """Worker processes that Dask started: what it spawned, but for the one that counts semaphores."""
    out = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("spawn_main" in word for word in child.cmdline()):
                out.append(child.pid)
    return out


def kill_one(pids: list[int], chance: random.Random) -> bool:
    """Whether there was one."""
    try:
        os.kill(chance.choice(sorted(pids)), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return False
    return True


def wait_for_more(results: Results) -> None:
    before = results.num_computed
    while results.num_computed <= before + 1 and not all(future.done() for future in results.futures):
        time.sleep(0.005)


def check_sweep(results: Results, store: Path, expected: dict[str, bytes], text: str) -> None:
    require(not results.errors(), f"{text}: {results.errors()}")
    require(results.num_stored + results.num_computed == len(results), f"{text}: {results.num_stored} + {results.num_computed} tasks")
    require(files_of(store) == expected, f"{text}: the store is not the serial run's")


def kill_workers(executor: Any, pids: Callable[[], list[int]], pause_s: float, folder: Path, expected: dict[str, bytes], kills: int,
                 chance: random.Random) -> list[str]:
    """Sweeps, each into a new store, until so many workers were killed."""
    hits, num_sweeps, lost, begun = 0, 0, 0, time.monotonic()
    num_tasks = len(expected) - 1
    while hits < kills:
        store = folder / f"sweep-{num_sweeps}"
        results = hl.cloud.map(TASK, range(num_tasks), executor, store=str(store), tries=TRIES)
        while hits < kills and not all(future.done() for future in results.futures):
            if chance.random() < 0.8:  # tasks are at work; else any moment, a worker's start among them
                wait_for_more(results)
            time.sleep(chance.uniform(0, 2 * pause_s))
            hits += kill_one(pids(), chance)
        results.wait(600)
        check_sweep(results, store, expected, f"sweep {num_sweeps} after {hits} kills")
        num_sweeps, lost = num_sweeps + 1, lost + results.num_lost
        shutil.rmtree(store)
    return [str(hits), str(num_sweeps), str(num_sweeps * num_tasks), f"{lost} tasks tried again", f"{time.monotonic() - begun:.0f}"]


SWEEP = """
import sys
sys.path.insert(0, sys.argv[1])
import hartline as hl, cloud
results = hl.cloud.map(cloud.TASK, range(int(sys.argv[3])), store=sys.argv[2])
results.wait()
print(results.num_stored, results.num_computed, len(results.errors()))
"""


def kill_sweeps(folder: Path, expected: dict[str, bytes], kills: int, chance: random.Random) -> list[str]:
    """Clients that are killed at random moments and started again on their store, until so many were."""
    hits, num_sweeps, again, lives, begun = 0, 0, 0, 0, time.monotonic()
    num_tasks, log = len(expected) - 1, Path(os.environ[LOG])
    key_of = {seed: digest(TASK.head().partition(b"\n")[0] + b"\n" + encode(seed, "")) for seed in range(num_tasks)}
    while hits < kills:
        store, stored = folder / f"sweep-{num_sweeps}", set[str]()
        while True:
            log.write_text("")
            client = subprocess.Popen([sys.executable, "-c", SWEEP, str(Path(__file__).parent), str(store), str(num_tasks)],
                                      stdout=subprocess.PIPE, text=True)
            lives += 1
            if hits < kills:
                if chance.random() < 0.8:  # a moment after some result was stored; else any, its start among them
                    aim = chance.randrange(min(len(stored), num_tasks - 1), num_tasks)
                    while client.poll() is None and len(list(store.glob("??/*.json"))) <= aim:
                        time.sleep(0.01)
                else:
                    time.sleep(chance.uniform(0, 2))
                client.kill()
            told = client.communicate()[0]
            time.sleep(0.2)  # its workers end when they see that it is gone
            computed = [int(line) for line in log.read_text().split()]
            require(not stored & {key_of[seed] for seed in computed}, "a task was computed again that was stored")
            now = hl.cloud.Store(store).keys()
            require(stored <= now, "a stored result was lost")
            if client.returncode == 0:
                require(told.split() == [str(len(stored)), str(num_tasks - len(stored)), "0"], f"stored, computed and failed: {told}")
                break
            require(client.returncode == -signal.SIGKILL, f"the sweep ended with {client.returncode}")
            hits, again, stored = hits + 1, again + len(computed) - len(now - stored), now
        require(files_of(store) == expected, f"after {hits} kills the store is not the serial run's")
        num_sweeps += 1
        shutil.rmtree(store)
    return [str(hits), str(num_sweeps), str(num_sweeps * num_tasks), f"{again} begun and not stored", f"{time.monotonic() - begun:.0f}"]


def append_table(what: str, row: list[str]) -> None:
    if file := os.environ.get("HARTLINE_PROOF_FILE"):
        with open(file, "a", encoding="utf-8") as out:
            out.write(f"\n#### {what}\n\n| kills | sweeps | tasks | lost work | seconds | stored results computed again | "
                      f"bytes that differ |\n| --- | --- | --- | --- | --- | --- | --- |\n| {' | '.join(row)} | 0 | 0 |\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=["local", "dask", "sweep"])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # where workers find the task
    chance = random.Random(arguments.seed)
    folder = Path(tempfile.mkdtemp(prefix="hartline-cloud-"))
    os.environ[LOG] = str(folder / "log")
    try:
        expected = serial(folder / "serial", arguments.tasks)
        if arguments.what == "local":
            title = "Workers on this machine killed with SIGKILL"
            with hl.cloud.Workers() as workers:
                row = kill_workers(workers, lambda: workers.pids, 0.05, folder, expected, arguments.kills, chance)
        elif arguments.what == "dask":
            title = "Workers of a Dask cluster with mutual TLS killed with SIGKILL"
            with hl.cloud.dask() as cluster:
                require(cluster.client.scheduler.address.startswith("tls://"), "the cluster must be encrypted")
                row = kill_workers(cluster, children, 0.1, folder, expected, arguments.kills, chance)
        else:
            title = "Sweeps killed with SIGKILL and started again"
            row = kill_sweeps(folder, expected, arguments.kills, chance)
    except Failure as error:
        print(f"failed: {arguments.what}: {error}\n0 passed, 1 failed, 0 skipped")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    append_table(title, row)
    print(f"passed: {title}: {row[0]} kills in {row[1]} sweeps of {row[2]} tasks, {row[3]}, {row[4]} s\n1 passed, 0 failed, 0 skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
