"""Spikes and onsets from the Open Ephys GUI over ZeroMQ: its ZMQ Interface or its Event Broadcaster. Needs ``pyzmq``.

A whole rig, where a photodiode gives a TTL pulse on line 1 when a stimulus comes on::

    with Rig(5577, token="secret") as rig, ZmqInterface(sample_rate_hz=30000) as source:
        cells = [("Electrode 1", 0), ("Electrode 1", 1)]        # electrode and sorted unit
        Bridge(rig, source, cells, Window(bin_s=0.25), show=display, onset_line=1).run()

Onsets and spikes are counted on the acquisition system's own clock of samples, so that no network's delay enters a response.
"""

from __future__ import annotations

import importlib
import json
import math
import struct
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .rig import Offset, Rig, Stimulus

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from .window import Window

__all__ = ["Block", "Bridge", "EventBroadcaster", "Gap", "SampleClock", "Spike", "Ttl", "ZmqInterface"]

HEARTBEAT_S = 2.0
TTL = 3  # type of an event
# what bytes that are no message of these plug-ins may raise
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, struct.error)


@dataclass(frozen=True)
class Ttl:
    """A digital line changed.

    >>> from hartline.open_ephys import Ttl
    >>> Ttl(sample=30000, line=1, state=True).sample / 30000
    1.0
    """

    sample: int
    line: int
    state: bool
    stream: str = ""


@dataclass(frozen=True)
class Spike:
    """A spike of a sorted unit; unit 0 is what was not sorted.

    >>> from hartline.open_ephys import Spike
    >>> spike = Spike(sample=30000, electrode="Electrode 1", unit=2)
    >>> (spike.electrode, spike.unit)
    ('Electrode 1', 2)
    """

    sample: int
    electrode: str
    unit: int
    stream: str = ""


@dataclass(frozen=True)
class Block:
    """A block of continuous data begins at this sample: the blocks before it have been sent, with their events.

    >>> from hartline.open_ephys import Block
    >>> block = Block(sample=30000, num_samples=600, sample_rate_hz=30000.0)
    >>> block.num_samples / block.sample_rate_hz
    0.02
    """

    sample: int
    num_samples: int
    sample_rate_hz: float
    stream: str = ""


@dataclass(frozen=True)
class Gap:
    """Messages were lost, or acquisition began anew: what was going on is not to be trusted.

    >>> from hartline.open_ephys import Gap
    >>> Gap("message 12 came after 10").text
    'message 12 came after 10'
    """

    text: str


Message = Ttl | Spike | Block | Gap


class Source(Protocol):
    """Where messages come from."""

    sample_rate_hz: float | None

    def read(self, timeout_s: float) -> Message | None:
        """The next message; None where none comes in time."""


