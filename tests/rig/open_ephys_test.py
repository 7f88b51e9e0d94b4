#!/usr/bin/env python3
"""Ask and tell with spikes and onsets as the Open Ephys GUI sends them over ZeroMQ; its own Python client listens beside ours.

    tests/rig/open_ephys_test.py HARTLINE_BINARY          HARTLINE_PROOF=1: 1,000 trials instead of 100, at 20 a second

Runs in build/venv-rig. The GUI itself is not here: an emulator written from its documentation is. Prints `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import hartline_path
import zmq
from open_ephys.streaming import EventListener

from hartline.open_ephys import Block, Bridge, EventBroadcaster, Gap, SampleClock, Spike, Ttl, ZmqInterface
from hartline.rig import Rig
from hartline.window import Window
from open_ephys_emulator import CELLS, RATE_HZ, WINDOW
from rig_test import replayed, require, run_tests

NUM_TRIALS = 1000 if os.environ.get("HARTLINE_PROOF") == "1" else 100
PERIOD_S = 0.05
EXPERIMENT = """format = 1
seed = 6
num_trials = {trials}
[subject]
kind = "remote"
[stimulus]
kind = "random_pool"
shape = [12]
num = 200
[model]
kind = "glm"
population = {{ num_cells = 3 }}
"""


def free_ports() -> tuple[int, int, int]:
    """Three, the one after the first being free too."""
    with contextlib.ExitStack() as stack:
        while True:
            taken = [stack.enter_context(socket.socket()) for _ in range(4)]
            for each in taken[:3]:
                each.bind(("127.0.0.1", 0))
            ports = [each.getsockname()[1] for each in taken[:3]]
            with contextlib.suppress(OSError, OverflowError):
                taken[3].bind(("127.0.0.1", ports[0] + 1))
                return ports[0], ports[1], ports[2]


class Emulator:
    def __init__(self, folder: Path, options: list[str]):
        self.data_port, self.broadcast_port, stimulus_port = free_ports()
        self.file = folder / "emulator.jsonl"
        self.process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("open_ephys_emulator.py")), str(self.data_port),
                                         str(self.broadcast_port), str(stimulus_port), str(self.file), *options])
        self.stimuli = zmq.Context.instance().socket(zmq.PUSH)
        self.stimuli.connect(f"tcp://127.0.0.1:{stimulus_port}")

    def show(self, stimulus: object) -> None:
        self.stimuli.send_json({"trial": stimulus.trial, "values": stimulus.values.ravel().tolist()})  # type: ignore[attr-defined]

    def log(self) -> list[dict]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def trials(self) -> dict[int, dict]:
        return {line["trial"]: line for line in self.log() if "trial" in line}


@contextlib.contextmanager
def emulator(folder: Path, *options: str) -> Iterator[Emulator]:
    made = Emulator(folder, list(options))
    try:
        yield made
    finally:
        made.stimuli.close(linger=0)
        made.process.kill()
        made.process.wait()


@contextlib.contextmanager
def rig_of(arguments: argparse.Namespace, folder: Path, trials: int) -> Iterator[Rig]:
    file = folder / "rig.toml"
    file.write_text(EXPERIMENT.format(trials=trials))
    with Rig.start(file, record=folder / "run.hartline", program=[arguments.binary], arguments=["--threads", "1"]) as rig:
        yield rig


def answers_of(record: Path) -> dict[int, tuple[list[float], bytes | None, str]]:
    with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT trial_idx, response, marks, reason FROM trial ORDER BY trial_idx").fetchall()
    return {idx: (list(struct.unpack("<3d", response)), marks, reason) for idx, response, marks, reason in rows}


def wait_for_blocks(source: ZmqInterface) -> None:
    end = time.monotonic() + 20
    while not isinstance(source.read(1.0), Block):
        require(time.monotonic() < end, "nothing comes from the emulator")


def counts_are_those_that_were_sent(arguments: argparse.Namespace, folder: Path) -> None:
    with emulator(folder) as gui, ZmqInterface(data_port=gui.data_port) as source, rig_of(arguments, folder, NUM_TRIALS) as rig:
        wait_for_blocks(source)
        bridge = Bridge(rig, source, CELLS, Window(bin_s=WINDOW / RATE_HZ), show=gui.show, onset_line=1, patience_s=10)
        begun, slips = time.monotonic(), 0
        for k in range(NUM_TRIALS):
            require(bridge.trial(), "the trials ended early")
            late = time.monotonic() - begun - (k + 1) * PERIOD_S
            slips += late > 0
            time.sleep(max(0.0, -late))
        took = time.monotonic() - begun
        require(not bridge.trial() and rig.num_learned == NUM_TRIALS, "trials are left")
        require(source.sample_rate_hz == RATE_HZ and source.gui_heard_s is not None, "no sample rate, or no heartbeat")
        require(any(line.get("client") == "hartline" for line in gui.log()), "the GUI does not know its client")
        start_ns, shown, offset = gui.log()[0]["start_ns"], gui.trials(), bridge.clock.offset
    require(abs(offset.offset_ns - start_ns) <= offset.half_width_ns, f"sample 0 was at {start_ns} ns, not {offset}")
    require(offset.half_width_ns < 50_000_000, f"the clocks are known to {offset.half_width_ns} ns only")
    answers = answers_of(folder / "run.hartline")
    require(len(answers) == len(shown) == NUM_TRIALS, f"{len(answers)} trials in the record, {len(shown)} at the emulator")
    for k, (response, marks, reason) in answers.items():
        require(marks is None and response == shown[k]["counts"], f"trial {k}: {response} {reason} told, {shown[k]['counts']} sent")
    replayed(arguments.binary, folder / "run.hartline")
    print(f"  ZMQ Interface: {NUM_TRIALS} trials in {took:.1f} s, {slips} later than their turn; "
          f"sample 0 known to {offset.half_width_ns / 1e6:.1f} ms, off by {abs(offset.offset_ns - start_ns) / 1e6:.1f} ms")


def what_was_lost_is_missing(arguments: argparse.Namespace, folder: Path) -> None:
    with emulator(folder, "--lose", "2", "5", "--no-onset", "7") as gui, ZmqInterface(data_port=gui.data_port) as source, \
            rig_of(arguments, folder, 10) as rig:
        wait_for_blocks(source)
        Bridge(rig, source, CELLS, Window(bin_s=WINDOW / RATE_HZ), show=gui.show, onset_line=1, patience_s=2).run()
        shown = gui.trials()
    for k, (response, marks, reason) in answers_of(folder / "run.hartline").items():
        if k in (2, 5, 7):
            expected = "no onset" if k == 7 else "came after"
            require(marks == b"\1\1\1" and expected in reason, f"trial {k} is not missing: {response} {marks} {reason}")
        else:
            require(marks is None and response == shown[k]["counts"], f"trial {k}: {response} {reason}, {shown[k]['counts']} sent")


def their_client_and_ours_hear_the_same(arguments: argparse.Namespace, folder: Path) -> None:
    """open-ephys-python-tools on the Event Broadcaster's port, our reader of it, and our reader of the ZMQ Interface."""
    theirs: list[tuple] = []
    with emulator(folder) as gui, ZmqInterface(data_port=gui.data_port) as source, EventBroadcaster(port=gui.broadcast_port) as ours, \
            rig_of(arguments, folder, 30) as rig:
        listener = EventListener(port=gui.broadcast_port)
        thread = threading.Thread(daemon=True, target=listener.start, kwargs={
            "ttl_callback": lambda event: theirs.append(("ttl", event["sample_number"], event["line"], event["state"])),
            "spike_callback": lambda spike: theirs.append(("spike", spike["sample_number"], spike["electrode"], spike["sorted_id"]))})
        thread.start()
        wait_for_blocks(source)
        first = ours.read(20)
        end = time.monotonic() + 20
        while not theirs:
            require(time.monotonic() < end, "their client hears nothing")
            time.sleep(0.01)
        # theirs and ours are both there; the responses come by the broadcaster
        Bridge(rig, ours, CELLS, Window(bin_s=WINDOW / RATE_HZ), show=gui.show, onset_line=1, patience_s=10, settle_s=0.3).run()
        time.sleep(1.0)
        listener.stop()
        thread.join(10)
        log, shown = gui.log(), gui.trials()
        require(first is not None, "our reader hears nothing")
    answers = answers_of(folder / "run.hartline")
    require(all(response == shown[k]["counts"] and marks is None for k, (response, marks, _) in answers.items()), "a count differs")
    sent = [("ttl", line["sample"], line["line"], line["state"]) if line["sent"] == "ttl" else
            ("spike", line["sample"], line["electrode"], line["unit"]) for line in log if "sent" in line]
    require(len(theirs) > 300 and theirs == sent[sent.index(theirs[0]):][:len(theirs)], "their client heard something else than was sent")
    last_shown = max(line["onset"] for line in shown.values())
    require(theirs[-1][1] > last_shown, "their client heard the beginning only")
    print(f"  Event Broadcaster: {len(theirs)} events heard by open-ephys-python-tools, all as sent; 30 trials by our reader")


