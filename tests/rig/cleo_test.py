#!/usr/bin/env python3
"""A Brian 2 network seen through Cleo's electrodes as the subject: ask and tell recovers the tuning that it was given.

    tests/rig/cleo_test.py HARTLINE_BINARY

Runs in build/venv-rig. Prints `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

import brian2.only as b2
import cleo
import hartline_path
import numpy as np
from brian2 import Hz, mm, ms

from hartline.rig import Rig
from rig_test import replayed, require, run_tests

WINDOW_MS, SAMPLE_MS = 300, 20
BASELINE_HZ, AMPLITUDE_HZ, WIDTH = 4.0, 90.0, 1.7
CENTRES = np.array([-6.0, -2.5, 0.5, 3.3, 7.0])  # of the cells
EXPERIMENT = """format = 1
seed = 8
num_trials = {trials}
[subject]
kind = "remote"
[stimulus]
kind = "axis"
axis = {{ from = -10.0, to = 10.0, num = 51 }}
[model]
kind = "tuning_curve"
bin_ms = {window}
centre = {{ from = 0.0, to = 8.0, num = 33 }}
width = {{ from = 0.8, to = 3.2, num = 25 }}
amplitude = {{ from = 40.0, to = 160.0, num = 13 }}
baseline = {{ values = [1.0, 2.0, 4.0, 8.0] }}
[design]
kind = "{design}"
"""


def tuning(x: float | np.ndarray, centre: float | np.ndarray) -> np.ndarray:
    """The rate in Hz that a cell is given."""
    return BASELINE_HZ + AMPLITUDE_HZ * np.exp(-((x - centre) ** 2) / (2 * WIDTH**2))


class Cortex:
    """Tuned inputs, each with a relay cell that fires whenever its input does; electrodes lie along the relay cells."""

    def __init__(self, seed: int):
        b2.prefs.codegen.target = "numpy"
        b2.defaultclock.dt = 1 * ms
        b2.seed(seed)
        cleo.utilities.set_seed(seed)
        num = len(CENTRES)
        self.inputs = b2.NeuronGroup(num, "rate : Hz", threshold="rand() < rate*dt")
        relays = b2.NeuronGroup(num, "v : 1", threshold="v > 0.5", reset="v -= 1")
        synapses = b2.Synapses(self.inputs, relays, on_pre="v_post += 1")
        synapses.connect(j="i")
        self.simulator = cleo.CLSimulator(b2.Network(self.inputs, relays, synapses))
        along = np.arange(num) * 0.4
        cleo.coords.assign_coords(relays, np.c_[along, 0 * along, 0 * along + 0.01] * mm)
        self.spikes = cleo.ephys.SortedSpiking()
        electrodes = cleo.ephys.Probe(coords=np.c_[along, 0 * along, 0 * along] * mm, signals=[self.spikes], save_history=True)
        self.simulator.set_io_processor(cleo.ioproc.RecordOnlyProcessor(sample_period=SAMPLE_MS * ms))
        self.simulator.inject(electrodes, relays)

    def counts(self, x: float) -> np.ndarray:
        """Spikes that the electrodes see of each cell while the stimulus is on."""
        self.inputs.rate = tuning(x, CENTRES) * Hz
        before = len(self.spikes.i)
        self.simulator.run(WINDOW_MS * ms)
        self.inputs.rate = 0 * Hz  # what the electrodes saw comes with their next sample
        self.simulator.run(2 * SAMPLE_MS * ms)
        return np.bincount(self.spikes.i[before:], minlength=len(CENTRES))


def found_by(arguments: argparse.Namespace, folder: Path, cell: int, design: str, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of centre, width, amplitude and baseline after an experiment on one cell."""
    file, record = folder / f"{design}.toml", folder / f"{design}.hartline"
    file.write_text(EXPERIMENT.format(trials=trials, window=float(WINDOW_MS), design=design))
    cortex = Cortex(arguments.seed)
    with Rig.start(file, record=record, program=[arguments.binary], arguments=["--threads", "1"]) as rig:
        for stimulus in rig:
            rig.tell(stimulus, cortex.counts(float(stimulus.values.ravel()[0]))[cell])
    replayed(arguments.binary, record)
    query = "SELECT samples FROM array WHERE name = ? ORDER BY num_trials DESC LIMIT 1"
    with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as connection:
        mean, sd = (np.frombuffer(connection.execute(query, (name,)).fetchone()[0], "<f8") for name in ("mean", "sd"))
    return mean, sd


def error_of(mean: np.ndarray, centre: float) -> float:
    """Root mean square difference of the curve found and the curve of a cell, as a share of its amplitude."""
    x = np.linspace(-10, 10, 201)
    found = mean[3] + mean[2] * np.exp(-((x - mean[0]) ** 2) / (2 * mean[1] ** 2))
    return float(np.sqrt(np.mean((found - tuning(x, centre)) ** 2)) / AMPLITUDE_HZ)


def the_known_tuning_is_found(arguments: argparse.Namespace, folder: Path) -> None:
    cell, trials = 3, 40
    mean, sd = found_by(arguments, folder, cell, "infomax", trials)
    errors = [error_of(mean, centre) for centre in CENTRES]
    print(f"  Cleo: {trials} trials: centre {mean[0]:.2f} ± {sd[0]:.2f} (3.3), width {mean[1]:.2f} ± {sd[1]:.2f} ({WIDTH}), "
          f"amplitude {mean[2]:.0f} ± {sd[2]:.0f} Hz ({AMPLITUDE_HZ:.0f}); curve off by {errors[cell]:.3f} of the amplitude")
    require(errors[cell] < 0.06, f"the curve is off by {errors[cell]:.3f} of its amplitude")
    require(min(error for k, error in enumerate(errors) if k != cell) > 0.2, f"the bound would let another cell's curve pass: {errors}")
    require(abs(mean[0] - CENTRES[cell]) < 4 * sd[0] and sd[0] < 0.3, f"the centre is {mean[0]} ± {sd[0]}, not {CENTRES[cell]}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seed", type=int, default=17)
    return run_tests([the_known_tuning_is_found], parser.parse_args())


if __name__ == "__main__":
    assert hartline_path.ROOT
    sys.exit(main())
