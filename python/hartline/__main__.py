"""The program ``hartline``: the same as the executable, and ``hartline nwb``, which needs Python."""

from __future__ import annotations

import sys

from .cli import run_program


def main() -> int:
    """Runs the program with this process's command line."""
    sys.stdout.flush()
    if sys.argv[1:2] == ["nwb"]:
        from ._nwb_meta import command

        return command(sys.argv[2:])
    code = run_program(["hartline", *sys.argv[1:]])
    if sys.argv[1:] in (["--help"], ["-h"], ["--help-all"]):
        print("  nwb                         write a record as an NWB file (Python package only)")
    return code


if __name__ == "__main__":
    sys.exit(main())
