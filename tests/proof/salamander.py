#!/usr/bin/env python3
"""Adaptive, pool-random and recorded order on the 20 listed salamander cells. Usage: salamander.py PROGRAM [--cells N] [--trials N]

Each recorded frame can be presented once. Prints held-out correlation and bits per spike against trials, means over the cells with
95 % bootstrap intervals over cells, the trials saved, and the scores with all 25,000 trials. Ends with: N passed, N failed, N skipped.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from recorded import METRICS, ROOT, Curves, close, compare, folder_of, interval, listed_cells, skip, text

LEAST = {"heldout_correlation": 0.349, "heldout_bits_per_spike": 1.14}  # rank-1 LN model on the same cells, README of the recording


def run_all(program: str, folder: pathlib.Path) -> dict:
    """Every trial of the pool in its order, then the refit on the whole history."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [program, "run", str(ROOT / "examples/salamander.toml"), "--json", "--out", temporary + "/run.hartline"]
        for setting in (f'subject.folder="{folder}"', "num_trials=25000", "design.kind=sequence", "belief.refine_at_end=true",
                        "record.durability=window:1000"):
            command += ["--set", setting]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--trials", type=int, default=4000)
    arguments = parser.parse_args()
    cells = listed_cells(arguments.cells)
    if not cells:
        return skip()
    curves = Curves([n for n in (100, 200, 400, 700, 1000, 1500, 2000, 3000, 4000) if n <= arguments.trials])
    last = curves.counts[-1]
    whole: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for cell in cells:
        folder = folder_of(cell)
        curves.add(compare(arguments.program, "salamander.toml", folder, f"num_trials={last}", f"compare.at={curves.counts}"))
        everything = run_all(arguments.program, folder)
        for metric in METRICS:
            whole[metric].append(everything[metric])
        scores = ", ".join(f"{whole[m][-1]:.3f} {METRICS[m]}" for m in METRICS)
        print(f"cell {cell}: with all trials {scores}", file=sys.stderr, flush=True)

    for metric, label in METRICS.items():
        print(f"\nHeld-out {label}, mean over {len(cells)} cells [95 % bootstrap interval over cells]\n")
        curves.print_table(metric, list(curves.by_cell[metric]))
        criterion, trials, factor = curves.saving_text(metric, "random from the pool", "infomax")
        print(f"\nInfomax reaches what random from the pool reaches in {last} trials ({criterion}) in {trials}: {factor} times fewer.")
    failed = 0
    print("\nWith all 25,000 trials and the refit on them:\n")
    for metric, label in METRICS.items():
        mean = interval(whole[metric])[0]
        good = mean >= LEAST[metric] or len(cells) < 20
        failed += not good
        print(f"- {label}: {text(whole[metric])}; at least {LEAST[metric]} asked of the mean over all 20 cells"
              + ("" if good else ": MISSED"))
    return close(len(METRICS) - failed, failed)


if __name__ == "__main__":
    sys.exit(main())
