"""The program ``hartline``."""

from ._engine.cli import run_program, version

__all__ = ["run_program", "version"]
