"""Rows of learned policies: each is trained by `hartline train`, plays simulated experiments, and is scored as all policies are.

The time of a training is the processor time of its two threads over two, so that other programs on the machine do not count; 15 minutes
on two cores are its bound. Trainings go by steps, so their policies are the same whenever they are repeated.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import scores

BOUND_S = 900


@dataclass
class Training:
    """How a policy is trained: the train table, and the sPCE that it must reach."""

    benchmark: str
    method: str
    table: str
    least: float

    @property
    def name(self) -> str:
        return f"policy/{self.benchmark}/{self.method}"


SMALL = "encoder = [32]\nnum_codes = 8\nreadout = [32]\n"
TRAININGS = [
    Training("location_finding", "gradient", "num_steps = 7000\nnum_rollouts = 64\nnum_contrasts = 5000\nlearning_rate = 0.002", 6.8),
    Training("location_finding", "evolution", SMALL + "num_steps = 3000\nnum_rollouts = 32\nnum_contrasts = 3000\nlearning_rate = 0.02",
             5.8),
    Training("hyperbolic_discounting", "gradient",
             "num_steps = 3000\nnum_rollouts = 64\nnum_contrasts = 1000\nlearning_rate = 0.003", 4.45),
]
NUM_EXPERIMENTS = 200


def trained(engine: Path, training: Training, path: Path) -> float:
    """Trains; returns the processor time over two threads, s."""
    benchmark = scores.BENCHMARKS[training.benchmark]
    file = path.with_suffix(".toml")
    file.write_text(scores.experiment(benchmark, str(path)) + f'\n[train]\nmethod = "{training.method}"\n{training.table}\n',
                    encoding="utf-8")
    before = os.times()
    subprocess.run([str(engine), "train", str(file), "--out", str(path), "--threads", "2", "--json"], check=True, capture_output=True)
    after = os.times()
    return (after.children_user + after.children_system - before.children_user - before.children_system) / 2


def rows(engine: Path, training: Training) -> list[dict]:
    benchmark = scores.BENCHMARKS[training.benchmark]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{training.benchmark}.policy"
        seconds = trained(engine, training, path)
        score, choose_ms = scores.scored(engine, benchmark, str(path), NUM_EXPERIMENTS)
    spce = score["spce"]
    row = {"name": training.name, "metric": "sPCE", "value": spce, "unit": f"nats ± {score['spce_standard_error']:.2f}",
           "peer": benchmark.published + ", as published", "peer_value": benchmark.published_spce,
           "ratio": spce / benchmark.published_spce, "aim": "", "aim_met": True, "bound": f">= {training.least}",
           "ok": spce >= training.least, "answer_ok": spce <= score["snmc"],
           "answer": f"T = {benchmark.num_trials}, L = {benchmark.num_contrasts}, {score['num_records']} experiments"
                     f"{scores.saturated(score)}; sNMC {score['snmc']:.2f}"}
    plain = {"name": training.name, "peer": "", "peer_value": None, "ratio": None, "aim": "", "aim_met": True, "answer_ok": True}
    return [row,
            {**plain, "metric": "training", "value": seconds, "unit": "s", "bound": f"<= {BOUND_S} s", "ok": seconds <= BOUND_S,
             "answer": "processor time of two threads over two"},
            {**plain, "metric": "time to choose", "value": choose_ms, "unit": "ms", "bound": "< 1 ms", "ok": choose_ms < 1,
             "answer": "median over experiments of the median over trials"}]
