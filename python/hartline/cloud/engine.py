"""Which engine computes: results of another build, or of other instructions, need not have the same bits."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from ..cli import version

# x86-64 levels, each holding the one before: the flags of /proc/cpuinfo by which the engine and the C library choose their code
LEVELS = {
    "x86-64-v3": {"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}


def instructions() -> str:
    """The processor's level."""
    flags = next((line.split(":", 1)[1].split() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), [])
    level = "x86-64"
    for name, needed in LEVELS.items():
        if not needed <= set(flags):
            break
        level = name
    return level


@functools.cache
def engine() -> str:
    """Version, hash of the package's code, level of the processor: ``0.1.0 b05f…, x86-64-v3``."""
    package = Path(__file__).resolve().parents[1]
    code = hashlib.sha256()
    for file in sorted(package.rglob("*")):
        if file.suffix in (".py", ".so"):
            code.update(f"{file.relative_to(package)}\0".encode())
            with file.open("rb") as data:
                code.update(hashlib.file_digest(data, "sha256").digest())
    return f"{version()} {code.hexdigest()[:16]}, {instructions()}"