def readers_agree(_: argparse.Namespace, folder: Path) -> None:
    """Both plug-ins tell of the same spikes and pulses, and a lost message is a gap."""
    heard: list[list] = [[], []]
    with emulator(folder, "--lose", "3") as gui, ZmqInterface(data_port=gui.data_port) as source, \
            EventBroadcaster(port=gui.broadcast_port) as broadcast:
        wait_for_blocks(source)
        require(broadcast.read(20) is not None, "nothing is broadcast")
        for trial in range(3):
            gui.stimuli.send_json({"trial": trial, "values": [0.1] * 12})
        time.sleep(1.5)
        onsets = [line["onset"] for line in gui.log() if "trial" in line]
        over = max(onsets) + RATE_HZ
        while not (isinstance(message := source.read(10), Block) and message.sample > over):
            heard[0].append(message)
        while (event := broadcast.read(10)) is not None and event.sample <= over:  # pulses go on
            heard[1].append(event)
        gui.stimuli.send_json({"trial": 3, "values": [0.1] * 12})
        gaps, end = 0, time.monotonic() + 5
        while not gaps and time.monotonic() < end:
            gaps += isinstance(source.read(0.1), Gap)
    events = [[m for m in each if isinstance(m, Spike) or (isinstance(m, Ttl) and m.line == 1)] for each in heard]
    require(len(events[0]) > 20 and events[0] == events[1], f"{len(events[0])} and {len(events[1])} events")
    require([m.sample for m in events[0] if isinstance(m, Ttl) and m.state] == sorted(onsets), "other onsets")
    require(not any(isinstance(m, Gap) for m in heard[0]) and gaps == 1, "gaps are not seen, or where there are none")


