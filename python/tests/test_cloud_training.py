"""Training as a map ends with the bytes of the program's own training."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import program

import hartline as hl

TEXT = """format = 1
seed = 1
num_trials = 4
[stimulus]
x = "box(-1, 1)"
[model]
response = "r ~ normal(w * x, 0.5)"
parameters = { w = "normal(0, 1)" }
[train]
method = "evolution"
num_steps = 4
num_pairs = 3
num_rollouts = 8
num_contrasts = 50
encoder = [8]
readout = [8]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "line.toml"
    path.write_text(TEXT)
    return path


def test_a_mapped_training_is_the_program_s(file: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    info = hl.cloud.train_es(file, tmp_path / "ours.policy", progress=lambda done, all: told.append((done, all)))
    assert info["finished"] and told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    subprocess.run([*program(), "train", str(file), "--out", str(tmp_path / "theirs.policy")], check=True, capture_output=True)
    assert (tmp_path / "ours.policy").read_bytes() == (tmp_path / "theirs.policy").read_bytes()


def test_a_training_that_stopped_goes_on_where_it_was(file: Path, tmp_path: Path) -> None:
    whole, store = tmp_path / "whole.policy", str(tmp_path / "store")
    hl.cloud.train_es(file, whole)

    def stop(done: int, all: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hl.cloud.train_es(file, tmp_path / "parts.policy", store=store, progress=stop)
    assert not (tmp_path / "parts.policy").exists()
    before = len(hl.cloud.Store(store).keys())
    counts: list[Any] = []
    hl.cloud.train_es(file, tmp_path / "parts.policy", store=store,
                      progress=lambda done, all: counts.append(len(hl.cloud.Store(store).keys())))
    assert before == 6 and counts == [6, 6, 9, 12]  # nothing is computed for the first two steps
    assert (tmp_path / "parts.policy").read_bytes() == whole.read_bytes()
    with pytest.raises(hl.IoError, match="must be a new file"):
        hl.cloud.train_es(file, whole)
