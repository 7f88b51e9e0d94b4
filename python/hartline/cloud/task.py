"""A task: a function by its name and the plain data that all items share. What a worker is asked, and under which hash the answer is."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import SpecError
from .engine import engine
from .plain import digest, encode, plain


@dataclass(frozen=True)
class Task:
    """What is done to every item: ``function(item, **common)``, plain data in and plain data out.

    ``function`` is a dotted name that can be imported wherever the task runs. The hash of a result covers the engine, the function's
    name and the file it is in, ``common``, the item, and the content of ``files``, which are read relative to ``folder`` and must be
    there for the workers too. What the function's file imports is not covered.

    >>> import hartline as hl
    >>> task = hl.cloud.Task("builtins.sorted", {"reverse": True})
    >>> list(hl.cloud.map(task, [[1, 3, 2], [4, 6, 5]]))
    [[3, 2, 1], [6, 5, 4]]
    """

    function: str
    common: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    files: tuple[str, ...] = ()

    def head(self) -> bytes:
        """Two lines that all items share: what the hash covers, and where the files are. Raises SpecError."""
        covered = {"engine": engine(), "function": self.function, "code": code_of(function_named(self.function)),
                   "common": plain(self.common, "task.common"), "files": contents(self.folder, self.files)}
        return encode(covered, "task") + b"\n" + encode(self.folder, "task.folder") + b"\n"


def task_of(given: Task | str | Callable[..., Any]) -> Task:
    """A task from a function or its dotted name. Raises SpecError for one that cannot be found by its name."""
    if isinstance(given, Task):
        return given
    name = given if isinstance(given, str) else f"{getattr(given, '__module__', '')}.{getattr(given, '__qualname__', repr(given))}"
    if name.startswith("__main__.") or "<" in name:
        raise SpecError.about("task", "a function that workers can import", name, "Put it into a file of its own and import it from there.")
    if function_named(name) is not given and not isinstance(given, str):
        raise SpecError.about("task", "the function that its name finds", name, "Another one has its name.")
    return Task(name)


def function_named(name: str) -> Callable[..., Any]:
    """The function of a dotted name. Raises SpecError."""
    module, _, rest = name.rpartition(".")
    if not module or not rest.isidentifier():
        raise SpecError.about("task.function", "a dotted name such as lab.fits.one", repr(name))
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), rest)
    except (ImportError, AttributeError) as error:
        raise SpecError.about("task.function", "a function that can be imported", repr(name), f"{error}.") from error
    if not callable(found):
        raise SpecError.about("task.function", "a function", f"{name} = {found!r}")
    return found


def code_of(function: Callable[..., Any]) -> str:
    """Hash of the file that the function is in; "" for what is not written in Python."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return ""
    return digest(Path(file).read_bytes()) if file and Path(file).exists() else ""


def contents(folder: str, files: Iterable[str]) -> dict[str, str]:
    """Hash of each file, in order. Raises SpecError for one that cannot be read."""
    out = {}
    for name in sorted(files):
        try:
            out[name] = digest(Path(folder, name).read_bytes())
        except OSError as error:
            raise SpecError.about(f"task.files: {name}", f"readable in {folder or '.'}", str(error.strerror)) from error
    return out


class Refusal(Exception):
    """This worker may not answer, nor may any that is like it."""

    def __init__(self, field: str, expected: str, got: str, hint: str = ""):
        super().__init__(field, expected, got, hint)
        self.facts = (field, expected, got, hint)


def prepared(head: bytes) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What a head asks for, after it was made sure that it means the same here. Raises Refusal."""
    covered, folder = (json.loads(line) for line in head.rstrip(b"\n").split(b"\n"))
    if covered["engine"] != engine():
        raise Refusal("engine of a worker", f"{covered['engine']}, as the client's", engine(),
                      "Install the same build of hartline for both; results of two kinds are never mixed.")
    try:
        function = function_named(covered["function"])
        files = contents(folder, covered["files"])
    except SpecError as error:
        raise Refusal(error.field, error.expected, error.got, f"So it is for a worker, with {sys.executable}. {error.hint}") from error
    if code_of(function) != covered["code"]:
        raise Refusal(f"file of {covered['function']}", "the same for workers and client", "another one",
                      "Bring the workers' copy up to date and start them again.")
    for name, content in files.items():
        if content != covered["files"][name]:
            raise Refusal(f"task.files: {name}", "the same for workers and client", f"another content in {folder}")
    return function, covered["common"] | ({"folder": folder} if folder else {})