def no_bytes_stop_a_reader(arguments: argparse.Namespace, folder: Path) -> None:
    """What the plug-ins send, with bytes changed, cut and joined: messages or gaps come of it, never an exception."""
    del arguments, folder
    header = json.dumps({"message_num": 7, "type": "spike", "spike": {"stream": "probe", "sample_num": 30000, "electrode": "E 1",
                                                                      "sorted_id": 2, "threshold": [-50.0]}}).encode()
    block = json.dumps({"message_num": 8, "type": "data", "content": {"stream": "probe", "sample_num": 30600, "num_samples": 600,
                                                                      "sample_rate": 30000.0}}).encode()
    event = json.dumps({"message_num": 9, "type": "event", "content": {"stream": "probe", "sample_num": 31000, "type": 3}}).encode()
    spike = json.dumps({"event_type": "spike", "stream": "probe", "sample_rate": 30000.0, "sample_number": 12, "electrode": "E 1",
                        "sorted_id": 1}).encode()
    pulse = json.dumps({"event_type": "ttl", "stream": "probe", "sample_rate": 30000.0, "sample_number": 12, "line": 1,
                        "state": True}).encode()
    seeds = [[b"SPIKE", header, b"\0" * 8], [b"DATA", block], [b"EVENT", event, b"\x01\x01" + b"\0" * 8], [b"spike", spike],
             [b"ttl", pulse]]
    words = [b"null", b"-1", b"1e999", b"NaN", b"[]", b"{}", b'"', b"9" * 400, b"\xff", b"true", b"[" * 2000]
    stream, gaps, messages = random.Random(1), 0, 0
    with ZmqInterface(data_port=1) as interface, EventBroadcaster(port=2) as broadcast:
        for _ in range(20_000):
            frames = [bytearray(frame) for frame in stream.choice(seeds)]
            for _ in range(stream.randrange(4)):
                frame = stream.choice(frames)
                at, end = stream.randrange(len(frame) + 1), stream.randrange(len(frame) + 1)
                what = stream.randrange(4)
                if what == 0 and at < len(frame):
                    frame[at] ^= 1 << stream.randrange(8)
                elif what == 1:
                    del frame[at:]
                elif what == 2:
                    frame[at:max(at, end)] = stream.choice(words)
                else:
                    stream.shuffle(frames)
            heard = interface.hear([bytes(frame) for frame in frames])
            event_heard = broadcast.hear([bytes(frame) for frame in frames])
            for message in [*heard, event_heard]:
                gaps += isinstance(message, Gap)
                messages += message is not None and not isinstance(message, Gap)
    require(gaps > 1000 and messages > 1000, f"{gaps} gaps and {messages} messages")
    print(f"  20,000 messages changed, cut and joined: {messages} could still be read, {gaps} gaps, no exception")


def a_sample_clock_is_bounded(_: argparse.Namespace, __: Path) -> None:
    clock = SampleClock(1000.0)
    clock.add(shown_ns=5_000_000_000, sample=0, heard_ns=5_040_000_000)
    clock.add(shown_ns=5_990_000_000, sample=1000, heard_ns=6_020_000_000)
    offset = clock.offset
    require(abs(offset.offset_ns - 5_010_000_000) < 200_000 and abs(offset.half_width_ns - 10_000_000) < 200_000, str(offset))
    require(abs(clock.to_rig_ns(2000) - 7_010_000_000) < 200_000, "a time is wrong")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    return run_tests([counts_are_those_that_were_sent, what_was_lost_is_missing, their_client_and_ours_hear_the_same, readers_agree,
                      no_bytes_stop_a_reader, a_sample_clock_is_bounded], parser.parse_args())


if __name__ == "__main__":
    assert hartline_path.ROOT
    sys.exit(main())
