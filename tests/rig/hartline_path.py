"""Finds the package: as it was built, with its extension; without a build the sources, whose rig side needs none."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "dev" / "python"
sys.path.insert(0, str(BUILT if any((BUILT / "hartline").glob("_engine*.so")) else ROOT / "python"))
