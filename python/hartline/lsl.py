"""Ask and tell over the lab streaming layer: markers and stimuli go out, spikes or signals come in. Needs ``pylsl``.

A whole rig, where another program on the network shows what comes over the stream ``hartline-stimuli`` and an amplifier's program
sends spikes as samples [cell]::

    with Rig(5577, token="secret") as rig:
        outlets = Outlets(rig)
        spikes = Events("spikes")
        Bridge(rig, outlets, spikes, Window(bin_s=0.25), onsets=Onsets("display")).run()

All times are of LSL's clock on this machine, in seconds, with each stream's time correction already added; what goes to the
engine is in the rig's clock. How the clocks stand is noted in the record.

LSL is open to everyone on the network and sends its announcements there; ``stay_on_this_machine`` before anything else keeps
both on this one.
"""

from __future__ import annotations

import importlib
import json
import math
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .errors import IoError
from .rig import Offset, Rig, Stimulus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .window import Window

__all__ = ["Bridge", "Events", "Inlet", "Onsets", "Outlets", "Signal", "clock_offset", "on_this_machine", "stay_on_this_machine"]

CORRECTION_EVERY_S = 5.0  # LSL itself measures about as often


def _pylsl() -> Any:
    return importlib.import_module("pylsl")


def on_this_machine(session: str = "default") -> str:
    """LSL's settings for streams on this machine only, seen by programs of the same session: the text of the file LSLAPICFG.

    >>> from hartline.lsl import on_this_machine
    >>> "ResolveScope = machine" in on_this_machine()
    True
    """
    # Without IPv6 a search on one machine reaches one program only, unless it goes to each port; so known peers.
    return f"[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {{127.0.0.1}}\nSessionID = {session}\n"


def stay_on_this_machine(session: str = "default") -> None:
    """LSL finds and announces streams on this machine only. To be called before anything else of LSL.

    >>> from hartline.lsl import Events, stay_on_this_machine
    >>> def spikes():
    ...     stay_on_this_machine("my experiment")
    ...     return Events("spikes")
    """
    _pylsl().set_config_content(on_this_machine(session))


def clock_offset(clock: Callable[[], int], num: int = 50) -> Offset:
    """``clock`` minus LSL's clock here: the tightest of ``num`` readings of one between two of the other.

    >>> import time
    >>> from hartline.lsl import clock_offset
    >>> def of_the_rig():
    ...     return clock_offset(time.monotonic_ns)
    """
    lsl_clock = _pylsl().local_clock
    tightest: Offset | None = None
    for _ in range(num):
        before, ours, after = lsl_clock(), clock(), lsl_clock()
        half = math.ceil((after - before) * 5e8) + 1
        if tightest is None or half < tightest.half_width_ns:
            tightest = Offset(ours - round((before + after) * 5e8), half)
    assert tightest is not None
    return tightest


