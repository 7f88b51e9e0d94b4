"""The experiments that come with Hartline, as files."""

from __future__ import annotations

from pathlib import Path

__all__ = ["names", "path"]


def names() -> list[str]:
    """The names of the examples.

    >>> import hartline as hl
    >>> "gabor" in hl.examples.names()
    True
    """
    return sorted(file.stem for file in Path(__file__).parent.glob("*.toml"))


def path(name: str) -> Path:
    """The file of an example.

    >>> import hartline as hl
    >>> hl.examples.path("gabor").name
    'gabor.toml'
    """
    file = Path(__file__).parent / f"{name}.toml"
    if not file.exists():
        raise ValueError(f"example: must be one of {', '.join(names())} (got {name!r}).")
    return file
