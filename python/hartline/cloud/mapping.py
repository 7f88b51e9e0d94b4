"""``map``: a task over items, on any executor, with what is stored taken from the store and the rest computed."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from ..errors import Error, RunError, SpecError
from .local import Workers
from .perform import Reply, perform, read_reply
from .plain import digest, encode
from .progress import Line, duration
from .store import Store
from .task import Task, task_of

AHEAD = 1000  # tasks that an executor is given beyond those that its workers hold: enough to hide its latency, and to be scaled by

NUM_WRITERS = 8  # of results: a disk that is asked for eight at once keeps them together


@dataclass(frozen=True)
class _Step:
    """What a future that is waited for stands for: a task, or the storing of a worker's reply to it."""

    index: int
    reply: Reply | None = None


@dataclass(frozen=True)
class Estimate:
    """What a sweep costs: tasks times measured seconds, over workers.

    >>> import hartline as hl
    >>> print(hl.cloud.Estimate(num_tasks=1000, num_stored=400, seconds_per_task=6.0, num_workers=20))
    1000 tasks, 400 of them stored; 6 s each on 20 workers: 3 min, 1 core hours
    """

    num_tasks: int
    num_stored: int
    seconds_per_task: float
    num_workers: int

    @property
    def core_hours(self) -> float:
        """What a cloud bills."""
        return (self.num_tasks - self.num_stored) * self.seconds_per_task / 3600

    @property
    def seconds(self) -> float:
        """What one waits for."""
        return self.core_hours * 3600 / self.num_workers

    def __str__(self) -> str:
        return (f"{self.num_tasks} tasks, {self.num_stored} of them stored; {duration(self.seconds_per_task)} each on "
                f"{self.num_workers} workers: {duration(self.seconds)}, {self.core_hours:.3g} core hours")