class Outlets:
    """Two streams: ``NAME`` has a text for each event, ``NAME-stimuli`` the values of each stimulus as doubles.

    A text is a JSON object with ``event`` (``ask``, ``onset`` or ``told``), ``trial`` and ``token``; ``ask`` has ``role``, ``arm``,
    ``utility`` and ``pool_index`` besides, ``told`` has ``what``, ``reason`` and ``response``. The stamp of a stimulus is that of
    its ``ask``.

    >>> from hartline.lsl import Outlets
    >>> def announce(rig):
    ...     outlets = Outlets(rig, "my experiment")
    ...     for stimulus in rig:
    ...         outlets.mark("photodiode", stimulus, stamp=outlets.asked(stimulus), level=0.8)
    ...         rig.give_up(stimulus, "nobody is recorded")
    """

    def __init__(self, rig: Rig, name: str = "hartline", source_id: str = ""):
        self._lsl = _pylsl()
        dim = int(rig.welcome["stimulus"]["dim"])
        identity = source_id or f"{name}-{id(self):x}"
        markers = self._lsl.StreamInfo(name, "Markers", 1, self._lsl.IRREGULAR_RATE, self._lsl.cf_string, identity)
        stimuli = self._lsl.StreamInfo(f"{name}-stimuli", "Stimuli", dim, self._lsl.IRREGULAR_RATE, self._lsl.cf_double64,
                                       f"{identity}-stimuli")
        stimuli.desc().append_child_value("shape", json.dumps(rig.stimulus_shape))
        self._markers, self._stimuli = self._lsl.StreamOutlet(markers), self._lsl.StreamOutlet(stimuli)

    def wait_for_listeners(self, timeout_s: float) -> bool:
        """Whether somebody listens to both before the time is up."""
        return bool(self._markers.wait_for_consumers(timeout_s) and self._stimuli.wait_for_consumers(timeout_s))

    def asked(self, stimulus: Stimulus) -> float:
        """Sends a stimulus and its marker. Returns their stamp."""
        stamp = float(self._lsl.local_clock())
        about = {name: value for name, value in asdict(stimulus).items() if name in ("role", "arm", "utility", "pool_index")}
        self.mark("ask", stimulus, stamp, **about)
        self._stimuli.push_sample(stimulus.values.ravel(), stamp)
        return stamp

    def mark(self, event: str, stimulus: Stimulus, stamp: float, **more: Any) -> None:
        """Sends a marker of one's own, or one of ``onset`` and ``told``."""
        about = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in more.items()}
        text = json.dumps({"event": event, "trial": stimulus.trial, "token": stimulus.token, **about}, allow_nan=False)
        self._markers.push_sample([text], stamp)


class Inlet:
    """A stream that comes in. Stamps have the stream's time correction added.

    ``name``: of the stream; or ``where``: an XPath condition of LSL, such as ``type='Spikes' and hostname='amplifier'``.

    >>> from hartline.lsl import Inlet
    >>> def offset_of_the_amplifier():
    ...     return Inlet(where="type='Spikes' and hostname='amplifier'").correct()
    """

    def __init__(self, name: str = "", *, where: str = "", timeout_s: float = 10.0, buffer_s: int = 360):
        self._lsl = _pylsl()
        self.name = name or where
        found = self._lsl.resolve_bypred(where or f"name='{name}'", minimum=1, timeout=timeout_s)
        if len(found) != 1:
            raise IoError(f"inlet: must be one stream that fits {self.name!r} (got {len(found)}). Name it, or wait for it to be there.")
        self._inlet = self._lsl.StreamInlet(found[0], max_buflen=buffer_s, recover=True)
        self._inlet.open_stream(timeout=timeout_s)
        self.num_channels = int(found[0].channel_count())
        self.rate_hz = float(found[0].nominal_srate())
        self._timeout_s, self.correction_s, self._corrected_at = timeout_s, 0.0, -math.inf
        self._heard: deque[tuple[float, Any]] = deque()
        self.correct()

    def correct(self) -> float:
        """Asks LSL again how far the sender's clock is from ours, at most every few seconds. Returns that, in seconds."""
        now = self._lsl.local_clock()
        if now - self._corrected_at > CORRECTION_EVERY_S:
            self.correction_s = float(self._inlet.time_correction(timeout=self._timeout_s))
            self._corrected_at = now
        return self.correction_s

    def pull(self, timeout_s: float) -> bool:
        """Takes in what is there, waiting at most so long for the first sample. Returns whether there was any."""
        samples, stamps = self._inlet.pull_chunk(timeout=0.0)
        if not stamps and timeout_s > 0:
            sample, stamp = self._inlet.pull_sample(timeout=timeout_s)
            samples, stamps = ([sample], [stamp]) if stamp is not None else ([], [])
        self._heard.extend((stamp + self.correction_s, sample) for stamp, sample in zip(stamps, samples, strict=True))
        return bool(stamps)

    def forget_before(self, stamp: float) -> None:
        """Drops what is older."""
        while self._heard and self._heard[0][0] < stamp:
            self._heard.popleft()


