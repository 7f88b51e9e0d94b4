#!/usr/bin/env python3
"""Kills `hartline run` and `hartline resume` with SIGKILL at random moments, again and again, until each run is done.

    tests/proof/kills.py HARTLINE_BINARY [--kills N] [--seed S]

After every kill: no trial that the record showed before the kill is gone or changed. At the end: every stimulus, response, evidence
and the belief's digest equal those of a run that nobody interrupted, and a trial that was decided and not answered is kept as an
attempt. Also: a file that may not grow further (RLIMIT_FSIZE stands for a full disk) and a folder that may not be written to.
Standard library only. Prints `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BALL = """format = 1
seed = 11
num_trials = {trials}
[subject]
truth = "prior"
[stimulus]
kind = "ball"
shape = [24]
[model]
kind = "glm"
[belief]
prior_sd = 0.5
refine_every = 20
[record]
durability = "{durability}"
"""

GRID = """format = 1
seed = 12
num_trials = {trials}
[stimulus]
kind = "axis"
axis = {{ from = -40, to = 0, num = 201 }}
[model]
kind = "psychometric"
threshold = {{ from = -40, to = 0, num = 81 }}
slope = {{ from = 2, to = 5, num = 7 }}
guess = {{ values = [0.5] }}
lapse = {{ values = [0, 0.02, 0.04] }}
[design]
utility = "mutual_information"
[record]
durability = "{durability}"
"""

CASES = [("ball", BALL, "every-trial"), ("grid", GRID, "every-trial"), ("ball", BALL, "window:8")]

DECISIONS = """SELECT t.trial_idx, t.attempt, t.token, t.utility, t.units, s.pool_idx, s.content_hash, s.samples, t.answered, t.response,
t.log_evidence FROM trial t LEFT JOIN stimulus s ON s.trial_idx = t.trial_idx AND s.attempt = t.attempt AND s.station = 'requested'
ORDER BY t.trial_idx, t.attempt"""
ANSWERED = 8   # column of DECISIONS
NOBODY = 65534


class Failure(Exception):
    """What did not hold."""


def require(holds: bool, text: str) -> None:
    if not holds:
        raise Failure(text)


def rows_of(record: Path) -> list[tuple]:
    """The attempts that the record shows; none while it is being made."""
    if not record.exists():
        return []
    try:
        connection = sqlite3.connect(f"file:{record}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(DECISIONS).fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return []


def call(arguments: list[str], **options: object) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False, **options)


def last_attempts(rows: list[tuple]) -> list[tuple]:
    """What the uninterrupted run must equal: index, stimulus, answer and evidence of the last attempt of each trial."""
    return [row[:1] + row[2:] for row in {row[0]: row for row in rows}.values()]


class Ring:
    """One experiment that is run, killed and resumed."""

    def __init__(self, binary: str, name: str, text: str, durability: str, trials: int, folder: Path):
        self.binary, self.folder, self.durability = binary, folder, durability
        self.name = f"{name}, {durability}"
        self.file = folder / f"{name}-{durability.replace(':', '-')}.toml"
        self.file.write_text(text.format(trials=trials, durability=durability))
        self.trials = trials
        whole = self.file.with_suffix(".whole")
        begun = time.monotonic()
        done = call(self.command("run", whole))
        self.seconds = time.monotonic() - begun
        require(done.returncode == 0, f"{self.name}: the uninterrupted run failed: {done.stderr}")
        self.digest = json.loads(done.stdout)["belief_digest"]
        self.rows = last_attempts(rows_of(whole))
        require(len(self.rows) == trials, f"{self.name}: {trials} trials expected, got {len(self.rows)}")

    def command(self, verb: str, record: Path) -> list[str]:
        if verb == "run":
            return [self.binary, "run", str(self.file), "--out", str(record), "--json", "--threads", "1"]
        return [self.binary, "resume", str(record), "--json", "--threads", "1"]

    def check_nothing_lost(self, before: list[tuple], after: list[tuple]) -> None:
        """Every row seen before the kill is there, and what was answered reads the same."""
        kept = {row[:2]: row for row in after}
        for row in before:
            require(row[:2] in kept, f"trial {row[0]}, attempt {row[1]} was lost")
            now = kept[row[:2]]
            require(now[:ANSWERED] == row[:ANSWERED], f"the decision of trial {row[0]} changed")
            if row[ANSWERED] is not None:
                require(now == row, f"the answer of trial {row[0]} changed")

    def check_attempts(self, rows: list[tuple]) -> int:
        """Attempts count from 1; all but the last are unanswered. Returns how many trials were presented again."""
        again = 0
        for index in range(self.trials):
            attempts = [row for row in rows if row[0] == index]
            require([row[1] for row in attempts] == list(range(1, len(attempts) + 1)), f"attempts of trial {index} are not 1, 2, …")
            require(all(row[ANSWERED] is None for row in attempts[:-1]), f"an attempt of trial {index} was presented again though answered")
            require(attempts[-1][ANSWERED] == 1, f"trial {index} was not answered")
            again += len(attempts) > 1
        return again

    def run_with_kills(self, chance: random.Random, most: int) -> tuple[int, int]:
        """One run to its end with at most so many kills; returns the kills that hit and the trials presented again."""
        record = self.file.with_suffix(".hartline")
        kills, verb, begun_at = 0, "run", 0
        while True:
            process = subprocess.Popen(self.command(verb, record), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            seen: list[tuple] = []
            if kills < most:
                # at a random moment of what is left, or a moment after some trial was first seen
                deadline = time.monotonic() + chance.uniform(0, self.seconds * 1.2)
                target = chance.randrange(begun_at, self.trials) if chance.random() < 0.7 else None
                while process.poll() is None and time.monotonic() < deadline + 30:
                    if target is None and time.monotonic() >= deadline:
                        break
                    seen = rows_of(record)
                    if target is not None and seen and seen[-1][0] >= target:
                        time.sleep(chance.uniform(0, 0.004))
                        break
                process.send_signal(signal.SIGKILL)
            output, errors = process.communicate(timeout=600)
            rows = rows_of(record)
            self.check_nothing_lost(seen, rows)
            begun_at = min(len({row[0] for row in rows if row[ANSWERED]}), self.trials - 1)
            if process.returncode == 0:
                break
            require(process.returncode == -signal.SIGKILL, f"{verb} ended with {process.returncode}: {errors.strip()}")
            kills += 1
            if not rows and record.exists():
                # killed while the record was made: there is nothing to resume, and `resume` must say so or begin
                answer = call(self.command("resume", record))
                require(answer.returncode in (0, 4), f"resume of an empty record ended with {answer.returncode}: {answer.stderr}")
                for rest in self.folder.glob(record.name + "*"):
                    rest.unlink()
            verb = "resume" if record.exists() else "run"
        document = json.loads(output)
        rows = rows_of(record)
        require(document["belief_digest"] == self.digest, f"digest {document['belief_digest']} is not {self.digest}")
        require(last_attempts(rows) == self.rows, "a stimulus, response or evidence differs from the uninterrupted run")
        again = self.check_attempts(rows)
        replay = call([self.binary, "replay", str(record), "--json"])
        require(replay.returncode == 0, f"replay: {replay.stdout}{replay.stderr}")
        for rest in self.folder.glob(record.name + "*"):
            rest.unlink()
        return kills, again


def one_line(text: str) -> bool:
    return text.startswith("hartline: ") and text.count("\n") == 1


def disk_full(ring: Ring) -> None:
    """A file that may not grow: a message, exit code 4, and a record that goes on when there is room."""
    for bytes_left in (40_960, 90_112, 131_072):
        record = ring.folder / f"full-{bytes_left}.hartline"

        def limit(size: int = bytes_left) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        refused = call(ring.command("run", record), preexec_fn=limit)
        require(refused.returncode == 4, f"{bytes_left} bytes: exit code must be 4 (got {refused.returncode}). {refused.stderr.strip()}")
        require(one_line(refused.stderr), f"{bytes_left} bytes: one line expected on standard error (got {refused.stderr!r})")
        rows = rows_of(record)
        if not rows:
            continue
        resumed = call(ring.command("resume", record))
        require(resumed.returncode == 0, f"{bytes_left} bytes: resume failed: {resumed.stderr.strip()}")
        require(json.loads(resumed.stdout)["belief_digest"] == ring.digest, f"{bytes_left} bytes: another belief after the resume")
        ring.check_nothing_lost(rows, rows_of(record))
        require(last_attempts(rows_of(record)) == ring.rows, f"{bytes_left} bytes: another run after the resume")
    require(any(rows_of(record) for record in ring.folder.glob("full-*.hartline")), "every limit was too small for a record")


def read_only(ring: Ring) -> None:
    """A folder that may not be written to: a message that names it and exit code 4; a record in it can be neither resumed nor lost."""
    folder = ring.folder / "read-only"
    folder.mkdir()
    record = folder / "old.hartline"
    require(call(ring.command("run", record)).returncode == 0, "no record to begin with")
    before = rows_of(record)
    record.chmod(0o444)
    folder.chmod(0o555)
    # root may write everywhere: then another user tries
    options = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
    try:
        refused = call(ring.command("run", folder / "new.hartline"), **options)
        require(refused.returncode == 4, f"exit code must be 4 (got {refused.returncode})")
        require(one_line(refused.stderr) and "read-only" in refused.stderr,
                f"one line that names the file expected (got {refused.stderr!r})")
        refused = call(ring.command("resume", record), **options)
        require(refused.returncode == 4 and one_line(refused.stderr),
                f"resume: exit code must be 4 (got {refused.returncode}: {refused.stderr!r})")
    finally:
        folder.chmod(0o755)
    require(rows_of(record) == before, "the record changed")


def may_be_read_by_others(binary: str) -> bool:
    """Whether a user who is not root can start the program."""
    if os.geteuid() != 0:
        return True
    try:
        return call([binary, "--version"], user=NOBODY, group=NOBODY).returncode == 0
    except OSError:
        return False


def append_table(rows: list[str]) -> None:
    if file := os.environ.get("HARTLINE_PROOF_FILE"):
        with open(file, "a", encoding="utf-8") as out:
            out.write("\n#### Runs killed with SIGKILL and resumed\n\n| experiment | kills | runs | trials presented again | lost trials | "
                      "other beliefs or stimuli |\n| --- | --- | --- | --- | --- | --- |\n" + "".join(rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    binary = str(Path(arguments.binary).resolve())
    passed, failed, skipped = 0, 0, 0

    def attempt(name: str, body: Callable[[], object]) -> object:
        nonlocal passed, failed
        try:
            result = body()
        except (Failure, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            print(f"failed: {name}: {error}")
            failed += 1
            return None
        print(f"passed: {name}{f': {result}' if result else ''}")
        passed += 1
        return result

    folder = Path(tempfile.mkdtemp(prefix="hartline-kills-"))
    folder.chmod(0o755)
    table = []
    try:
        chance = random.Random(arguments.seed)
        for number, (name, text, durability) in enumerate(CASES):
            wanted = arguments.kills // len(CASES) + (number < arguments.kills % len(CASES))
            ring = Ring(binary, name, text, durability, 120, folder)
            totals = [0, 0, 0]   # kills, runs, trials presented again

            def killed(ring: Ring = ring, wanted: int = wanted, totals: list[int] = totals) -> str:
                while totals[0] < wanted:
                    kills, again = ring.run_with_kills(chance, min(wanted - totals[0], 5))
                    totals[0] += kills
                    totals[1] += 1
                    totals[2] += again
                return f"{totals[0]} kills in {totals[1]} runs, {totals[2]} trials presented again"

            if attempt(f"{ring.name}: killed and resumed", killed):
                table.append(f"| {ring.name} | {totals[0]} | {totals[1]} | {totals[2]} | 0 | 0 |\n")
            if number == 0:
                attempt("a file that may not grow", lambda ring=ring: disk_full(ring))
                if not may_be_read_by_others(binary):
                    print("skipped: a folder that may not be written to: root may write everywhere and no other user reaches the program")
                    skipped += 1
                else:
                    attempt("a folder that may not be written to", lambda ring=ring: read_only(ring))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    append_table(table)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
