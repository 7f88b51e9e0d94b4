"""Evolution strategies as a map: a training whose steps are rollouts on as many cores as there are."""

from __future__ import annotations

import base64
import contextlib
import os
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from .. import loop
from ..errors import IoError
from .local import Workers
from .mapping import map
from .store import Store, write_new
from .task import Task


def train_es(experiment: Mapping[str, Any] | str | os.PathLike[str], path: str | os.PathLike[str], executor: Executor | None = None, *,
             store: Store | str | None = None, progress: Callable[[int, int], object] | None = None, **options: Any) -> dict[str, Any]:
    """Trains the network of an experiment, with ``train.method = "evolution"``, to the bytes of ``hartline train``.

    ``experiment``: a file, or its tables. ``path``: the new file of the network, written when it is finished. Each pair of neighbours
    is a task. ``store``: keeps every pair's score, so that a training that was killed, started again, goes through what it had and on
    from there. ``progress(done, all)`` counts steps; ``options``: of ``map``. Returns ``hartline.loop.training_info``.

    >>> import hartline as hl, tempfile
    >>> document = {"format": 1, "seed": 1, "num_trials": 3, "stimulus": {"x": "box(-1, 1)"},
    ...             "model": {"response": "r ~ normal(w * x, 0.5)", "parameters": {"w": "normal(0, 1)"}},
    ...             "train": {"num_steps": 2, "num_pairs": 2, "num_rollouts": 4, "num_contrasts": 20, "encoder": [4], "readout": [4]}}
    >>> hl.cloud.train_es(document, tempfile.mkdtemp() + "/line.policy")["num_steps"]
    2
    """
    target = Path(path)
    if target.exists():
        raise IoError.about(str(target), "a new file", "one that exists", "Remove it or name another.")
    if isinstance(experiment, Mapping):
        network = loop.begin_training(dict(experiment))
    else:
        file = Path(experiment)
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise IoError.about(str(file), "a file that can be read", str(error.strerror)) from error
        network = loop.begin_training(document, str(file), str(file.resolve().parent))
    kept = Store(store) if store is not None and not isinstance(store, Store) else store
    with contextlib.ExitStack() as closing:
        workers = executor or closing.enter_context(Workers())
        while not (info := loop.training_info(network))["finished"]:
            task = Task("hartline.cloud.evolution.fitness", {"network": base64.b64encode(network).decode()})
            pairs = map(task, range(info["num_pairs"]), workers, store=kept, **options).results()
            network = loop.take_step(network, [(plus, minus) for plus, minus in pairs])
            if progress:
                progress(info["num_steps"] + 1, info["all_steps"])
    try:
        write_new(target, network)
    except OSError as error:
        raise IoError.about(str(target), "a new file in a folder that can be written", str(error.strerror)) from error
    return dict(info)


def fitness(pair: int, *, network: str) -> tuple[float, float]:
    """Scores of the neighbours w + e and w - e; what the tasks of ``train_es`` do."""
    plus, minus = loop.pair_fitness(base64.b64decode(network), [pair])[0]
    return plus, minus
