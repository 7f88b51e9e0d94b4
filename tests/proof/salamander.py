#!/usr/bin/env python3
"""Adaptive, pool-random and recorded order on the 20 listed salamander cells. Usage: salamander.py PROGRAM [--cells N] [--trials N]

Each recorded frame can be presented once. Prints held-out correlation and bits per spike against trials, means over the cells with
95 % bootstrap intervals over cells, the trials saved, and the scores with all 25,000 trials. Ends with: N passed, N failed, N skipped.
"""
import argparse
import csv
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
METRICS = {"heldout_correlation": "correlation", "heldout_bits_per_spike": "bits per spike"}
LEAST = {"heldout_correlation": 0.349, "heldout_bits_per_spike": 1.14}  # rank-1 LN model on the same cells, README of the recording


def compare(program: str, folder: pathlib.Path, *settings: str) -> dict:
    """`hartline compare` of one cell."""
    command = [program, "compare", str(ROOT / "examples/salamander.toml"), "--json", "--set", f'subject.folder="{folder}"']
    for setting in settings:
        command += ["--set", setting]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def run_all(program: str, folder: pathlib.Path) -> dict:
    """Every trial of the pool in its order, then the refit on the whole history."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [program, "run", str(ROOT / "examples/salamander.toml"), "--json", "--out", temporary + "/run.hartline"]
        for setting in (f'subject.folder="{folder}"', "num_trials=25000", "design.kind=sequence", "belief.refine_at_end=true",
                        "record.durability=window:1000"):
            command += ["--set", setting]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def interval(values: list[float], repeats: int = 2000) -> tuple[float, float, float]:
    """Mean and its 95 % bootstrap interval."""
    draw = random.Random(1)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(repeats))
    return sum(values) / len(values), means[repeats // 40], means[-1 - repeats // 40]


def text(values: list[float]) -> str:
    return "{:.3f} [{:.3f}, {:.3f}]".format(*interval(values))


def trials_to(trials: list[int], curve: list[float], criterion: float) -> float:
    """Trials at which a rising curve reaches the criterion, linear between counts; infinite if never."""
    for i, value in enumerate(curve):
        if value >= criterion:
            if i == 0:
                return trials[0]
            return trials[i - 1] + (criterion - curve[i - 1]) / (value - curve[i - 1]) * (trials[i] - trials[i - 1])
    return float("inf")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--trials", type=int, default=4000)
    arguments = parser.parse_args()
    data = os.environ.get("HARTLINE_DATA")
    if not data:
        print("skipped: HARTLINE_DATA is not set\n0 passed, 0 failed, 1 skipped")
        return 0
    with open(pathlib.Path(data) / "rgc-salamander-liu2017/ln_baseline.csv", encoding="utf-8") as file:
        cells = [int(row["cell"]) for row in csv.DictReader(file)][: arguments.cells]
    counts = [n for n in (100, 200, 400, 700, 1000, 1500, 2000, 3000, 4000) if n <= arguments.trials]
    curves: dict[str, dict[str, list[list[float]]]] = {}
    whole: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for cell in cells:
        folder = ROOT / f"out/salamander/cell_{cell:03d}"
        if not (folder / "trials.toml").exists():
            command = [ROOT / "tools/import_salamander", "--cell", str(cell), "--out", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        result = compare(arguments.program, folder, f"num_trials={counts[-1]}", f"compare.at={counts}")
        for design in result["designs"]:
            for metric in METRICS:
                curves.setdefault(metric, {}).setdefault(design["name"], []).append(design["metrics"][metric]["mean"])
        everything = run_all(arguments.program, folder)
        for metric in METRICS:
            whole[metric].append(everything[metric])
        scores = ", ".join(f"{whole[m][-1]:.3f} {METRICS[m]}" for m in METRICS)
        print(f"cell {cell}: with all trials {scores}", file=sys.stderr, flush=True)

    for metric, label in METRICS.items():
        print(f"\nHeld-out {label}, mean over {len(cells)} cells [95 % bootstrap interval over cells]\n")
        print("| trials | " + " | ".join(curves[metric]) + " |\n|---|" + "---|" * len(curves[metric]))
        for i, count in enumerate(counts):
            print(f"| {count} | " + " | ".join(text([curve[i] for curve in by_cell]) for by_cell in curves[metric].values()) + " |")
        designs = {name: [sum(c[i] for c in by_cell) / len(by_cell) for i in range(len(counts))]
                   for name, by_cell in curves[metric].items()}
        baseline = designs["random from the pool"]
        needed = trials_to(counts, designs["infomax"], baseline[-1])
        if needed < float("inf"):
            print(f"\nInfomax reaches what random from the pool reaches in {counts[-1]} trials ({baseline[-1]:.3f}) "
                  f"in {needed:.0f}: {counts[-1] / needed:.2f} times fewer.")
        else:
            print(f"\nInfomax does not reach what random from the pool reaches in {counts[-1]} trials ({baseline[-1]:.3f}).")
    failed = 0
    print("\nWith all 25,000 trials and the refit on them:\n")
    for metric, label in METRICS.items():
        mean = interval(whole[metric])[0]
        good = mean >= LEAST[metric] or len(cells) < 20
        failed += not good
        print(f"- {label}: {text(whole[metric])}; at least {LEAST[metric]} asked of the mean over all 20 cells"
              + ("" if good else ": MISSED"))
    print(f"{len(METRICS) - failed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