class ZmqInterface:
    """Reads what the plug-in ZMQ Interface sends: three frames, the second a JSON header, the third bytes.

    ``data_port`` sends; the one after it takes heartbeats, by which the GUI lists its clients. ``sample_rate_hz``: of the stream;
    absent, it is learned from the continuous data, if the plug-in sends any. ``stream``: only this one; absent, all.

    >>> from hartline.open_ephys import Spike, ZmqInterface
    >>> def print_spikes(port=5556):
    ...     with ZmqInterface(data_port=port) as source:
    ...         while (message := source.read(timeout_s=10)) is not None:
    ...             if isinstance(message, Spike):
    ...                 print(message)
    """

    def __init__(self, host: str = "127.0.0.1", data_port: int = 5556, *, sample_rate_hz: float | None = None, stream: str = "",
                 application: str = "hartline"):
        self._zmq: Any = importlib.import_module("zmq")
        self._context = self._zmq.Context()
        self._data = self._context.socket(self._zmq.SUB)
        self._data.set_hwm(100_000)
        self._data.connect(f"tcp://{host}:{data_port}")
        self._data.subscribe(b"")
        self._beat_address = f"tcp://{host}:{data_port + 1}"
        self._beat: Any = None
        self._hello = json.dumps({"application": application, "uuid": str(uuid.uuid4()), "type": "heartbeat"}).encode()
        self._beat_at, self._heard_at = 0.0, 0.0
        self._message_num: int | None = None
        self._waiting: deque[Message] = deque()
        self.sample_rate_hz, self._stream = sample_rate_hz, stream

    def __enter__(self) -> ZmqInterface:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the GUI."""
        self._context.destroy(linger=0)

    @property
    def gui_heard_s(self) -> float | None:
        """Seconds since the GUI last answered a heartbeat; None: never."""
        return time.monotonic() - self._heard_at if self._heard_at else None

    def read(self, timeout_s: float) -> Message | None:
        """The next onset, spike, block or gap; None where none comes in time."""
        end = time.monotonic() + timeout_s
        while not self._waiting:
            self._heartbeat()
            left = end - time.monotonic()
            if not self._data.poll(max(0, min(left, HEARTBEAT_S / 4)) * 1000):
                if left <= 0:
                    return None
                continue
            self._waiting.extend(self.hear(self._data.recv_multipart()))
        return self._waiting.popleft()

    def _heartbeat(self) -> None:
        now = time.monotonic()
        if self._beat is not None and self._beat.poll(0):
            self._beat.recv()
            self._heard_at = now
        elif self._beat is not None and now - self._beat_at < 5 * HEARTBEAT_S and self._heard_at < self._beat_at:
            return  # an answer may still come
        if now - self._beat_at < HEARTBEAT_S:
            return
        if self._beat is None or self._heard_at < self._beat_at:  # none came: a request socket must be made anew
            if self._beat is not None:
                self._beat.close(linger=0)
            self._beat = self._context.socket(self._zmq.REQ)
            self._beat.connect(self._beat_address)
        self._beat.send(self._hello)
        self._beat_at = now

    def hear(self, frames: Sequence[bytes]) -> list[Message]:
        """What the frames of one message tell. One that cannot be read is a gap: it may have been a spike."""
        try:
            return self._parse(frames)
        except UNREADABLE as error:
            return [_unreadable(error)]

    def _parse(self, frames: Sequence[bytes]) -> list[Message]:
        if len(frames) < 2:
            return []
        header = json.loads(frames[1].rstrip(b"\0"))
        out: list[Message] = []
        number = header.get("message_num")
        if number is not None:
            if self._message_num is not None and number != self._message_num + 1:
                out.append(Gap(f"message {number} came after {self._message_num}"))
            self._message_num = int(number)
        kind = header.get("type")
        content = header.get("spike" if kind == "spike" else "content") or header.get("content") or {}
        stream = str(content.get("stream", ""))
        if self._stream and stream != self._stream:
            return out
        if kind == "data":
            rate = _rate_of(content["sample_rate"])
            out.append(Block(int(content["sample_num"]), int(content["num_samples"]), rate, stream))
            self.sample_rate_hz = self.sample_rate_hz or rate
        elif kind == "spike":
            out.append(Spike(int(content["sample_num"]), str(content["electrode"]), int(content["sorted_id"]), stream))
        elif kind == "event" and content.get("type") == TTL and len(frames) > 2:
            line, state = struct.unpack_from("<BB", frames[2])
            out.append(Ttl(int(content["sample_num"]), line, bool(state), stream))
        return out


class EventBroadcaster:
    """Reads what the plug-in Event Broadcaster sends in its JSON format: onsets and spikes, no blocks and no numbers.

    Without blocks nothing but time says that a window is over (``Bridge(settle_s=…)``), and what is lost is lost unseen.

    >>> from hartline.open_ephys import EventBroadcaster
    >>> def next_event(port=5557):
    ...     with EventBroadcaster(port=port) as source:
    ...         return source.read(timeout_s=10)
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 5557, *, sample_rate_hz: float | None = None, stream: str = ""):
        self._zmq: Any = importlib.import_module("zmq")
        self._context = self._zmq.Context()
        self._socket = self._context.socket(self._zmq.SUB)
        self._socket.set_hwm(100_000)
        self._socket.connect(f"tcp://{host}:{port}")
        self._socket.subscribe(b"")
        self.sample_rate_hz, self._stream = sample_rate_hz, stream

    def __enter__(self) -> EventBroadcaster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the GUI."""
        self._context.destroy(linger=0)

    def read(self, timeout_s: float) -> Message | None:
        """The next onset, spike or gap; None where none comes in time."""
        end = time.monotonic() + timeout_s
        while self._socket.poll(max(0.0, end - time.monotonic()) * 1000):
            if (message := self.hear(self._socket.recv_multipart())) is not None:
                return message
        return None

    def hear(self, frames: Sequence[bytes]) -> Message | None:
        """What the frames of one message tell, if anything. One that cannot be read is a gap: it may have been a spike."""
        try:
            return self._parse(frames)
        except UNREADABLE as error:
            return _unreadable(error)

    def _parse(self, frames: Sequence[bytes]) -> Message | None:
        if len(frames) != 2:
            return None
        event = json.loads(frames[1])
        stream = str(event.get("stream", ""))
        if self._stream and stream != self._stream:
            return None
        self.sample_rate_hz = self.sample_rate_hz or _rate_of(event["sample_rate"])
        if event["event_type"] == "spike":
            return Spike(int(event["sample_number"]), str(event["electrode"]), int(event["sorted_id"]), stream)
        if event["event_type"] == "ttl":
            return Ttl(int(event["sample_number"]), int(event["line"]), bool(event["state"]), stream)
        return None


def _rate_of(value: Any) -> float:
    rate = float(value)
    if not 0 < rate < math.inf:
        raise ValueError(f"a sample rate of {rate}")
    return rate


def _unreadable(error: Exception) -> Gap:
    return Gap(f"a message could not be read: {type(error).__name__}: {error}"[:200])


class SampleClock:
    """Where the rig's clock stands against the count of samples.

    An onset came after its stimulus was shown and before word of it arrived; all such bounds are intersected, and widen by 100
    parts in a million with age, more than two clocks part.

    >>> from hartline.open_ephys import SampleClock
    >>> clock = SampleClock(30000.0)
    >>> clock.add(shown_ns=5_000_000_000, sample=30000, heard_ns=5_040_000_000)
    >>> clock.to_rig_ns(60000), clock.offset.half_width_ns
    (6020000000, 20000000)
    """

    def __init__(self, sample_rate_hz: float):
        self._ns_per_sample = 1e9 / sample_rate_hz
        self._low = self._high = self._at = 0.0
        self._known = False

    def add(self, shown_ns: int, sample: int, heard_ns: int) -> None:
        """The sample was taken between two times of the rig."""
        at = sample * self._ns_per_sample
        wander = abs(at - self._at) * 1e-4
        low, high = shown_ns - at, heard_ns - at
        both_low, both_high = max(low, self._low - wander), min(high, self._high + wander)
        agree = self._known and both_low <= both_high
        self._low, self._high = (both_low, both_high) if agree else (low, high)
        self._at, self._known = at, True

    def to_rig_ns(self, sample: int) -> int:
        """When a sample was taken, on the rig's clock."""
        return round(sample * self._ns_per_sample + (self._low + self._high) / 2)

    @property
    def offset(self) -> Offset:
        """The rig's clock minus the samples', and the largest error of that."""
        return Offset(round((self._low + self._high) / 2), round((self._high - self._low) / 2))


