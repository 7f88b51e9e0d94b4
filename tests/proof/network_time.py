#!/usr/bin/env python3
"""A cell at 10 kHz in real time for 60 s, and memory over 100 million steps.

    tests/proof/network_time.py ENGINE [SECONDS [STEPS]]

The first keeps to the clock: how late each step began is told in a histogram; a step is missed where the next was due by then. What is
missed depends on the machine and what else it does; that every step is there and counted must hold. The second runs as fast as it goes:
the most memory of STEPS steps may be 1 MB above that of a hundredth of them. Exits with 1 where one does not hold. Standard library only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FILE = """format = 1
seed = 1
duration_ms = {duration_ms}
dt_ms = 0.1
{pace}
[neurons.cell]
model = "{model}"
[neurons.cell.parameters]
{parameters}
"""


def simulate(engine: str, model: str, parameters: str, duration_ms: float, pace: str) -> tuple[dict, int]:
    """The summary, and the most memory that the program held, kB."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cell.toml"
        file.write_text(FILE.format(duration_ms=duration_ms, pace=pace, model=model, parameters=parameters), encoding="utf-8")
        with subprocess.Popen([engine, "simulate", str(file), "--out", folder, "--threads", "1", "--json"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as run:
            assert run.stdout
            printed = run.stdout.read()
            _, status, usage = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
        if run.returncode != 0:
            sys.exit(f"simulate exited with {run.returncode}")
        return json.loads(printed), usage.ru_maxrss


def main() -> int:
    engine = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    num_steps = int(float(sys.argv[3])) if len(sys.argv) > 3 else 100_000_000
    right = True
    print("\n| cell at 10 kHz | steps | missed | late, median | 99 % | most |\n|---|---|---|---|---|---|")
    for model, parameters in (("adex", 'I = "0.8 nA"'), ("hodgkin_huxley", "")):
        summary, _ = simulate(engine, model, parameters, 1e3 * seconds, "speed = 1")
        kept = summary["pace"]
        right = right and kept["steps"] == round(seconds * 1e4) == sum(row["steps"] for row in kept["lateness"])
        print(f"| {model} | {kept['steps']} | {kept['missed']} | {kept['late_p50_us']:.2g} us | {kept['late_p99_us']:.3g} us |"
              f" {kept['late_most_us']:.4g} us |", flush=True)
        by_decade: dict[str, int] = {}
        for row in kept["lateness"]:
            name = next((f"below {top:g} us" for top in (1, 10, 100, 1000) if row["from_us"] < top), "1 ms and more")
            by_decade[name] = by_decade.get(name, 0) + row["steps"]
        print(f"| | {', '.join(f'{name}: {count}' for name, count in by_decade.items())} | | | | |", flush=True)
    (_, short), (summary, long) = (simulate(engine, "lif", 'I = "0.4 nA"', steps * 0.1, "") for steps in (num_steps // 100, num_steps))
    right = right and long - short <= 1024
    print(f"\n{num_steps:,} steps of one cell in {summary['run_s']:.0f} s, {summary['neurons']['cell']['spikes']:,} spikes:"
          f" {long / 1024:.1f} MB at most, {short / 1024:.1f} MB for a hundredth of them.\n")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
