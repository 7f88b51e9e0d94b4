"""A folder of results, each under the hash of its task: what is there need not be computed again."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import time
from pathlib import Path

from ..errors import IoError, RunError
from .engine import engine

UNFINISHED = ".unfinished"
FORGOTTEN_S = 3600.0  # an unfinished file as old as this has no writer any more


class Store:
    """Results by the SHA-256 of their task, as ``folder/ab/cdef….json``; ``folder/store.json`` names the engine that made them.

    A result is written aside, brought to the disk, and then takes its name, which it keeps: the first one stays, and another must
    have its bytes. Several clients may share a folder. Raises IoError for a store of another engine and for what a disk refuses.

    >>> import hartline as hl, tempfile
    >>> store = hl.cloud.Store(tempfile.mkdtemp() + "/results")
    >>> store.put("0" * 64, b"42"), store.put("0" * 64, b"42"), store.get("0" * 64), len(store.keys())
    (True, False, b'42', 1)
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        about = json.dumps({"format": 1, "engine": engine()}) + "\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "store.json").exists():
                with contextlib.suppress(FileExistsError):
                    write_new(self.folder / "store.json", about.encode())
            found = json.loads((self.folder / "store.json").read_text())
        except OSError as error:
            raise self._disk(error) from error
        except ValueError as error:
            raise IoError.about(f"store {self.folder}", "a folder of results", f"{error} in store.json") from error
        if found != json.loads(about):
            raise IoError.about(f"store {self.folder}", f"of the engine {engine()}, format 1", f"{found.get('engine')}, format "
                                f"{found.get('format')}", "Name another folder; results of two engines are never mixed.")

    def keys(self) -> set[str]:
        """Of everything that is stored. Removes what writers that died left unfinished."""
        out = set()
        for shelf in self.folder.glob("??"):
            for entry in os.scandir(shelf):
                if entry.name.endswith(".json"):
                    out.add(shelf.name + entry.name.removesuffix(".json"))
                elif entry.name.endswith(UNFINISHED):
                    with contextlib.suppress(OSError):  # another client was faster
                        if time.time() - entry.stat().st_mtime > FORGOTTEN_S:
                            os.unlink(entry.path)
        return out

    def get(self, key: str) -> bytes | None:
        """A stored result; None where there is none. Raises IoError."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._disk(error) from error

    def put(self, key: str, result: bytes) -> bool:
        """Stores a result; whether it is new. Raises IoError, and RunError where another result is there already."""
        path = self._path(key)
        try:
            if not path.parent.exists():
                path.parent.mkdir(exist_ok=True)
                _to_the_disk(self.folder)
            write_new(path, result)
        except FileExistsError:
            if self.get(key) != result:
                raise RunError.about("task", "a function of its item alone", "another result than is stored",
                                     f"The first one is kept: {path}.") from None
            return False
        except OSError as error:
            raise self._disk(error) from error
        return True

    def seconds(self, head: str) -> tuple[int, float]:
        """How many tasks of a head were timed, and their mean."""
        try:
            num, mean = json.loads((self.folder / f"{head}.seconds").read_text())
        except (OSError, ValueError):
            return 0, 0.0
        return int(num), float(mean)

    def keep_seconds(self, head: str, num: int, mean: float) -> None:
        """Adds `num` timed tasks to those known. It is for estimates only: nothing is raised where it cannot be kept."""
        known, before = self.seconds(head)
        path = self.folder / f"{head}.seconds"
        aside = _aside(path)
        with contextlib.suppress(OSError):
            aside.write_text(json.dumps([known + num, (known * before + num * mean) / (known + num)]))
            aside.replace(path)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.json"

    def _disk(self, error: OSError) -> IoError:
        return IoError.about(f"store {self.folder}", "a folder that can be read and written", str(error.strerror or error),
                             "What is stored stays stored; mend it and start again: only what is missing is computed.")


_numbers = itertools.count()


def _aside(path: Path) -> Path:
    """A name beside it that nobody else uses."""
    return path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}{UNFINISHED}")


def write_new(path: Path, data: bytes) -> None:
    """A new file, on the disk, all of it or nothing. Raises FileExistsError where the name is taken, OSError."""
    aside = _aside(path)
    try:
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)  # unlike renaming, never over another
    finally:
        aside.unlink(missing_ok=True)
    _to_the_disk(path.parent)


def _to_the_disk(folder: Path) -> None:
    """The names in a folder, as a power cut would leave them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
