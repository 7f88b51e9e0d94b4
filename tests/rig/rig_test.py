#!/usr/bin/env python3
"""A rig over real pipes and sockets: whole runs, clients that are killed, strangers, and the clients of the examples.

    tests/rig/rig_test.py HARTLINE_BINARY [--trials N] [--kills N] [--seed S]

Standard library only. Prints `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef"
EXPERIMENT = """format = 1
seed = 5
num_trials = {trials}
[subject]
{subject}
[stimulus]
kind = "ball"
shape = [12]
[model]
kind = "glm"
"""

# A rig of its own process. Its count is a function of the trial, so that a response in the wrong trial shows.
# What was acknowledged goes to standard output before anything else happens.
CLIENT = """
import json, os, socket, sys, time
port = int(sys.argv[1])
lines = socket.create_connection(("127.0.0.1", port)).makefile("rw", encoding="utf-8", newline="\\n")
def say(**message):
    lines.write(json.dumps({**message, "time_ns": time.monotonic_ns()}) + "\\n"); lines.flush()
    return json.loads(lines.readline())
welcome = say(do="hello", protocol=1, token=os.environ["HARTLINE_RIG_TOKEN"])
assert welcome["is"] == "welcome", welcome
while (trial := say(do="ask"))["is"] == "stimulus":
    time.sleep(0.002)
    told = say(do="tell", token=trial["token"], response=[trial["trial"] * 7 % 11], delivered_ns=time.monotonic_ns())
    print(trial["trial"], told["what"], flush=True)
print("end", trial["is"], flush=True)
say(do="bye")
"""


class Failure(Exception):
    """What did not hold."""


class Skip(Exception):
    """Why it could not be tried."""


def require(holds: bool, text: str) -> None:
    if not holds:
        raise Failure(text)


class Engine:
    """`hartline run … --rig tcp` in a folder of its own."""

    def __init__(self, binary: str, folder: Path, trials: int, subject: str = 'kind = "remote"', resume: bool = False):
        self.record = folder / "run.hartline"
        file = folder / "rig.toml"
        file.write_text(EXPERIMENT.format(trials=trials, subject=subject))
        verb = ["resume", str(self.record)] if resume else ["run", str(file), "--out", str(self.record)]
        self.process = subprocess.Popen(
            [binary, *verb, "--json", "--threads", "1", "--rig", "tcp"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "HARTLINE_RIG_TOKEN": TOKEN})
        line = self.process.stdout.readline()
        require(bool(line), f"the engine did not start: {self.process.stderr.read() if not line else ''}")
        self.port = json.loads(line)["port"]

    def finish(self, seconds: float = 60) -> dict:
        out, err = self.process.communicate(timeout=seconds)
        require(self.process.returncode == 0, f"the engine ended with {self.process.returncode}: {err}")
        return json.loads(out)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def engine(binary: str, folder: Path, trials: int, **options: object) -> Iterator[Engine]:
    made = Engine(binary, folder, trials, **options)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.kill()


class Line:
    """A connection, by hand."""

    def __init__(self, port: int, timeout: float = 20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.text = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def hear(self) -> dict | None:
        """The next reply, or None where the engine has hung up."""
        try:
            line = self.text.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line else None

    def say(self, **message: object) -> dict | None:
        try:
            self.send((json.dumps(message) + "\n").encode())
        except ConnectionError:
            return None
        return self.hear()

    def hello(self, **more: object) -> dict | None:
        return self.say(do="hello", protocol=1, token=TOKEN, **more)


def responses_of(record: Path) -> dict[int, tuple[bytes, float]]:
    """Mark and first value of each trial's last attempt."""
    with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT trial_idx, marks, response FROM trial WHERE answered = 1 ORDER BY trial_idx, attempt").fetchall()
    return {idx: (marks or b"\0", struct.unpack("<d", values[:8])[0]) for idx, marks, values in rows}


def replayed(binary: str, record: Path) -> dict:
    done = subprocess.run([binary, "replay", str(record), "--json"], capture_output=True, text=True, timeout=300, check=False)
    require(done.returncode == 0, f"the record does not replay: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def client(port: int) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", CLIENT, str(port)], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "HARTLINE_RIG_TOKEN": TOKEN})


