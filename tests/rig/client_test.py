#!/usr/bin/env python3
"""hartline.rig against a real engine: over pipes and TCP, refusals, lost lines, killed engines.

    tests/rig/client_test.py HARTLINE_BINARY

NumPy is needed. Prints `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import json
import math
import socket
import subprocess
import sys
import threading
from pathlib import Path

import hartline_path
from hartline.rig import IoError, Rig, RigError
from hartline.window import Window
from rig_test import TOKEN, Engine, Failure, engine, replayed, require, responses_of, run_tests


def refused(act: object, *arguments: object, **named: object) -> RigError:
    try:
        act(*arguments, **named)  # type: ignore[operator]
    except RigError as error:
        return error
    raise Failure("it was not refused")


def same_belief_over_pipes_and_tcp(arguments: argparse.Namespace, folder: Path) -> None:
    digests = []
    with engine(arguments.binary, folder, 40) as server:
        with Rig(server.port, TOKEN) as rig:
            require(rig.num_trials == 40 and rig.stimulus_shape == (1, 12) and rig.response_shape == (1, 1), str(rig.welcome))
            for stimulus in rig:
                require(stimulus.values.shape == (1, 12), f"values have the shape {stimulus.values.shape}")
                rig.tell(stimulus, [[stimulus.trial % 5]], delivered_ns=rig.clock())
            require(rig.done and rig.num_learned == 40 and not rig.held, "the run is not done")
        digests.append(server.finish()["belief_digest"])
    record = folder / "pipes.hartline"
    with Rig.start(folder / "rig.toml", record=record, program=[arguments.binary], arguments=["--json"]) as rig:
        for stimulus in rig:
            rig.tell(stimulus, stimulus.trial % 5)
    digests.append(replayed(arguments.binary, record)["belief_digest"])
    require(digests[0] == digests[1], f"beliefs differ: {digests}")


def refusals_have_facts_and_change_nothing(arguments: argparse.Namespace, folder: Path) -> None:
    with engine(arguments.binary, folder, 10) as server, Rig(server.port, TOKEN) as rig:
        stimulus = rig.ask()
        error = refused(rig.tell, stimulus, [1, 2])
        require("1 cells x 1 bins" in error.expected and error.field != "" and error.got != "", f"facts are missing: {vars(error)}")
        require("missing" in refused(rig.tell, stimulus, 1, marks=["lost"]).expected, "a mark that is none is taken")
        require(rig.held == [stimulus] and rig.num_learned == 0, "a refused message changed something")
        require(rig.tell(stimulus, math.nan, reason="the amplifier was off") == "taken", "a missing response is not taken")
        twice = rig.ask()
        require([rig.tell(twice, 3), rig.tell(twice, 3)] == ["taken", "doubled"] and rig.num_learned == 2, "a trial counts twice")
        lost = rig.ask()
        require(rig.give_up(lost, "the animal looked away") == "given_up", "it is not given up")
        require(rig.tell(lost, 1) == "late", "a trial that was given up is told of")
        shown = rig.ask()
        rig.tell(shown, 2, delivered=shown.values / 2, delivered_ns=rig.clock())
        rig.note("a change of electrolyte")
        offset = rig.ping()
        require(offset is not None and 0 < offset.half_width_ns < 10**9, f"the clocks are unknown: {offset}")
        record = folder / "run.hartline"
        require(responses_of(record)[0][0] == b"\1", "NaN was not marked as missing")


def strangers_hear_nothing(arguments: argparse.Namespace, folder: Path) -> None:
    with engine(arguments.binary, folder, 10) as server:
        try:
            Rig(server.port, "not the token")
        except IoError as error:
            require(error.field == "engine" and error.hint != "", f"facts are missing: {vars(error)}")
        else:
            raise Failure("a stranger was heard")


def what_is_held_can_be_told_after_the_line_was_cut(arguments: argparse.Namespace, folder: Path) -> None:
    """Also an ask whose reply was lost: that trial is given up, the others are not."""
    with engine(arguments.binary, folder, 12) as server:
        rig = Rig(server.port, TOKEN)
        held = [rig.ask(), rig.ask()]
        cut = rig._line._socket  # type: ignore[union-attr]
        cut.sendall(b'{"do":"ask"}\n')  # opens a trial whose stimulus nobody will read
        threading.Event().wait(0.3)
        cut.shutdown(socket.SHUT_RDWR)
        try:
            rig.tell(held[0], 1)
        except IoError:
            pass
        else:
            raise Failure("a line that is cut works")
        rig.reconnect()
        require(rig.held == held, "what was asked for is forgotten")
        require([rig.tell(trial, 4) for trial in reversed(held)] == ["taken", "taken"], "what was held was not taken")
        for stimulus in rig:
            rig.tell(stimulus, 4)
        rig.close()
        server.finish()
        answers = responses_of(server.record)
        require({idx for idx, (marks, _) in answers.items() if marks[0] == 1} == {2}, f"missing: {answers}")
        replayed(arguments.binary, server.record)


def a_killed_engine_is_waited_for(arguments: argparse.Namespace, folder: Path) -> None:
    first = Engine(arguments.binary, folder, 30)
    rig = Rig(first.port, TOKEN)
    for _ in range(10):
        stimulus = rig.ask()
        rig.tell(stimulus, stimulus.trial % 3)
    port = first.port
    first.kill()
    second: list[subprocess.Popen[str]] = []

    def revive() -> None:
        second.append(subprocess.Popen(
            [arguments.binary, "resume", str(first.record), "--json", "--threads", "1", "--rig", f"tcp:{port}"],
            stdout=subprocess.PIPE, text=True, env={"HARTLINE_RIG_TOKEN": TOKEN}))
        second[0].stdout.readline()  # type: ignore[union-attr]

    later = threading.Timer(0.5, revive)
    later.start()
    try:
        rig.reconnect(within_s=60)
        for stimulus in rig:
            rig.tell(stimulus, stimulus.trial % 3)
        rig.close()
        later.join()
        out, _ = second[0].communicate(timeout=60)
        require(json.loads(out)["num_trials"] == 30, out)
    finally:
        later.join()
        if second[0].poll() is None:
            second[0].kill()
    replayed(arguments.binary, first.record)


def windows_count_what_is_in_them(_: argparse.Namespace, __: Path) -> None:
    window = Window(bin_s=0.5, num_bins=2, delay_s=0.25)
    times = [0.0, 0.249, 0.25, 0.74, 0.75, 1.24, 1.25, 9.0]
    require(window.counts(0.0, [0] * 8, times, 1).tolist() == [[2.0, 2.0]], "edges")
    require(window.counts(0.0, [-1, 7, 1, 1, 1, 1, 1, 1], times, 2).tolist() == [[0, 0], [2, 2]], "cells that are none")
    samples = [[float(k), -1.0] for k in range(8)]
    require(window.means(0.0, times, samples).tolist() == [[2.5, 4.5], [-1, -1]], "means")
    require(window.sums(0.0, times, samples).tolist() == [[5, 9], [-2, -2]], "sums")
    require(all(map(math.isnan, window.means(99.0, times, samples).ravel())), "a bin without a sample has a mean")


def typed(_: argparse.Namespace, __: Path) -> None:
    """The modules of the rig's side pass mypy, strictly."""
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "--follow-imports=silent",
                           *(f"hartline/{name}.py" for name in ("rig", "window", "lsl", "open_ephys"))],
                          cwd=hartline_path.ROOT / "python", capture_output=True, text=True, check=False)
    require(done.returncode == 0, done.stdout + done.stderr)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    return run_tests([same_belief_over_pipes_and_tcp, refusals_have_facts_and_change_nothing, strangers_hear_nothing,
                      what_is_held_can_be_told_after_the_line_was_cut, a_killed_engine_is_waited_for,
                      windows_count_what_is_in_them, typed], parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
