"""Rows of benchmarks that are scored by sPCE: simulated experiments of a text of library/encoding, run by `hartline run`.

Two experiments at a time, one thread each. The score is that of `hartline score`; its standard error is over experiments.
"""

from __future__ import annotations

import concurrent.futures
import json
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Benchmark:
    """One of the benchmarks that policies are compared on, with what was published for it."""

    name: str
    num_trials: int
    num_contrasts: int
    least: float        # sPCE that must be reached
    published: str
    published_spce: float
    belief: str
    num_experiments: int = 200
    random: str = 'law = "pool"'  # of random stimuli
    text: str = ""                # of the library; default: the benchmark's name


BENCHMARKS = {
    "hyperbolic_discounting": Benchmark("hyperbolic_discounting", 20, 5000, 4.95, "deep adaptive design, Foster et al. 2021", 5.021,
                                        "num_values_of = { k = 160, a = 40 }"),
    "death_process": Benchmark("death_process", 4, 50000, 2.07, "deep adaptive design, Foster et al. 2021", 2.113, "num_values = 400"),
    "location_finding": Benchmark("location_finding", 10, 1000000, 9.0, "deep adaptive design, Ivanova et al. 2021", 7.97,
                                  'kind = "particles"', random='law = "gaussian"'),
    "ces": Benchmark("ces", 10, 10000000, 13.97, "reinforcement learning, Blau et al. 2022", 13.97, 'kind = "particles"', 20,
                     'law = "box"', "constant_elasticity"),
    "prey": Benchmark("prey", 10, 1000000, 4.3, "reinforcement learning, Blau et al. 2022", 4.456, 'kind = "particles"',
                      text="prey_population"),
}


def experiment(benchmark: Benchmark, policy: str) -> str:
    """`policy`: random, infomax, or the file of a learned one."""
    design = (f'kind = "random"\n{benchmark.random}' if policy == "random"
              else 'utility = "mutual_information"' if policy == "infomax" else f'kind = "policy"\npolicy = "{policy}"')
    # a policy looks at no belief, which may then be a small one
    belief = 'kind = "particles"\nnum_particles = 100' if policy not in ("random", "infomax") else benchmark.belief
    text = (ROOT / f"library/encoding/{benchmark.text or benchmark.name}.toml").read_text(encoding="utf-8")
    if policy not in ("random", "infomax"):
        # a network tells any number between, as the published ones do; a search goes over given values
        text = re.sub(r'"range\((\S+), (\S+), \S+\)', r'"box(\1, \2)', text)
    return (f"format = 1\nseed = 1\nnum_trials = {benchmark.num_trials}\n[belief]\n{belief}\n[design]\n{design}\n"
            f"[record]\ndurability = \"window:100\"\n{text}")


def scored(engine: Path, benchmark: Benchmark, policy: str, num: int) -> tuple[dict, float]:
    """The score of `num` experiments, and the median of the time to choose, ms."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "experiment.toml"
        file.write_text(experiment(benchmark, policy), encoding="utf-8")

        def run(seed: int) -> tuple[str, float]:
            record = f"{folder}/{seed}.hartline"
            done = subprocess.run([str(engine), "run", str(file), "--seed", str(seed), "--out", record, "--threads", "1", "--json"],
                                  capture_output=True, text=True, check=True)
            return record, json.loads(done.stdout)["choose_p50_ms"]

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(run, range(1, num + 1)))
        done = subprocess.run([str(engine), "score", *(record for record, _ in runs), "--contrasts", str(benchmark.num_contrasts),
                               "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout), statistics.median(time for _, time in runs)


def saturated(score: dict) -> str:
    num = score["num_saturated"]
    return f", {num} of them at the limit log(L + 1) = {score['log_contrasts']:.2f}" if num else ""


def rows(engine: Path, name: str) -> list[dict]:
    benchmark = BENCHMARKS[name]
    out = []
    for policy in ("infomax", "random"):
        score, choose_ms = scored(engine, benchmark, policy, benchmark.num_experiments)
        ours = policy == "infomax"
        spce, error = score["spce"], score["spce_standard_error"]
        row = {"name": f"{name}/{policy}", "metric": "sPCE", "value": spce, "unit": f"nats ± {error:.2f}", "peer": "", "peer_value": None,
               "ratio": None, "aim": "", "aim_met": True, "bound": "", "ok": True,
               # a lower bound lies below an upper one; one that saturates is a lower bound still, and its row says so
               "answer_ok": spce <= score["snmc"],
               "answer": f"T = {benchmark.num_trials}, L = {benchmark.num_contrasts}, {score['num_records']} experiments"
                         f"{saturated(score)}; sNMC {score['snmc']:.2f}; {choose_ms:.2g} ms to choose"}
        if ours:
            row |= {"peer": benchmark.published + ", as published", "peer_value": benchmark.published_spce,
                    "ratio": spce / benchmark.published_spce, "bound": f">= {benchmark.least}", "ok": spce >= benchmark.least}
        out.append(row)
    return out