class Results:
    """The results of a ``map`` while they come.

    ``futures`` has one ``concurrent.futures.Future`` for each item, in their order. A task that fails fails alone, with its own
    error. ``num_stored`` were there before, ``num_computed`` were computed now, ``num_lost`` counts workers lost under a task.

    >>> import hartline as hl
    >>> results = hl.cloud.map("math.factorial", [3, 4, -1])
    >>> results.wait().num_failed, results.partial()
    (1, {0: 6, 1: 24})
    >>> print(results.errors()[2])
    task[2]: must be one that returns (got ValueError: factorial() not defined for negative values).
    """

    def __init__(self, task: Task, items: Iterable[Any], executor: Executor, store: Store | None, *, owned: bool, tries: int,
                 num_workers: int, progress: Callable[[int, int], object] | None, estimate: bool):
        self._items = [encode(item, f"items[{k}]") for k, item in enumerate(items)]
        self._head = task.head()
        self._hashed = self._head.partition(b"\n")[0]
        self._executor, self._store, self._owned, self._tries, self._num_workers = executor, store, owned, tries, num_workers
        self.futures: list[Future[Any]] = [Future() for _ in self._items]
        self.num_stored = self.num_computed = self.num_failed = self.num_lost = 0
        self.seconds_computed = 0.0
        self._done: SimpleQueue[Future[bytes] | None] = SimpleQueue()
        self._writers = ThreadPoolExecutor(NUM_WRITERS, "hartline.cloud.store")
        self._num_lost = Counter[int]()
        self._cancelled = False
        self._progress, self._estimate = progress, estimate
        self._line = Line(len(self._items))
        self._thread = threading.Thread(target=self._drive, name="hartline.cloud.map", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self.futures)

    def __iter__(self) -> Iterator[Any]:
        """Results in the order of the items; raises at the place of one that failed."""
        with self:
            for future in self.futures:
                yield future.result()

    def as_completed(self, timeout_s: float | None = None) -> Iterator[tuple[int, Any]]:
        """Index and result of each item in the order in which they come; raises where one failed."""
        index_of = {future: index for index, future in enumerate(self.futures)}
        with self:
            for future in as_completed(self.futures, timeout_s):
                yield index_of[future], future.result()

    def results(self) -> list[Any]:
        """All results in the order of the items, once all tasks have ended; then raises the first error, if there is one."""
        self.wait()
        return [future.result() for future in self.futures]

    def partial(self) -> dict[int, Any]:
        """Index and result of what is there by now."""
        return {index: future.result() for index, future in enumerate(self.futures) if _returned(future)}

    def errors(self) -> dict[int, BaseException]:
        """Index and error of what has failed by now."""
        ended = {index: future.exception() for index, future in enumerate(self.futures) if future.done() and not future.cancelled()}
        return {index: error for index, error in ended.items() if error}

    def wait(self, timeout_s: float | None = None) -> Self:
        """Returns when all tasks have ended, or after so long."""
        with self:
            if not wait(self.futures, timeout_s).not_done:
                self._thread.join()
        return self

    def cancel(self) -> None:
        """Computes no more: what has not begun never will; what runs ends and is stored."""
        self._cancelled = True
        self._done.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ctrl-C cancels."""
        if kind is KeyboardInterrupt:
            self.cancel()

    # What the thread does.

    def _drive(self) -> None:
        try:
            missing = self._take_stored()
            if self._estimate and missing:
                missing = self._estimated(missing)
            self._compute(self._compute(missing, self._num_workers + AHEAD), 1)
        except BaseException as error:
            for future in self.futures:
                if not future.done():
                    future.set_exception(error)
        finally:
            for future in self.futures:
                if future.cancel():
                    future.set_running_or_notify_cancel()
            self._show(last=True)
            if self._store and self._estimate and self.num_computed:
                self._store.keep_seconds(digest(self._hashed), self.num_computed, self.seconds_computed / self.num_computed)
            self._writers.shutdown()
            if self._owned:
                self._executor.shutdown(wait=False, cancel_futures=True)

    def _key(self, index: int) -> str:
        return digest(self._hashed + b"\n" + self._items[index])

    def _take_stored(self) -> list[int]:
        """What is not in the store."""
        missing = []
        for index in range(len(self._items)):
            if self._cancelled:
                break
            if self._store and (stored := self._store.get(self._key(index))) is not None:
                self.futures[index].set_result(json.loads(stored))
                self.num_stored += 1
                self._show()
            else:
                missing.append(index)
        return missing

    def _estimated(self, missing: list[int]) -> list[int]:
        """Says what the missing tasks cost; times one of them if none was timed yet."""
        num, seconds = self._store.seconds(digest(self._hashed)) if self._store else (0, 0.0)
        if not num:
            self._compute(missing[:1], 1)
            missing, seconds = missing[1:], self.seconds_computed
        print(Estimate(len(self), len(self) - len(missing), seconds, self._num_workers), file=sys.stderr, flush=True)
        return missing

    def _compute(self, indices: list[int], most_running: int) -> list[int]:
        """Computes them, and returns those whose last try is due.

        A worker that is lost may have held more tasks than the one at fault, so the last try is made with no other task running.
        """
        waiting, last_tries, running = deque(indices), list[int](), dict[Future[Any], _Step]()
        try:
            while running or (waiting and not self._cancelled):
                while waiting and len(running) < most_running and not self._cancelled:
                    index = waiting.popleft()
                    self._follow(running, self._submit(index), _Step(index))
                if self._cancelled:
                    for future in running:
                        future.cancel()
                with contextlib.suppress(Empty):
                    if ended := self._done.get(timeout=1.0):
                        step = running.pop(ended)
                        if step.reply:
                            self._stored(step.index, step.reply, ended)
                        elif (data := self._returned(step.index, ended)) is not None:
                            self._take(step.index, data, running)
                        elif not self.futures[step.index].done() and not self._cancelled:
                            due = self._num_lost[step.index] == self._tries - 1 and most_running > 1
                            (last_tries if due else waiting).append(step.index)
                self._show()
        finally:
            for future in running:
                future.cancel()
        return last_tries

    def _follow(self, running: dict[Future[Any], _Step], future: Future[Any], step: _Step) -> None:
        running[future] = step
        future.add_done_callback(self._done.put)

    def _returned(self, index: int, ended: Future[bytes]) -> bytes | None:
        """What a worker answered; None where it was lost, which too many times ends the task."""
        try:
            return ended.result()
        except (Exception, CancelledError) as error:  # of the executor: a task's own error is in its reply
            if not (self._cancelled and ended.cancelled()):
                self.num_lost += 1
                self._num_lost[index] += 1
            if self._num_lost[index] >= self._tries:
                self._fail(index, RunError.about(f"task[{index}]", "one that its worker survives",
                                                 f"{self._tries} workers lost, the last one: {type(error).__name__}: {error}",
                                                 "The other tasks are not touched by it."))
        return None

    def _submit(self, index: int) -> Future[bytes]:
        try:
            return self._executor.submit(perform, self._head + self._items[index])
        except Exception as error:
            raise RunError.about("executor", "one that takes tasks", f"{type(error).__name__}: {error}",
                                 "hartline.cloud.Workers and Dask go on after a lost worker; ProcessPoolExecutor does not.") from error

    def _take(self, index: int, data: bytes, running: dict[Future[Any], _Step]) -> None:
        reply = read_reply(data, f"task[{index}]")
        if reply.refusal:
            raise reply.refusal
        if reply.error:
            self._fail(index, reply.error)
        elif self._store:
            self._follow(running, self._writers.submit(self._store.put, self._key(index), reply.result), _Step(index, reply))
        else:
            self._keep(index, reply)

    def _stored(self, index: int, reply: Reply, ended: Future[Any]) -> None:
        """Raises IoError where the disk refused."""
        try:
            ended.result()
        except RunError as error:
            self._fail(index, error)
        else:
            self._keep(index, reply)

    def _keep(self, index: int, reply: Reply) -> None:
        self.num_computed += 1
        self.seconds_computed += reply.seconds
        self.futures[index].set_result(json.loads(reply.result))

    def _fail(self, index: int, error: Error) -> None:
        item = self._items[index].decode()
        error.add_note(f"The item was {item if len(item) <= 200 else item[:200] + ' …'}")
        self.num_failed += 1
        self.futures[index].set_exception(error)

    def _show(self, last: bool = False) -> None:
        num_done = self.num_stored + self.num_computed + self.num_failed
        if self._progress:
            self._progress(num_done, len(self))
        notes = [(self.num_stored, "stored before"), (self.num_failed, "failed"), (self.num_lost, "workers lost")]
        self._line.show(num_done, self.num_stored, "".join(f", {num} {what}" for num, what in notes if num), last)


def map(task: Task | str | Callable[..., Any], items: Iterable[Any], executor: Executor | None = None, *,
        store: Store | str | None = None, tries: int = 3, num_workers: int | None = None,
        progress: Callable[[int, int], object] | None = None, estimate: bool = False) -> Results:
    """Does a task to every item: ``list(map(task, items))`` in as many processes as there are cores, or on a cluster.

    ``task``: a ``Task``, an importable function or its dotted name. Items and results are plain data. ``executor``: any
    ``concurrent.futures.Executor``, say ``hartline.cloud.dask()``; None: ``Workers()`` for this call. ``store``: a folder where
    results are kept under the hash of their task, and taken from. ``tries``: how many workers may be lost under a task before it is
    given up. ``num_workers``: of an executor that does not tell. ``progress(done, all)`` is told from another thread.
    ``estimate``: says what it will cost before it starts in earnest.

    Errors come with the results; a worker of another engine, a store of another engine and a disk that is full end the whole sweep.

    >>> import hartline as hl
    >>> list(hl.cloud.map("math.sqrt", range(5)))
    [0.0, 1.0, 1.4142135623730951, 1.7320508075688772, 2.0]
    """
    if tries < 1:
        raise SpecError.about("tries", ">= 1", str(tries))
    task = task_of(task)
    kept = Store(store) if store is not None and not isinstance(store, Store) else store
    workers = executor or Workers(num_workers)
    return Results(task, items, workers, kept, owned=executor is None, tries=tries, num_workers=num_workers or num_workers_of(workers),
                   progress=progress, estimate=estimate)


def num_workers_of(executor: Executor) -> int:
    """As the executor tells; those of Python keep it to themselves."""
    return int(getattr(executor, "num_workers", 0) or getattr(executor, "_max_workers", 0) or 1)


def _returned(future: Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