class Onsets(Inlet):
    """Markers of a display: JSON objects with ``event`` = ``onset`` and the ``token`` of the trial, stamped when the stimulus came on.

    >>> from hartline.lsl import Onsets
    >>> def onset_of(stimulus, until):
    ...     return Onsets("display").wait(stimulus, until)
    """

    def wait(self, stimulus: Stimulus, until: float) -> float | None:
        """The stamp of a trial's onset; None where none comes before LSL's clock says ``until``."""
        while True:
            while self._heard:
                stamp, (text, *_) = self._heard.popleft()
                message = json.loads(text)
                if message.get("event") == "onset" and message.get("token") == stimulus.token:
                    return stamp
            left = until - self._lsl.local_clock()
            if left <= 0 or not self.pull(left):
                return None


class Responses(Protocol):
    """What turns a stream into responses."""

    name: str

    def correct(self) -> float:
        """The sender's clock."""

    def response(self, onset_s: float, window: Window, num_cells: int, until: float) -> NDArray[np.float64] | str:
        """[num_cells, num_bins], or why there is none."""


class Events(Inlet):
    """Spikes: each sample is one, its first channel the cell, from 0; its stamp says when.

    A sample whose cell is negative says that all before its stamp have been sent: a window is closed by it, or by a spike after
    the window. Silence closes none, for a cell that is silent and an amplifier that is off look the same; unless ``settle_s``
    is given: the window is then closed so long after its end, whatever came.

    >>> from hartline.lsl import Events
    >>> from hartline.window import Window
    >>> def counts(onset_s):
    ...     return Events("spikes").response(onset_s, Window(bin_s=0.25), num_cells=3, until=onset_s + 2)
    """

    def __init__(self, name: str = "", *, where: str = "", timeout_s: float = 10.0, settle_s: float | None = None):
        super().__init__(name, where=where, timeout_s=timeout_s)
        self._settle_s = settle_s

    def response(self, onset_s: float, window: Window, num_cells: int, until: float) -> NDArray[np.float64] | str:
        """Counts [num_cells, num_bins]; or why there are none, where the window was not closed before ``until``."""
        end = window.end_s(onset_s)
        settled = math.inf if self._settle_s is None else end + self._settle_s
        closed = False
        while not closed:
            closed = bool(self._heard) and self._heard[-1][0] >= end
            left = min(until, settled) - self._lsl.local_clock()
            if not closed and (left <= 0 or not self.pull(left)):
                if settled > until:
                    return f"{self.name}: nothing after the window came in time"
                closed = True
        self.forget_before(window.start_s(onset_s))
        inside = [(stamp, int(sample[0])) for stamp, sample in self._heard if stamp < end]
        return window.counts(onset_s, [cell for _, cell in inside], [stamp for stamp, _ in inside], num_cells)


class Signal(Inlet):
    """Samples with a channel for each cell. ``combine``: ``mean`` of those in a bin, for a trace; ``sum``, for counts.

    A window is closed by a sample after it. Samples that are missing inside, by the stream's rate, make the response missing.

    >>> from hartline.lsl import Signal
    >>> from hartline.window import Window
    >>> def trace(onset_s):
    ...     window = Window(bin_s=0.01, num_bins=20, delay_s=0.03)
    ...     return Signal("LFP").response(onset_s, window, num_cells=1, until=onset_s + 2)
    """

    def __init__(self, name: str = "", *, where: str = "", timeout_s: float = 10.0, combine: str = "mean"):
        super().__init__(name, where=where, timeout_s=timeout_s)
        if combine not in ("mean", "sum"):
            raise ValueError(f'combine: must be mean or sum (got "{combine}").')
        self._combine = combine

    def response(self, onset_s: float, window: Window, num_cells: int, until: float) -> NDArray[np.float64] | str:
        """[num_cells, num_bins]; or why there is none."""
        if self.num_channels != num_cells:
            raise ValueError(f"{self.name}: must have a channel for each of {num_cells} cells (got {self.num_channels}).")
        start, end = window.start_s(onset_s), window.end_s(onset_s)
        while not (self._heard and self._heard[-1][0] >= end):
            left = until - self._lsl.local_clock()
            if left <= 0 or not self.pull(left):
                return f"{self.name}: nothing after the window came in time"
        self.forget_before(start)
        inside = [(stamp, sample) for stamp, sample in self._heard if stamp < end]
        expected = self.rate_hz * (end - start)
        if not inside or len(inside) < expected - 1.5:
            return f"{self.name}: {len(inside)} samples in the window where {expected:.1f} were expected"
        stamps, samples = [stamp for stamp, _ in inside], [sample for _, sample in inside]
        combined = window.means if self._combine == "mean" else window.sums
        return combined(onset_s, stamps, samples)


