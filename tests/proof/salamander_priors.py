#!/usr/bin/env python3
"""What structured priors save on recorded cells. Usage: salamander_priors.py PROGRAM [--cells N] [--trials N] [--every N]

Weights over 13 x 13 squares filtered in time, under an isotropic, a smooth and an ALD prior, the hyper-parameters of all three set
by evidence after every --every trials; random frames and infomax. The squares were cut out around the cell's receptive field, so
the ALD prior, which starts at their middle, begins with the right place; the smooth one knows no place. Prints held-out correlation
and bits per spike with 95 % bootstrap intervals over cells, and the trials in which each prior reaches what the isotropic one has
at the end. Ends with: N passed, N failed, N skipped.
"""
import argparse
import sys

from recorded import METRICS, Curves, close, compare, folder_of, listed_cells, skip

PRIORS = ("isotropic", "smooth", "ald")
DESIGNS = {"random": "design = { kind = 'random', law = 'pool' }", "infomax": "role = 'adaptive'"}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--trials", type=int, default=301)
    parser.add_argument("--every", type=int, default=150, help="trials between refits")
    arguments = parser.parse_args()
    cells = listed_cells(arguments.cells)
    if not cells:
        return skip()
    curves = Curves([n for n in (5, 10, 25, 50, 100, 150, 151, 200, 250, 300, 301, 400, 500, 600) if n <= arguments.trials])
    designs = [f"{{ name = '{prior}, {design}', {DESIGNS[design]}, "
               f"belief = {{ prior = {{ kind = '{prior}', sd = 0.14, fit = true }} }} }}"
               for prior in PRIORS for design in DESIGNS]
    for cell in cells:
        curves.add(compare(arguments.program, "salamander.toml", folder_of(cell), f"num_trials={curves.counts[-1]}",
                           f"compare.at={curves.counts}", f"belief.refine_every={arguments.every}", "belief.refine_lag=1",
                           "compare.num_held_out=0", f"compare.design=[{', '.join(designs)}]"))
        print(f"cell {cell}", file=sys.stderr, flush=True)
    for metric, label in METRICS.items():
        print(f"\nHeld-out {label}, mean over {len(cells)} cells [95 % bootstrap interval over cells]; hyper-parameters fitted after "
              f"every {arguments.every} trials\n")
        curves.print_table(metric, list(curves.by_cell[metric]))
        print(f"\n| prior | design | {label} of the isotropic prior after {curves.counts[-1]} trials | reached in trials | trials saved, "
              "factor |\n|---|---|---|---|---|")
        for design in DESIGNS:
            for prior in PRIORS[1:]:
                row = curves.saving_text(metric, f"isotropic, {design}", f"{prior}, {design}")
                print(f"| {prior} | {design} | " + " | ".join(row) + " |")
    failed = 0
    for prior in PRIORS[1:]:
        saved = curves.saving("heldout_correlation", "isotropic, random", f"{prior}, random")
        good = (saved["high"] if len(cells) >= 8 else saved["trials"]) < curves.counts[-1]
        failed += not good
        print(f"\n{prior}: fewer random frames than the isotropic prior to the same correlation: {'yes' if good else 'NO'}")
    return close(2 - failed, failed)


if __name__ == "__main__":
    sys.exit(main())
