#!/usr/bin/env python3
"""Tests of tools/import_salamander on a made-up recording whose receptive fields are known.

    build/venv-test/bin/python tools/import_salamander_test.py
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

import numpy as np

IMPORT = Path(__file__).with_name("import_salamander")
NUM_FRAMES, SIDE = 36000, 48
CELLS = {3: (10, 12), 40: (24, 30), 171: (37, 20)}     # cell: centre in the window
COURSE = np.array([0, 0, 0.1, 0.5, 0.7, 0.4, 0.1, -0.1, -0.2, -0.1])
COURSE /= np.linalg.norm(COURSE)


def driven_counts(squares: np.ndarray, centre: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Spikes of an OFF cell with a Gaussian receptive field; squares +-1 [num_frames, 48, 48]."""
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    field = np.exp(-0.5 * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 1.5**2)
    drive = np.convolve(squares.reshape(NUM_FRAMES, -1) @ (field / np.linalg.norm(field)).ravel(), COURSE)[:NUM_FRAMES]
    return generator.poisson(np.exp(-2.5 - drive)).clip(0, 255)


def write_recording(folder: Path) -> np.ndarray:
    """Writes the three files that are read; returns the squares [num_frames, 48, 48]."""
    generator = np.random.default_rng(7)
    packed = generator.integers(0, 256, (NUM_FRAMES, SIDE * SIDE // 8), dtype=np.uint8)
    squares = np.unpackbits(packed, axis=1).astype(np.float32).reshape(-1, SIDE, SIDE) * 2 - 1
    counts = np.zeros((177, NUM_FRAMES), dtype=np.uint8)
    for cell, centre in CELLS.items():
        counts[cell] = driven_counts(squares, centre, generator)
    np.save(folder / "stim_window_x78_y45_48x48_packed.npy", packed)
    with gzip.open(folder / "spike_counts_177x36000_u8.npy.gz", "wb", compresslevel=1) as file:
        np.save(file, counts)
    (folder / "ln_baseline.csv").write_text("cell,spikes\n" + "".join(f"{cell},0\n" for cell in CELLS))
    return squares


class MadeUpRecording(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory()
        cls.data = Path(cls.temporary.name) / "rgc-salamander-liu2017"
        cls.data.mkdir()
        cls.squares = write_recording(cls.data)
        cls.out = Path(cls.temporary.name) / "out"
        cls.run_import("--all", "--out", str(cls.out))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    @classmethod
    def run_import(cls, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        environment = os.environ | {"HARTLINE_DATA": cls.temporary.name} | environment
        return subprocess.run([sys.executable, str(IMPORT), *arguments], capture_output=True, text=True, env=environment)

    def read(self, folder: Path) -> tuple[dict, np.ndarray, np.ndarray]:
        table = tomllib.loads((folder / "trials.toml").read_text())
        return table, np.load(folder / "stimuli.npy"), np.load(folder / "responses.npy")

    def test_shapes_and_types_are_as_described(self) -> None:
        for cell in CELLS:
            table, stimuli, responses = self.read(self.out / f"cell_{cell:03d}")
            self.assertEqual((table["num_trials"], table["dim"], table["shape"]), (NUM_FRAMES, 169, [13, 13]))
            self.assertEqual((stimuli.shape, stimuli.dtype, stimuli.flags.c_contiguous), ((NUM_FRAMES, 169), np.float32, True))
            self.assertEqual((responses.shape, responses.dtype), ((NUM_FRAMES,), np.float64))
            self.assertEqual(table["split"], {"pool": [0, 25000], "held_out": [28800, 36000]})
            self.assertTrue(np.all(np.abs(stimuli.std(axis=0) - 1) < 0.05))

    def test_stimuli_are_the_squares_around_the_centre_filtered_by_the_stated_function(self) -> None:
        for cell, (x, y) in CELLS.items():
            table, stimuli, _ = self.read(self.out / f"cell_{cell:03d}")
            stated = table["source"]["temporal_function"].split(": ")[1].split(". ")[0]
            function = np.array([float(number) for number in stated.split(", ")])
            self.assertGreater(function[:len(COURSE)] @ COURSE, 0.98)
            self.assertIn(f"({78 + x}, {45 + y})", table["source"]["stimulus"])
            for frame in (0, 3, 20000):
                expected = sum(function[lag] * self.squares[frame - lag, x - 6:x + 7, y - 6:y + 7] for lag in range(min(frame, 15) + 1))
                np.testing.assert_allclose(stimuli[frame].reshape(13, 13), expected, atol=1e-5)

    def test_stimuli_do_not_depend_on_held_out_responses_nor_beyond_its_place_on_the_cell(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / "data"
            changed.mkdir()
            for path in self.data.iterdir():
                (changed / path.name).write_bytes(path.read_bytes())
            with gzip.open(changed / "spike_counts_177x36000_u8.npy.gz") as file:
                counts = np.load(file)
            counts[:, 25000:] = 0
            counts[40, :12000] = 0
            with gzip.open(changed / "spike_counts_177x36000_u8.npy.gz", "wb", compresslevel=1) as file:
                np.save(file, counts)
            result = self.run_import("--cell", "40", "--data", str(changed), "--out", f"{folder}/out")
            self.assertEqual(result.returncode, 0, result.stderr)
            np.testing.assert_array_equal(np.load(f"{folder}/out/stimuli.npy"), np.load(self.out / "cell_040" / "stimuli.npy"))

    def test_own_temporal_function_differs_from_that_of_the_others(self) -> None:
        result = self.run_import("--cell", "3", "--temporal", "own", "--out", f"{self.out}/own")
        self.assertEqual(result.returncode, 0, result.stderr)
        table, stimuli, _ = self.read(self.out / "own")
        self.assertIn("of the cell itself", table["source"]["temporal_function"])
        self.assertFalse(np.array_equal(stimuli, np.load(self.out / "cell_003" / "stimuli.npy")))

    def test_mistakes_are_told_in_one_line(self) -> None:
        for arguments, environment, says in (
                (("--cell", "4", "--out", "x"), {}, "--cell: must be one of 3, 40, 171 (got 4)."),
                (("--cell", "3", "--out", "x"), {"HARTLINE_DATA": ""}, "--data or HARTLINE_DATA must be given."),
                (("--cell", "3", "--out", "x", "--data", "/nowhere"), {}, "/nowhere/spike_counts_177x36000_u8.npy.gz must exist.")):
            with self.subTest(says):
                result = self.run_import(*arguments, **environment)
                self.assertEqual(result.returncode, 1)
                self.assertIn(says, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
