"""Simulated experiments as tasks: runs with other seeds and settings, and the runs of a comparison."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SpecError
from ..loop import Experiment
from .mapping import map
from .store import Store
from .task import Task

if TYPE_CHECKING:
    import pandas

    from ..loop import Pairing

KEPT = ("metrics", "estimate", "trials")


def run_task(experiment: Experiment, *, keep: Sequence[str] = ("metrics",), num_contrasts: int | None = None,
             items: Iterable[Any] = ()) -> Task:
    """An experiment as a task; its items are seeds, or tables of settings by dotted path, the seed among them.

    The result is a table: ``num_trials``, ``belief_digest``, and by ``keep`` the ``metrics`` of the belief at the end; its ``mean``
    and ``sd`` (``estimate``); ``stimulus`` and ``response`` of each trial (``trials``). ``num_contrasts``: also ``spce`` and ``snmc``,
    for a model written as text. ``items``: those that will be mapped, where they name files.

    >>> import hartline as hl
    >>> task = hl.cloud.run_task(hl.Experiment.example("psychometric", set={"num_trials": 20}), keep=["estimate"])
    >>> results = list(hl.cloud.map(task, [1, {"seed": 2, "num_trials": 5}]))
    >>> [result["num_trials"] for result in results]
    [20, 5]
    """
    for what in keep:
        if what not in KEPT:
            raise SpecError.about("keep", f"of {', '.join(KEPT)}", repr(what))
    common: dict[str, Any] = {"text": experiment.text, "keep": list(keep)}
    if num_contrasts is not None:
        common["num_contrasts"] = num_contrasts
    return _task("hartline.cloud.experiments.run", experiment, common, items)


def run(item: Any, *, text: str, keep: Sequence[str], num_contrasts: int | None = None, folder: str = "") -> dict[str, Any]:
    """One run; what the task of ``run_task`` does."""
    settings = {"seed": item} if isinstance(item, int) else item
    if not isinstance(settings, dict):
        raise SpecError.about("item", "a seed or a table of settings", repr(item))
    experiment = Experiment(text, folder=folder, set=settings, threads=1)
    done = experiment.run()
    metrics = done.metrics
    out: dict[str, Any] = {name: metrics.pop(name) for name in ("num_trials", "belief_digest")}
    if "metrics" in keep:
        out |= {name: value for name, value in metrics.items() if not name.startswith("choose_")}  # times are no results
    if "estimate" in keep:
        out |= {"mean": done.mean, "sd": done.sd}
    if "trials" in keep:
        columns = done.columns()
        out |= {name: columns[name] for name in ("stimulus", "response")}
    return out if num_contrasts is None else out | done.score(num_contrasts)


def sweep(experiment: Experiment, over: Mapping[str, Iterable[Any]], seeds: int | Iterable[int] = 1, executor: Executor | None = None,
          *, keep: Sequence[str] = ("metrics",), num_contrasts: int | None = None,
          **options: Any) -> pandas.DataFrame | list[dict[str, Any]]:
    """Runs an experiment with every combination of the values of some settings, for every seed.

    ``over``: lists of values by dotted path. ``seeds``: how many, from the experiment's own on, or which. ``options``: of ``map``.
    Returns a table with a row for each run: its settings, its seed, its result; of pandas, or a list where there is none.

    >>> import hartline as hl
    >>> experiment = hl.Experiment.example("psychometric")
    >>> table = hl.cloud.sweep(experiment, over={"num_trials": [5, 10]}, seeds=2)
    >>> table[["num_trials", "seed"]].values.tolist()
    [[5, 1], [5, 2], [10, 1], [10, 2]]
    """
    chosen = range(experiment.seed, experiment.seed + seeds) if isinstance(seeds, int) else list(seeds)
    values = {path: list(of) for path, of in over.items()}
    items = [dict(zip(values, some, strict=True)) | {"seed": seed} for some in itertools.product(*values.values()) for seed in chosen]
    task = run_task(experiment, keep=keep, num_contrasts=num_contrasts, items=items)
    rows = [item | result for item, result in zip(items, map(task, items, executor, **options).results(), strict=True)]
    if importlib.util.find_spec("pandas") is None:
        return rows
    import pandas

    return pandas.DataFrame(rows)


def compare(experiment: Experiment, executor: Executor | None = None, **options: Any) -> dict[str, Any]:
    """What ``Experiment.compare`` and ``hartline compare`` tell, to the byte, with a task for each run of a design with a seed.

    ``options``: of ``map``.

    >>> import hartline as hl
    >>> experiment = hl.Experiment.example("psychometric", set={"num_trials": 8, "compare.num_seeds": 2})
    >>> hl.cloud.compare(experiment) == experiment.compare()
    True
    """
    pairing = experiment.pairing()
    task = _task("hartline.cloud.experiments.measure", experiment, {"text": experiment.text}, ())
    return pairing.combine(map(task, range(pairing.num_runs), executor, **options).results())


def measure(run_idx: int, *, text: str, folder: str = "") -> list[list[float]]:
    """One run of a comparison; what the tasks of ``compare`` do."""
    return _pairing(text, folder).measure(run_idx)


@functools.lru_cache(maxsize=1)
def _pairing(text: str, folder: str) -> Pairing:
    return Experiment(text, folder=folder, threads=1).pairing()


def _task(function: str, experiment: Experiment, common: dict[str, Any], items: Iterable[Any]) -> Task:
    """Raises SpecError for an experiment that cannot travel, or whose result would depend on the machine's load."""
    for part in ("subject", "model"):
        if experiment.to_dict()[part].get("kind") in ("given", "remote"):
            raise SpecError.about(f"{part}.kind", "one that a description holds", repr(experiment.to_dict()[part]["kind"]),
                                  "Objects of a program cannot travel; give their module's function to map instead.")
    document = tomllib.loads(experiment.text)
    described = [document, *document.get("compare", {}).get("design", []), *(item for item in items if isinstance(item, dict))]
    for table in described:
        if deadline := next(_settings(table, "design", "deadline_ms"), None):
            raise SpecError.about("design.deadline_ms", "absent in a sweep", f"{deadline} ms", "Results would depend on the load.")
    files = sorted({name for table in described for name in _files(table, experiment.folder)})
    return Task(function, common, experiment.folder if files else "", tuple(files))


def _settings(table: Mapping[str, Any], part: str, name: str) -> Iterator[Any]:
    """What a table says of a setting, nested or by its dotted path."""
    nested = table.get(part)
    for value in (table.get(f"{part}.{name}"), nested.get(name) if isinstance(nested, Mapping) else None):
        if value is not None:
            yield value


def _files(table: Mapping[str, Any], folder: str) -> Iterator[str]:
    """Files that a description names, relative to its folder."""
    yield from _settings(table, "stimulus", "file")
    for name in _settings(table, "subject", "folder"):
        yield from (str(Path(name, file.name)) for file in Path(folder, name).iterdir() if file.is_file())
