"""The program ``hartline``: the same as the executable."""

from __future__ import annotations

import sys

from .cli import run_program


def main() -> int:
    """Runs the program with this process's command line."""
    sys.stdout.flush()
    return run_program(["hartline", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