class Bridge:
    """Turns the loop: asks, sends the stimulus out, waits for its onset, makes a response of what comes in, and tells.

    ``onsets``: a stream that says when each stimulus came on. Without one ``show(stimulus)`` shows it and returns when that was, on
    LSL's clock; without that either, the onset is when the stimulus was sent. ``patience_s``: so long after the window a response may
    come; a trial without one is given up, with the reason.

    >>> from hartline.lsl import Bridge, Events, Onsets, Outlets
    >>> from hartline.window import Window
    >>> def run(rig):
    ...     Bridge(rig, Outlets(rig), Events("spikes"), Window(bin_s=0.25), onsets=Onsets("display")).run()
    """

    def __init__(self, rig: Rig, outlets: Outlets, responses: Responses, window: Window, *, onsets: Onsets | None = None,
                 show: Callable[[Stimulus], float] | None = None, patience_s: float = 2.0):
        if window.num_bins != rig.response_shape[1]:
            raise ValueError(f"window.num_bins: must be {rig.response_shape[1]}, as the model has (got {window.num_bins}).")
        self.rig, self.outlets, self.responses, self.window = rig, outlets, responses, window
        self.onsets, self.show, self.patience_s = onsets, show, patience_s
        self.offset = clock_offset(rig.clock)
        self._noted: tuple[float, ...] = ()
        rig.note(f"lsl: {_pylsl().library_info()}; rig's clock minus LSL's {self.offset.offset_ns} ns "
                 f"± {self.offset.half_width_ns} ns")
        self.note_corrections()

    def to_rig_ns(self, stamp: float) -> int:
        """A time of LSL on the rig's clock."""
        return round(stamp * 1e9) + self.offset.offset_ns

    def note_corrections(self) -> None:
        """Writes the streams' time corrections into the record where one moved by a tenth of a millisecond."""
        streams = [stream for stream in (self.responses, self.onsets) if stream is not None]
        corrections = tuple(stream.correct() for stream in streams)
        if not self._noted or any(abs(new - old) > 1e-4 for new, old in zip(corrections, self._noted, strict=True)):
            self._noted = corrections
            texts = (f'"{stream.name}" {round(correction * 1e9)} ns' for stream, correction in zip(streams, corrections, strict=True))
            self.rig.note(f"lsl: time corrections: {', '.join(texts)}")

    def trial(self) -> bool:
        """One trial. Returns False where none is left."""
        stimulus = self.rig.ask()
        if stimulus is None:
            return False
        onset: float | None = self.outlets.asked(stimulus)
        assert onset is not None
        if self.onsets is not None:
            onset = self.onsets.wait(stimulus, onset + self.patience_s)
        elif self.show is not None:
            onset = self.show(stimulus)
        if onset is None:
            self._give_up(stimulus, "no onset came in time")
            return True
        self.outlets.mark("onset", stimulus, onset)
        response = self.responses.response(onset, self.window, self.rig.response_shape[0], self.window.end_s(onset) + self.patience_s)
        if isinstance(response, str):
            self._give_up(stimulus, response)
            return True
        what = self.rig.tell(stimulus, response, delivered_ns=self.to_rig_ns(onset),
                             reason="no sample in the bin" if np.isnan(response).any() else "")
        told = [None if math.isnan(value) else value for value in response.ravel().tolist()]
        self.outlets.mark("told", stimulus, float(_pylsl().local_clock()), what=what, reason="", response=told)
        self.note_corrections()
        return True

    def run(self) -> None:
        """Every trial that is left."""
        while self.trial():
            pass

    def _give_up(self, stimulus: Stimulus, reason: str) -> None:
        what = self.rig.give_up(stimulus, reason)
        self.outlets.mark("told", stimulus, float(_pylsl().local_clock()), what=what, reason=reason, response=None)
