#!/usr/bin/env python3
"""Kills `hartline train` with SIGKILL at random moments, again and again, until the training is done.

    tests/proof/train_kills.py HARTLINE_BINARY [--kills N] [--seed S]

For both methods and for a posterior: after every kill the file is absent or whole, and its steps never fall; the network at the end
has the bytes of one whose training nobody interrupted, also where that ran on another number of threads. A policy then runs, and
replays to the bit. Standard library only. Prints `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEXT = """format = 1
seed = 1
num_trials = 6
[stimulus]
x = "box(-2, 2)"
[model]
response = "r ~ normal(a * tanh(x - b), 0.3)"
[model.parameters]
a = "lognormal(0, 0.5)"
b = "normal(0, 1)"
[belief]
kind = "particles"
num_particles = 200
[design]
kind = "policy"
policy = "{name}.policy"
[train]
{train}
num_rollouts = 64
encoder = [32, 32]
readout = [32]
checkpoint_s = 1e-3
"""
CASES = {"evolution": 'method = "evolution"\nnum_steps = 60', "gradient": 'method = "gradient"\nnum_steps = 400',
         "posterior": 'method = "gradient"\ntarget = "posterior"\nnum_steps = 400'}


def steps_of(network: Path) -> int:
    """Steps that a file tells of; it must be whole, which the program checks."""
    found = re.search(rb"^num_steps = (\d+)$", network.read_bytes(), re.M)
    return int(found.group(1)) if found else -1


def killed_training(program: str, folder: Path, name: str, num_kills: int, chance: random.Random) -> str:
    """What did not hold; empty: all did."""
    experiment = folder / f"{name}.toml"
    experiment.write_text(TEXT.format(name=name, train=CASES[name]), encoding="utf-8")
    whole, parts = folder / f"{name}.whole", folder / f"{name}.parts"
    command = [program, "train", str(experiment), "--json", "--out"]
    begun = time.monotonic()
    subprocess.run([*command, str(whole), "--threads", "2"], check=True, capture_output=True)
    duration = time.monotonic() - begun
    steps = kills = 0
    while True:
        training = subprocess.Popen([*command, str(parts), "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            _, error = training.communicate(timeout=chance.uniform(0.05, 2 * duration / num_kills) if kills < num_kills else None)
        except subprocess.TimeoutExpired:
            training.kill()
            training.wait()
            kills += 1
            if parts.exists():
                if steps_of(parts) < steps:
                    return f"steps fell from {steps} to {steps_of(parts)}"
                steps = steps_of(parts)
            continue
        if training.returncode != 0:
            return f"exit code {training.returncode}: {error.decode().strip()}"
        break
    print(f"{name}: {kills} kills, {duration:.1f} s uninterrupted", flush=True)
    if kills == 0:
        return "no kill hit the training"
    if whole.read_bytes() != parts.read_bytes():
        return "other bytes than without kills"
    if name == "posterior":
        return ""
    parts.rename(folder / f"{name}.policy")
    record = folder / f"{name}.hartline"
    for words in (["run", str(experiment), "--out", str(record)], ["replay", str(record)]):
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"hartline {words[0]} exited with {done.returncode}: {done.stderr.strip()}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            fault = killed_training(arguments.program, Path(folder), name, arguments.kills, chance)
            if fault:
                print(f"FAIL {name}: {fault}")
            passed, failed = passed + (not fault), failed + bool(fault)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
