"""Worker processes on this machine. Each is driven by a thread of its own, so a lost one costs the task it had and nothing else."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

START = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from hartline.cloud.local import serve; serve(int(sys.argv[1]))"
# a worker is one of as many as there are cores, and threads of a numerical library change bits
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


class WorkerLost(Exception):
    """The process that had the task is gone; says how."""


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


class Workers(Executor):
    """Processes on this machine, by default one a core, that stay for many calls of ``map``.

    A process that dies (killed, crashed, out of memory) is replaced, and only the task that it had ends, with ``WorkerLost``;
    ``map`` tries that one again. A program needs no ``if __name__ == "__main__"``. Functions must be importable by name.

    >>> import hartline as hl
    >>> with hl.cloud.Workers(2) as workers:
    ...     squares = list(hl.cloud.map("math.isqrt", [4, 9, 16], workers))
    >>> squares
    [2, 3, 4]
    """

    def __init__(self, num_workers: int | None = None):
        self.num_workers = num_workers or num_cores()
        self._jobs: SimpleQueue[tuple[Future[Any], bytes] | None] = SimpleQueue()
        self._processes: dict[int, _Process] = {}
        self._closed = False
        self._threads = [threading.Thread(target=self._drive, name=f"worker {k}", daemon=True) for k in range(self.num_workers)]
        for thread in self._threads:
            thread.start()

    @property
    def pids(self) -> list[int]:
        """Of the processes as they are now."""
        return sorted(self._processes)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queues a call; its future fails with ``WorkerLost`` where the process is lost."""
        if self._closed:
            raise RuntimeError("these workers were sent home")
        future: Future[T] = Future()
        self._jobs.put((future, bytes(ForkingPickler.dumps((fn, args, kwargs)))))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes once the queue is empty; ``cancel_futures`` empties it."""
        self._closed = True
        while cancel_futures and not self._jobs.empty():
            if job := self._jobs.get():
                job[0].cancel()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads if wait else []:
            thread.join()

    def _drive(self) -> None:
        """What a thread does: hands jobs to its process, and starts another where that is gone."""
        process: _Process | None = None
        while job := self._jobs.get():
            future, message = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if process is None or process.gone():
                    self._end(process)
                    process = _Process()
                    self._processes[process.pid] = process
                done, value = process.call(message)
            except Exception as error:  # no process can be started
                done, value = False, error
            if done:
                future.set_result(value)
            else:
                future.set_exception(value)
            del future, job, value
        self._end(process)

    def _end(self, process: _Process | None) -> None:
        if process:
            self._processes.pop(process.pid, None)
            process.end()


class _Process:
    """One worker and the line to it."""

    def __init__(self) -> None:
        self._line, theirs = multiprocessing.Pipe()
        path = [entry or os.getcwd() for entry in sys.path]
        try:
            self._process = subprocess.Popen([sys.executable, "-c", START, str(theirs.fileno()), json.dumps(path)],
                                             pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=ONE_THREAD | os.environ)
        finally:
            theirs.close()
        self.pid = self._process.pid

    def gone(self) -> bool:
        return self._process.poll() is not None

    def call(self, message: bytes) -> tuple[bool, Any]:
        """Whether the call returned, and what; else what it raised. Never raises."""
        try:
            self._line.send_bytes(message)
            done, value = self._line.recv()
            return bool(done), value
        except (EOFError, OSError):
            self._process.kill()  # it may have closed its line and live on
            code = self._process.wait()
            return False, WorkerLost(f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}")

    def end(self) -> None:
        self._line.close()  # which ends the process
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()


def serve(descriptor: int) -> None:
    """A worker's life: one call after the other, until the line is closed or the other end dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client, who ends us
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")  # when memory is short a worker goes, not the client
    threading.Thread(target=_leave_with, args=(descriptor,), daemon=True).start()
    line = Connection(descriptor)
    while True:
        try:
            fn, args, kwargs = line.recv()
            reply = True, fn(*args, **kwargs)
        except EOFError:
            return
        except BaseException as error:
            reply = False, error
        try:
            line.send(reply)
        except OSError:  # the client is gone
            return
        except Exception as error:  # what cannot be pickled
            line.send((False, RuntimeError(f"the worker's answer did not travel: {error}")))


def _leave_with(descriptor: int) -> None:
    """Ends this process in the middle of its task when the client is gone: nobody waits for it."""
    poll = select.poll()
    poll.register(descriptor, 0)  # hanging up is always told
    poll.poll()
    os._exit(0)
