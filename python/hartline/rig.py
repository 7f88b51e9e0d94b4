"""A rig's side of ask and tell: the client of docs/rig-protocol.md, over TCP or over the pipes of a child process.

The rig's own program owns the loop; Hartline chooses, learns and writes everything down::

    with Rig(5577, token="secret") as rig:
        for stimulus in rig:
            onset_ns, count = present(stimulus.values)
            rig.tell(stimulus, count, delivered_ns=onset_ns)

This module needs Python and NumPy only.
"""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .errors import Error, IoError

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Offset", "Rig", "RigError", "Stimulus"]


class RigError(Error, RuntimeError):
    """The engine refused a message, which has changed nothing; a trial that it was about is still open.

    >>> from hartline.rig import RigError
    >>> def tell(rig, stimulus, count):
    ...     try:
    ...         rig.tell(stimulus, count)
    ...     except RigError as error:
    ...         print(error.field, error.expected, error.got, error.hint)
    """


@dataclass(frozen=True)
class Stimulus:
    """What the engine wants shown, and the trial that it opens.

    ``values`` is [num_frames, …] in the experiment's shape. ``role`` is ``measure``, ``explore``, ``validate``, or ``fallback``
    where the choice was not there at the deadline and a stimulus was drawn at random.

    >>> import numpy as np
    >>> from hartline.rig import Stimulus
    >>> stimulus = Stimulus(trial=0, token="", values=np.ones((1, 8, 8)), role="measure", arm="", utility=0.5, requested_ns=0,
    ...                     pool_index=None)
    >>> stimulus.values[0].shape
    (8, 8)
    """

    trial: int
    token: str
    values: NDArray[np.float64]
    role: str
    arm: str
    utility: float
    requested_ns: int
    pool_index: int | None


@dataclass(frozen=True)
class Offset:
    """The engine's clock minus the rig's, and the largest error of that, in nanoseconds.

    >>> from hartline.rig import Offset
    >>> Offset(offset_ns=2_000_000, half_width_ns=30_000).half_width_ns / 1e6
    0.03
    """

    offset_ns: int
    half_width_ns: int


class Line(Protocol):
    """Carries a line there and the next line back. Raises OSError where that fails; "" is the end."""

    def send(self, line: str) -> None:
        """Sends one line."""

    def hear(self) -> str:
        """The next line."""

    def close(self) -> None:
        """Lets go."""


class _Socket:
    def __init__(self, host: str, port: int, timeout_s: float):
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._text = self._socket.makefile("r", encoding="utf-8", newline="\n")

    def send(self, line: str) -> None:
        self._socket.sendall(line.encode())

    def hear(self) -> str:
        return self._text.readline()

    def close(self) -> None:
        self._text.close()
        self._socket.close()


