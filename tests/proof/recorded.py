"""What the proofs on recorded cells share: the cells as folders, `hartline compare` of one, means and trials over cells."""
from __future__ import annotations

import csv
import json
import os
import pathlib
import random
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
METRICS = {"heldout_correlation": "correlation", "heldout_bits_per_spike": "bits per spike"}
REPEATS = 2000  # bootstrap


def listed_cells(num: int) -> list[int]:
    """The first `num` cells of the list of the recording; empty without HARTLINE_DATA."""
    data = os.environ.get("HARTLINE_DATA")
    if not data:
        return []
    with open(pathlib.Path(data) / "rgc-salamander-liu2017/ln_baseline.csv", encoding="utf-8") as file:
        return [int(row["cell"]) for row in csv.DictReader(file)][:num]


def folder_of(cell: int, lags: int = 1) -> pathlib.Path:
    """The recorded folder of a cell, made where it is not there yet."""
    folder = ROOT / f"out/salamander/cell_{cell:03d}{'_lags' if lags > 1 else ''}"
    if not (folder / "trials.toml").exists():
        command = [ROOT / "tools/import_salamander", "--cell", str(cell), "--lags", str(lags), "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def compare(program: str, example: str, folder: pathlib.Path, *settings: str) -> dict:
    """`hartline compare` of one cell."""
    command = [program, "compare", str(ROOT / "examples" / example), "--json", "--set", f'subject.folder="{folder}"']
    for setting in settings:
        command += ["--set", setting]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


class Curves:
    """Metrics of designs at trial counts, by cell."""

    def __init__(self, counts: list[int]):
        self.counts = counts
        self.by_cell: dict[str, dict[str, list[list[float]]]] = {metric: {} for metric in METRICS}

    def add(self, result: dict) -> None:
        for design in result["designs"]:
            for metric in METRICS:
                self.by_cell[metric].setdefault(design["name"], []).append(design["metrics"][metric]["mean"])

    def print_table(self, metric: str, columns: list[str]) -> None:
        print("| trials | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
        for i, count in enumerate(self.counts):
            print(f"| {count} | " + " | ".join(text([cell[i] for cell in self.by_cell[metric][name]]) for name in columns) + " |")

    def saving(self, metric: str, baseline: str, design: str) -> dict:
        """Trials in which `design` reaches what `baseline` has at the end, by the mean curves, and their ratio, with 95 % bootstrap
        intervals over cells. `reached`: share of the bootstrap means that get there."""
        base, other = self.by_cell[metric][baseline], self.by_cell[metric][design]
        draw = random.Random(1)

        def trials(cells: list[int]) -> float:
            mean = [[sum(curves[c][i] for c in cells) / len(cells) for i in range(len(self.counts))] for curves in (base, other)]
            return trials_to(self.counts, mean[1], mean[0][-1])

        every = list(range(len(base)))
        needed = sorted(trials(draw.choices(every, k=len(every))) for _ in range(REPEATS))
        return {"trials": trials(every), "low": needed[REPEATS // 40], "high": needed[-1 - REPEATS // 40],
                "reached": sum(n < float("inf") for n in needed) / REPEATS,
                "criterion": sum(curve[-1] for curve in base) / len(base)}

    def saving_text(self, metric: str, baseline: str, design: str) -> list[str]:
        """Criterion, trials and factor saved, each with its interval."""
        s, last = self.saving(metric, baseline, design), self.counts[-1]

        def count(n: float) -> str:
            return "never" if n == float("inf") else f"at most {self.counts[0]}" if n <= self.counts[0] else f"{n:.0f}"

        def factor(n: float) -> str:
            return "none" if n == float("inf") else f"{'≥ ' if n <= self.counts[0] else ''}{last / n:.2f}"

        return [f"{s['criterion']:.3f}", f"{count(s['trials'])} [{count(s['low'])}, {count(s['high'])}]",
                f"{factor(s['trials'])} [{factor(s['high'])}, {factor(s['low'])}]"]


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and its 95 % bootstrap interval."""
    draw = random.Random(1)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(REPEATS))
    return sum(values) / len(values), means[REPEATS // 40], means[-1 - REPEATS // 40]


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


def close(passed: int, failed: int) -> int:
    """The closing line and the exit code."""
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


def skip() -> int:
    print("skipped: HARTLINE_DATA is not set\n0 passed, 0 failed, 1 skipped")
    return 0
