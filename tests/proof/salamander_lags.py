#!/usr/bin/env python3
"""Blocks of frames chosen by what they tell together, against random blocks, on recorded cells. Usage: salamander_lags.py PROGRAM
[--cells N] [--trials N]

The filter over 9 x 9 squares and 4 lags is found from raw frames (examples/salamander_lags.toml); a block of seven bins brings four
responses and is scored jointly. Each recorded block can be presented once. Prints held-out correlation and bits per spike against
trials with 95 % bootstrap intervals over cells, and the trials saved. Ends with: N passed, N failed, N skipped.
"""
import argparse
import sys

from recorded import METRICS, Curves, close, compare, folder_of, listed_cells, skip

INFOMAX, RANDOM = "infomax", "random from the pool"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--trials", type=int, default=500)
    arguments = parser.parse_args()
    cells = listed_cells(arguments.cells)
    if not cells:
        return skip()
    curves = Curves([n for n in (10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 700, 1000) if n <= arguments.trials])
    for cell in cells:
        curves.add(compare(arguments.program, "salamander_lags.toml", folder_of(cell, lags=4), f"num_trials={curves.counts[-1]}",
                           f"compare.at={curves.counts}"))
        print(f"cell {cell}", file=sys.stderr, flush=True)
    for metric, label in METRICS.items():
        print(f"\nHeld-out {label}, mean over {len(cells)} cells [95 % bootstrap interval over cells]; prior: smooth, told\n")
        curves.print_table(metric, [INFOMAX, RANDOM])
        criterion, trials, factor = curves.saving_text(metric, RANDOM, INFOMAX)
        print(f"\nJointly scored blocks reach what random blocks reach in {curves.counts[-1]} ({criterion}) in {trials}: "
              f"{factor} times fewer.")
    saved = curves.saving("heldout_correlation", RANDOM, INFOMAX)
    # with all cells the whole interval must lie below the trials of random blocks; with few, the mean
    good = (saved["high"] if len(cells) >= 8 else saved["trials"]) < curves.counts[-1]
    print(f"\nFewer trials than random blocks to the same correlation: {'yes' if good else 'NO'}")
    return close(int(good), int(not good))


if __name__ == "__main__":
    sys.exit(main())