class _Pipes:
    def __init__(self, command: Sequence[str]):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def close(self) -> None:
        """The end of its input is the end of the rig: the engine writes what is left and ends."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Rig:
    """A connection to ``hartline run … --rig tcp``; ``Rig.start`` makes the engine a child of this process instead.

    ``token``: what the engine printed; absent: HARTLINE_RIG_TOKEN of the environment. ``keep_open``: this rig still knows the
    open trials and will tell of them. ``clock``: this rig's time in nanoseconds; every message carries it.

    Iterating asks for one stimulus after the other until no more come. A response that did not come is a ``give_up``.

    >>> from hartline.rig import Rig
    >>> def run(port, token, present):
    ...     with Rig(port, token) as rig:
    ...         for stimulus in rig:
    ...             onset_ns, count = present(stimulus.values)
    ...             rig.tell(stimulus, count, delivered_ns=onset_ns)
    """

    def __init__(self, port: int, token: str | None = None, host: str = "127.0.0.1", *, client: str = "hartline.rig",
                 keep_open: bool = False, timeout_s: float = 20.0, clock: Callable[[], int] = time.monotonic_ns):
        secret = os.environ.get("HARTLINE_RIG_TOKEN", "") if token is None else token
        self._begin(lambda: _Socket(host, port, timeout_s), secret, client, clock)
        self._connect(keep_open)

    @classmethod
    def start(cls, experiment: str | Path, *, record: str | Path | None = None, program: Sequence[str] = ("hartline",),
              arguments: Sequence[str] = (), client: str = "hartline.rig",
              clock: Callable[[], int] = time.monotonic_ns) -> Rig:
        """Runs an experiment file in a child process and talks to it over its pipes.

        ``arguments``: more of ``hartline run``, such as ``--set design.kind=random``.
        """
        rig = cls.__new__(cls)
        command = [*program, "run", str(experiment), *(["--out", str(record)] if record else []), *arguments, "--rig", "stdio"]
        rig._begin(lambda: _Pipes(command), "", client, clock)
        rig._connect(keep_open=False)
        rig._make_line = None
        return rig

    def _begin(self, make_line: Callable[[], Line], token: str, client: str, clock: Callable[[], int]) -> None:
        self._make_line: Callable[[], Line] | None = make_line
        self._token, self._client, self.clock = token, client, clock
        self._line: Line | None = None
        self._held: dict[str, Stimulus] = {}
        self._num_learned, self._done = 0, False

    def _connect(self, keep_open: bool) -> None:
        if self._make_line is None:
            raise _gone("The engine was a child of this process; its record can be resumed.")
        try:
            self._line = self._make_line()
        except OSError as error:
            raise _gone(str(error)) from error
        token = {"token": self._token} if self._token else {}
        try:
            self.welcome = self._say("hello", protocol=1, client=self._client, keep_open=keep_open, **token)
        except Error:
            self._drop()
            raise

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Says goodbye. After an exception it hangs up without a word: a rig may come back for what is open."""
        if kind is None:
            self.close()
        else:
            self._drop()

    def __iter__(self) -> Iterator[Stimulus]:
        while (stimulus := self.ask()) is not None:
            yield stimulus

    @property
    def num_trials(self) -> int:
        """Trials of the whole run."""
        return int(self.welcome["num_trials"])

    @property
    def num_learned(self) -> int:
        """Trials that are in the belief, as the engine last said."""
        return self._num_learned

    @property
    def done(self) -> bool:
        """Whether the run is at its end."""
        return self._done

    @property
    def stimulus_shape(self) -> tuple[int, ...]:
        """[num_frames, …] of what is shown."""
        about = self.welcome["stimulus"]
        return (int(about["num_frames"]), *(int(n) for n in about["shape"]))

    @property
    def response_shape(self) -> tuple[int, int]:
        """[num_cells, num_bins] of what is told."""
        about = self.welcome["response"]
        return int(about["num_cells"]), int(about["num_bins"])

    @property
    def response_kind(self) -> str:
        """``counts``, ``trace``, ``choice`` or ``time``."""
        return str(self.welcome["response"]["kind"])

    @property
    def held(self) -> list[Stimulus]:
        """What was asked for here and not told of yet, oldest first."""
        return list(self._held.values())

    def ask(self, deadline_ms: float | None = None) -> Stimulus | None:
        """The next stimulus; None where all trials of the run were asked for.

        ``deadline_ms``: it is there by then, drawn at random if need be; absent: as the experiment says.
        """
        reply = self._say("ask", **({} if deadline_ms is None else {"deadline_ms": deadline_ms}))
        if reply["is"] != "stimulus":
            return None
        values = np.array(reply["values"], dtype=np.float64)
        if values.size == math.prod(self.stimulus_shape):
            values = values.reshape(self.stimulus_shape)
        stimulus = Stimulus(reply["trial"], reply["token"], values, reply["role"], reply["arm"],
                            math.nan if reply["utility"] is None else reply["utility"], reply["requested_ns"], reply.get("pool_index"))
        self._held[stimulus.token] = stimulus
        return stimulus

    def tell(self, trial: Stimulus | str, response: ArrayLike, *, marks: Sequence[str] | None = None, reason: str = "",
             delivered: ArrayLike | None = None, rendered: ArrayLike | None = None, delivered_ns: int | None = None,
             rendered_ns: int | None = None) -> str:
        """Tells of a trial: ``response`` is [num_cells, num_bins], or flat, cell by cell; NaN where a value is missing.

        ``marks``: ``observed``, ``missing``, ``censored`` or ``blanked`` for each value. ``reason``: of what is missing.
        ``delivered``, ``rendered``: the stimulus as it was shown, where it differs from what was asked for.
        ``delivered_ns``, ``rendered_ns``: when, on this rig's clock.

        Returns ``taken``; or ``doubled``, ``late`` or ``stranger``, which changed nothing. Raises RigError.
        """
        values = np.array(response, dtype=np.float64).ravel()
        absent = np.isnan(values)
        if absent.any():
            words = list(marks) if marks else ["observed"] * values.size
            marks = ["missing" if gone and word == "observed" else word for word, gone in zip(words, absent, strict=True)]
            values[absent] = 0.0
        message: dict[str, Any] = {"token": _token_of(trial), "response": values.tolist()}
        for name, shown in (("delivered", delivered), ("rendered", rendered)):
            if shown is not None:
                message[name] = np.asarray(shown, dtype=np.float64).ravel().tolist()
        optional = {"marks": marks and list(marks), "reason": reason or None, "delivered_ns": delivered_ns, "rendered_ns": rendered_ns}
        return self._told("tell", {**message, **{name: value for name, value in optional.items() if value is not None}})

    def give_up(self, trial: Stimulus | str, reason: str) -> str:
        """There is no response and there will be none: it counts as missing at random. Returns ``given_up`` or ``stranger``."""
        return self._told("give_up", {"token": _token_of(trial), "reason": reason})

    def ping(self) -> Offset | None:
        """A heartbeat. Returns how the clocks stand, once that is known."""
        reply = self._say("ping")
        return Offset(reply["offset_ns"], reply["half_width_ns"]) if "offset_ns" in reply else None

    def note(self, message: str) -> None:
        """Puts a text into the record, as an event."""
        self._say("note", message=message)

    def reconnect(self, within_s: float = 20.0) -> None:
        """Comes back after the line, or the engine, was lost. What is ``held`` can still be told of.

        A trial that the engine opened and whose stimulus never arrived here is given up. Raises IoError after ``within_s``.
        """
        self._drop()
        give_up_at = time.monotonic() + within_s
        while self._line is None:
            try:
                self._connect(keep_open=True)
            except (IoError, RigError):  # no engine yet, or it still holds the line that is gone
                if self._make_line is None or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.05)
        still_open = set(self.welcome["open"])
        for token in still_open - self._held.keys():
            self.give_up(token, "its stimulus was lost on the way")
        for token in self._held.keys() - still_open:
            del self._held[token]

    def close(self) -> None:
        """Says goodbye. A child process then ends."""
        if self._line is not None:
            try:
                self._say("bye")
            finally:
                self._drop()

    def _drop(self) -> None:
        if self._line is not None:
            line, self._line = self._line, None
            try:
                line.close()
            except OSError:
                pass  # it was gone already

    def _told(self, what: str, message: dict[str, Any]) -> str:
        reply = self._say(what, **message)
        self._held.pop(message["token"], None)
        return str(reply["what"])

    def _say(self, what: str, **message: Any) -> dict[str, Any]:
        if self._line is None:
            raise _gone("There is no line.")
        text = json.dumps({"do": what, **message, "time_ns": self.clock()}, allow_nan=False)
        try:
            self._line.send(text + "\n")
            line = self._line.hear()
        except OSError as error:
            self._drop()
            raise _gone(str(error)) from error
        if not line.endswith("\n"):
            self._drop()
            raise _gone("It hung up." if self._token else "It hung up. Without the right token nobody is heard.")
        reply: dict[str, Any] = json.loads(line)
        if reply["is"] == "error":
            raise _refusal(reply)
        self._num_learned, self._done = reply.get("num_learned", self._num_learned), reply.get("done", self._done)
        return reply


def _token_of(trial: Stimulus | str) -> str:
    return trial if isinstance(trial, str) else trial.token


def _gone(hint: str) -> IoError:
    return IoError.about("engine", "there", "no reply", hint)


def _refusal(reply: dict[str, Any]) -> RigError:
    error = RigError(reply["message"])
    error.field, error.expected = reply.get("path", ""), reply.get("must_be", "")
    error.got, error.hint = reply.get("got", ""), reply.get("hint", "")
    return error
