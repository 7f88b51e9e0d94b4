"""Trials and learning curves as tables of pandas and xarray, which are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _engine

if TYPE_CHECKING:
    import pandas
    import xarray

__all__ = ["data_frame", "data_set", "learning_curves"]

ROLES, MARKS = np.array(_engine.base.ROLES.split()), np.array(_engine.base.MARKS.split())
SCALARS = ["utility", "log_evidence", "requested_s", "delivered_s", "arm", "pool_idx", "attempt", "units", "lateness_ms"]


def data_frame(columns: Mapping[str, Any]) -> pandas.DataFrame:
    """The trials as a data frame; a stimulus or a response of several values is an array in its cell.

    >>> import hartline as hl
    >>> run = hl.Experiment.example("tuning_curve").run()
    >>> hl.tables.data_frame(run.columns()).shape[0]
    20
    """
    import pandas

    table: dict[str, Any] = {"trial": columns["trial"], "role": ROLES[columns["role"]]}
    for name in ("stimulus", "response"):
        values = columns[name]
        if values is None:
            continue
        flat = values.reshape(len(values), -1)
        table[name] = flat[:, 0] if flat.shape[1] == 1 else list(values)
    marks = columns["mark"].astype(int).reshape(len(columns["trial"]), -1)
    table["mark"] = MARKS[marks[:, 0]] if marks.shape[1] == 1 else list(MARKS[marks])
    table.update({name: columns[name] for name in SCALARS})
    return pandas.DataFrame(table)


def data_set(columns: Mapping[str, Any]) -> xarray.Dataset:
    """The trials as a data set over trial, cell, bin and the axes of the stimulus.

    >>> import hartline as hl
    >>> run = hl.Experiment.example("tuning_curve").run()
    >>> dict(hl.tables.data_set(run.columns()).response.sizes)
    {'trial': 20, 'cell': 1, 'bin': 1}
    """
    import xarray

    data: dict[str, Any] = {
        "response": (("trial", "cell", "bin"), columns["response"]),
        "mark": (("trial", "cell", "bin"), MARKS[columns["mark"].astype(int)]),
        "role": ("trial", ROLES[columns["role"]]),
    }
    if columns["stimulus"] is not None:
        axes = tuple(f"axis_{k}" for k in range(columns["stimulus"].ndim - 1))
        data["stimulus"] = (("trial", *axes), columns["stimulus"])
    data.update({name: ("trial", columns[name]) for name in SCALARS})
    return xarray.Dataset(data, coords={"trial": columns["trial"]})


def learning_curves(comparison: Mapping[str, Any]) -> pandas.DataFrame:
    """The learning curves of ``Experiment.compare`` as a data frame: a row for each design, metric and trial count.

    >>> import hartline as hl
    >>> experiment = hl.Experiment.example("tuning_curve", set={"compare.num_seeds": 2, "compare.num_held_out": 20})
    >>> curves = hl.learning_curves(experiment.compare())
    >>> sorted(curves.design.unique())
    ['infomax', 'random', 'uncertainty sampling']
    """
    import pandas

    frames = [
        pandas.DataFrame({"design": design["name"], "metric": metric, "trial": design["trials"], **band})
        for design in comparison["designs"]
        for metric, band in design["metrics"].items()
    ]
    return pandas.concat(frames, ignore_index=True)