class Bridge:
    """Turns the loop: asks, shows, waits for the onset's pulse, counts the spikes after it, and tells.

    ``cells``: electrode and unit of each cell of the model. ``show``: puts the stimulus on; returns at once or when it is on.
    ``onset_line``, ``onset_state``: the pulse that means onset, as the messages number lines. A window is over when a block has come
    that begins ``margin_s`` or more after its end, for a spike is found a little after its peak. Where no continuous data are
    sent there are no blocks: ``settle_s`` then says how long after its end a window is over, whatever came. ``patience_s``: so
    long an onset, and then the end of its window, may take. A trial that misses one, or in which messages were lost, is given up
    with the reason.

    >>> from hartline.open_ephys import Bridge, ZmqInterface
    >>> from hartline.window import Window
    >>> def run(rig, show):
    ...     with ZmqInterface() as source:
    ...         Bridge(rig, source, [("Electrode 1", 1)], Window(bin_s=0.25), show=show, onset_line=1).run()
    """

    def __init__(self, rig: Rig, source: Source, cells: Sequence[tuple[str, int]], window: Window, *,
                 show: Callable[[Stimulus], object], onset_line: int, onset_state: bool = True, patience_s: float = 2.0,
                 margin_s: float = 0.002, settle_s: float | None = None):
        if rig.response_shape != (len(cells), window.num_bins):
            raise ValueError(f"cells, window: must be {rig.response_shape}, as the model has (got {len(cells)}, {window.num_bins}).")
        self.rig, self.source, self.window, self.show = rig, source, window, show
        self._cell = {cell: k for k, cell in enumerate(cells)}
        self._onset = (onset_line, onset_state)
        self._patience_s, self._margin_s, self._settle_s = patience_s, margin_s, settle_s
        self.clock: SampleClock | None = None

    def trial(self) -> bool:
        """One trial. Returns False where none is left."""
        stimulus = self.rig.ask()
        if stimulus is None:
            return False
        while self.source.read(0) is not None:
            pass  # of before
        shown_ns = self.rig.clock()
        self.show(stimulus)
        spikes: list[Spike] = []
        gaps: list[str] = []
        onset = self._wait_for_onset(spikes, gaps)
        heard_ns = self.rig.clock()
        response = None if onset is None else self._count(onset, spikes, gaps)
        # with a gap the trial has taken its course all the same: the next one must not take over its pulse and its spikes
        if onset is None or response is None or gaps:
            missing = "no onset" if onset is None else "nothing after the window"
            self.rig.give_up(stimulus, f"open ephys: {gaps[0] if gaps else missing + ' came in time'}")
            return True
        if self.clock is None:
            self.clock = SampleClock(self._rate())
        self.clock.add(shown_ns, onset.sample, heard_ns)
        self.rig.tell(stimulus, response, delivered_ns=self.clock.to_rig_ns(onset.sample))
        return True

    def run(self) -> None:
        """Every trial that is left; then how well the clocks are known goes into the record."""
        while self.trial():
            pass
        if self.clock is not None:
            offset = self.clock.offset
            self.rig.note(f"open ephys: rig's clock minus the samples' {offset.offset_ns} ns ± {offset.half_width_ns} ns at the end")

    def _rate(self) -> float:
        if not self.source.sample_rate_hz:
            raise ValueError("sample_rate_hz: must be given where no continuous data are sent.")
        return self.source.sample_rate_hz

    def _wait_for_onset(self, spikes: list[Spike], gaps: list[str]) -> Ttl | None:
        end = time.monotonic() + self._patience_s
        while (message := self.source.read(max(0.0, end - time.monotonic()))) is not None:
            if isinstance(message, Gap):
                gaps.append(message.text)
            elif isinstance(message, Spike):
                spikes.append(message)  # one of the same block may be sent before the pulse
            elif isinstance(message, Ttl) and (message.line, message.state) == self._onset:
                return message
        return None

    def _count(self, onset: Ttl, spikes: list[Spike], gaps: list[str]) -> NDArray[np.float64] | None:
        rate = self._rate()
        over = onset.sample + (self.window.end_s(0) + self._margin_s) * rate
        wait_s = self._patience_s if self._settle_s is None else self._settle_s
        end = time.monotonic() + self.window.end_s(0) + wait_s
        while not (isinstance(message := self.source.read(max(0.0, end - time.monotonic())), Block) and message.sample >= over):
            if message is None:
                if self._settle_s is None:
                    return None
                break
            if isinstance(message, Gap):
                gaps.append(message.text)
            elif isinstance(message, Spike):
                spikes.append(message)
        ours = [(self._cell[spike.electrode, spike.unit], (spike.sample - onset.sample) / rate)
                for spike in spikes if (spike.electrode, spike.unit) in self._cell]
        return self.window.counts(0.0, [cell for cell, _ in ours], [time_s for _, time_s in ours], len(self._cell))
