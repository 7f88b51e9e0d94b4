"""Functions that the tests of ``hartline.cloud`` send to workers, and an engine that is another."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import hartline as hl


def curve(item: int, scale: float = 0.1) -> dict[str, Any]:
    """Plain data of several kinds, with a number that has no short decimal form."""
    return {"item": item, "values": [item * scale, 1 / 3, None, "ü"], "nested": {"even": item % 2 == 0}}


def ended_by(item: dict[str, Any]) -> int:
    """Ends its process in the way that the item names."""
    match item.get("how"):
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segmentation fault":
            ctypes.string_at(0)
        case "left":
            os._exit(3)
        case "exit":
            sys.exit(3)
        case "memory":
            bytearray(1 << 62)
    return int(item["number"])


def once_lost(item: dict[str, Any]) -> int:
    """Is lost with its worker the first time, which a file remembers."""
    mark = Path(item["folder"]) / str(item["number"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return int(item["number"])


def counted(item: dict[str, Any]) -> int:
    """Leaves a line in a file each time that it is computed."""
    with open(item["log"], "a", encoding="utf-8") as log:
        log.write(f"{item['number']}\n")
    time.sleep(item.get("seconds", 0))
    return int(item["number"]) ** 2


def large(item: int) -> str:
    return f"{item:05d}" * 2000


def refused(item: int) -> None:
    hl.GlmSpec(bin_ms=-item)


def no_result(item: int) -> Any:
    return {item}


def pid(item: float) -> int:
    time.sleep(item)
    return os.getpid()


def other_engine(folder: Path) -> Path:
    """A folder with a copy of the package that differs in one comment."""
    package = Path(hl.__file__).parent
    shutil.copytree(package, folder / "hartline", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for library in package.glob("*.so"):
        (folder / "hartline" / library.name).symlink_to(library)
    with (folder / "hartline" / "tables.py").open("a", encoding="utf-8") as file:
        file.write("# another build\n")
    return folder
