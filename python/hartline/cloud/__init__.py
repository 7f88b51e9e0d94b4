"""The cloud button: ``map`` over as many cores as one can get, with results that are kept.

A task is a function of plain data by its name, so that it can go anywhere; its result is kept under the hash of the task, so that
a sweep that is started again computes only what is missing, and whoever computes it gives the same bytes.

>>> import hartline as hl, tempfile
>>> store = tempfile.mkdtemp() + "/results"
>>> list(hl.cloud.map("math.isqrt", [4, 9, 16], store=store))
[2, 3, 4]
>>> hl.cloud.map("math.isqrt", [4, 9, 16, 25], store=store).wait().num_stored
3
"""

from .cluster import Dask, certificates, dask, security
from .evolution import train_es
from .experiments import compare, run_task, sweep
from .local import Workers
from .mapping import Estimate, Results, map
from .store import Store
from .task import Task

__all__ = [
    "Dask", "Estimate", "Results", "Store", "Task", "Workers", "certificates", "compare", "dask", "map", "run_task", "security", "sweep",
    "train_es",
]
