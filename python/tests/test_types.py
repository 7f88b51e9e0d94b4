"""The stubs agree with how the package is used: mypy, strictly, over the package and these tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hartline

HERE = Path(__file__).resolve().parent


def mypy(*files: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("mypy")
    return subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, *files], capture_output=True, text=True,
                          cwd=HERE)


def test_package_is_marked_as_typed() -> None:
    package = Path(hartline.__file__).parent
    assert (package / "py.typed").exists() and (package / "_engine" / "__init__.pyi").exists()


def test_mypy_passes_on_package_stubs_and_tests(tmp_path: Path) -> None:
    done = mypy(Path(hartline.__file__).parent, *sorted(HERE.glob("*.py")), cache=tmp_path)
    assert done.returncode == 0, done.stdout


def test_mypy_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import hartline as hl\n"
                     "hl.GlmSpec(lnk='exp')\n"
                     "hl.GlmSpec(bin_ms='ten')\n"
                     "hl.Experiment.example('gabor').run().digest + 1\n"
                     "hl.models.glm(shape=[2]).prior().mean = 3\n")
    done = mypy(wrong, cache=tmp_path)
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == {2, 3, 4, 5}, done.stdout