def same_bytes_whoever_asks(arguments: argparse.Namespace, folder: Path) -> None:
    """The loop of a simulated subject, the same responses told over TCP and over pipes: one belief, to the bit."""
    trials = 60
    file, record = folder / "simulated.toml", folder / "simulated.hartline"
    file.write_text(EXPERIMENT.format(trials=trials, subject='truth = "prior"'))
    done = subprocess.run([arguments.binary, "run", str(file), "--out", str(record), "--json"], capture_output=True, text=True, check=True)
    digest = json.loads(done.stdout)["belief_digest"]
    counts = {idx: value for idx, (_, value) in responses_of(record).items()}
    with engine(arguments.binary, folder, trials) as rig:
        line = Line(rig.port)
        line.hello()
        while (trial := line.say(do="ask"))["is"] == "stimulus":
            line.say(do="tell", token=trial["token"], response=[counts[trial["trial"]]])
        line.say(do="bye")
        require(rig.finish()["belief_digest"] == digest, "TCP gives another belief")
    piped = subprocess.Popen([arguments.binary, "run", str(folder / "rig.toml"), "--out", str(folder / "pipe.hartline"), "--json",
                              "--rig", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def say(**message: object) -> dict:
        piped.stdin.write(json.dumps(message) + "\n")
        piped.stdin.flush()
        return json.loads(piped.stdout.readline())

    say(do="hello", protocol=1)
    while (trial := say(do="ask"))["is"] == "stimulus":
        say(do="tell", token=trial["token"], response=[counts[trial["trial"]]])
    say(do="bye")
    _, err = piped.communicate(timeout=60)
    require(json.loads(err.splitlines()[-1])["belief_digest"] == digest, "pipes give another belief")


def killed_clients(arguments: argparse.Namespace, folder: Path) -> None:
    """A rig that dies at any moment loses at most the trial in its hands, and never answers for another."""
    stream = random.Random(arguments.seed)
    told: dict[int, str] = {}
    with engine(arguments.binary, folder, arguments.trials) as rig:
        for kill in range(arguments.kills + 1):
            one = client(rig.port)
            lines = []
            if kill < arguments.kills:
                for _ in range(stream.randrange(1, int(1.6 * arguments.trials / (arguments.kills + 1)))):
                    lines.append(one.stdout.readline())
                time.sleep(stream.uniform(0, 0.006))  # somewhere in the trial after that
                one.kill()
            out, _ = one.communicate(timeout=300)
            for text in [*lines, *out.splitlines()]:
                word, what = (text.split() + ["", ""])[:2]
                if word.isdigit():
                    require(int(word) not in told and what == "taken", f"trial {word} was {what} a second time")
                    told[int(word)] = what
        rig.finish()
    answers = responses_of(rig.record)
    require(len(answers) == arguments.trials, f"{arguments.trials} trials expected, got {len(answers)}")
    for idx, (marks, value) in answers.items():
        require(marks[0] == 1 or value == idx * 7 % 11, f"trial {idx} has the response of another: {value}")
    for idx in told:
        require(answers[idx][0][0] == 0, f"the response to trial {idx} was acknowledged and lost")
    missing = sum(marks[0] == 1 for marks, _ in answers.values())
    require(missing > 0 or arguments.kills < 5, "no kill met a trial in flight")
    require(missing <= arguments.kills, f"{missing} trials without a response after {arguments.kills} kills")
    replayed(arguments.binary, rig.record)
    print(f"  {arguments.kills} kills of the client in {arguments.trials} trials: {missing} in flight, none lost or stale")


def killed_engine(arguments: argparse.Namespace, folder: Path) -> None:
    """An engine that dies and is resumed goes on; what it had not written is given up, nothing is shown twice."""
    stream = random.Random(arguments.seed)
    trials, seen = arguments.trials // 4, set()
    for kill in range(4):
        last = kill == 3
        with engine(arguments.binary, folder, trials, resume=kill > 0) as rig:
            line = Line(rig.port)
            line.hello()
            moment = time.monotonic() + stream.uniform(0.05, 0.4)
            while (trial := line.say(do="ask")) and trial["is"] == "stimulus":
                require(trial["trial"] not in seen, f"trial {trial['trial']} was shown twice")
                seen.add(trial["trial"])
                line.say(do="tell", token=trial["token"], response=[trial["trial"] * 7 % 11])
                if not last and time.monotonic() > moment:
                    break
            if last or (trial and trial["is"] == "done"):
                line.say(do="bye")
                rig.finish()
                break
            rig.kill()
    for idx, (marks, value) in responses_of(rig.record).items():
        require(marks[0] == 1 or value == idx * 7 % 11, f"trial {idx} has the response of another")
    replayed(arguments.binary, rig.record)


def strangers_and_fools(arguments: argparse.Namespace, folder: Path) -> None:
    """Nobody without the token is heard, and nobody keeps the rig from its stimuli."""
    with engine(arguments.binary, folder, 20, subject='kind = "remote"\nsilence_s = 30.0') as rig:
        line = Line(rig.port)
        require(line.hello()["is"] == "welcome", "the rig is not welcome")
        idle = [Line(rig.port) for _ in range(8)]
        for raw in (b'{"do":"ask"}\n', b'{"do":"hello","protocol":1,"token":"x"}\n', b"GET / HTTP/1.1\r\n\r\n", b"\0" * 70000 + b"\n",
                    b"{" * 1000000, b"\xff\xfe\n", b"[" * 500 + b"\n"):
            stranger = Line(rig.port)
            with contextlib.suppress(ConnectionError):
                stranger.send(raw)
            require(stranger.hear() is None, f"a stranger got a reply to {raw[:30]!r}")
        second = Line(rig.port)
        require("second" in second.hello()["message"], "a second rig was not refused")
        require(second.hear() is None, "a second rig stays")
        slow = Line(rig.port)
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in b'{"do":"hello","proto' * 10:
                slow.send(bytes([byte]))
                time.sleep(0.1)
        require(time.monotonic() - begun < 10, "a stranger that dribbles stays for ever")
        # meanwhile the rig is served, malformed lines and all
        require(line.say(do="nonsense")["is"] == "error", "nonsense is taken")
        line.send(b"\xff\n")
        require(line.hear()["is"] == "error", "bytes that are not text are taken")
        slowest = 0.0
        while True:
            begun = time.monotonic()
            trial = line.say(do="ask")
            slowest = max(slowest, time.monotonic() - begun)
            if trial["is"] != "stimulus":
                break
            line.say(do="tell", token=trial["token"], response=[1])
        require(slowest < 2, f"an ask took {slowest:.1f} s beside strangers")
        line.say(do="bye")
        rig.finish()
        del idle


def a_rig_that_does_not_read(arguments: argparse.Namespace, folder: Path) -> None:
    """Replies that nobody takes do not pile up: the engine stops listening to that rig until it does."""
    with engine(arguments.binary, folder, 20) as rig:
        line = Line(rig.port)
        line.hello()
        line.socket.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(400):
                line.send(b'{"do":"ping"}\n' * 2000)
                sent += 2000
        memory = int(Path(f"/proc/{rig.process.pid}/status").read_text().split("VmRSS:")[1].split()[0])
        require(memory < 200_000, f"the engine holds {memory} kB after {sent} pings that nobody read")


def example_clients(arguments: argparse.Namespace, folder: Path) -> None:
    for name, command in (("rig.py", [sys.executable, "examples/rig/rig.py"]), ("rig.m", ["octave-cli", "--quiet", "--eval"])):
        lines = (REPOSITORY / "examples" / "rig" / name).read_text().splitlines()
        require(len(lines) < 40, f"{name} has {len(lines)} lines")
        if not shutil.which(command[0]):
            raise Skip(f"{command[0]} is not installed")
        record = folder / f"{name}.hartline"
        process = subprocess.Popen([arguments.binary, "run", "examples/rig/gabor_rig.toml", "--out", str(record), "--json", "--rig", "tcp"],
                                   cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, env={**os.environ, "HARTLINE_RIG_TOKEN": TOKEN})
        port = json.loads(process.stdout.readline())["port"]
        call = [*command, str(port)] if name.endswith(".py") else [*command, f"cd examples/rig; rig({port})"]
        ran = subprocess.run(call, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
                             env={**os.environ, "HARTLINE_RIG_TOKEN": TOKEN})
        out, _ = process.communicate(timeout=60)
        require(process.returncode == 0 and json.loads(out)["num_trials"] == 200, f"{name}: {ran.stdout}{ran.stderr}")
        replayed(arguments.binary, record)


TESTS: list[Callable[[argparse.Namespace, Path], None]] = [
    same_bytes_whoever_asks, killed_clients, killed_engine, strangers_and_fools, a_rig_that_does_not_read, example_clients]


def run_tests(tests: list[Callable[[argparse.Namespace, Path], None]], arguments: argparse.Namespace) -> int:
    """Each in a folder of its own; prints what came of them, in closing `N passed, N failed, N skipped`."""
    arguments.binary = str(Path(arguments.binary).resolve())
    passed = failed = skipped = 0
    for test in tests:
        try:
            with tempfile.TemporaryDirectory() as folder:
                test(arguments, Path(folder))
            passed += 1
        except Skip as why:
            skipped += 1
            print(f"SKIP {test.__name__}: {why}")
        except Exception as what:  # whatever it is, the others go on
            failed += 1
            print(f"FAIL {test.__name__}: {type(what).__name__}: {what}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    return run_tests(TESTS, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
