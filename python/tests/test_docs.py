"""Every public name is explained, with an example that runs."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator

import pytest

import hartline

MODULES = ["hartline", *(f"hartline.{m.name}" for m in pkgutil.iter_modules(hartline.__path__) if not m.name.startswith("_"))]


def public_names() -> Iterator[tuple[str, object]]:
    seen: set[int] = set()
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            if id(thing) not in seen and not isinstance(thing, types.ModuleType):
                seen.add(id(thing))
                yield f"{module_name}.{name}", thing


PUBLIC = dict(public_names())


@pytest.mark.parametrize("name", PUBLIC)
def test_example_runs(name: str) -> None:
    doc = inspect.getdoc(PUBLIC[name])
    assert doc and ">>> " in doc, "a public name has a docstring with an example"
    flags = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    example = doctest.DocTestParser().get_doctest(doc, {}, name, None, 0)
    results = doctest.DocTestRunner(optionflags=flags).run(example)
    assert results.attempted > 0 and results.failed == 0


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if inspect.isclass(thing)])
def test_members_are_explained(name: str) -> None:
    thing = PUBLIC[name]
    for member, value in vars(thing).items():
        if not member.startswith("_") and (callable(value) or isinstance(value, (property, staticmethod)) or hasattr(value, "__doc__")):
            if isinstance(value, (str, int, dict)):
                continue  # a default
            assert (getattr(value, "__doc__", "") or "").strip(), f"{name}.{member} has no docstring"


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_explained_and_list_what_is_public(module: str) -> None:
    imported = importlib.import_module(module)
    assert imported.__doc__ and sorted(imported.__all__, key=str) == list(imported.__all__)


def test_keywords_are_named_as_in_the_engine() -> None:
    doc = hartline.models.GlmSpec.__init__.__doc__ or ""
    assert "link: str = 'exp'" in doc and "bin_ms: float = 1000.0" in doc and "coupling: bool = False" in doc
