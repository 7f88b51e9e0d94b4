#!/usr/bin/env python3
"""Round trips of the rig's protocol beside bare echoes, and from a response to the next stimulus under deadlines. Called by bench/run.

    bench/rig.py HARTLINE_BINARY [--num N] [--trials N]        prints rows of the results as JSON

Runs in build/venv-rig. Times are on the wall, both ends on this machine, so that what else runs here counts; ours and the echoes take
turns of 100. The answers are checked: trials in the record, and its replay.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "rig"))
import hartline_path  # noqa: E402
import numpy as np  # noqa: E402
import pylsl  # noqa: E402
import zmq  # noqa: E402

from hartline.lsl import Events, on_this_machine  # noqa: E402
from hartline.open_ephys import Ttl, ZmqInterface  # noqa: E402
from hartline.rig import Rig  # noqa: E402
from hartline.window import Window  # noqa: E402

TURN = 100
DELAY_MS = 20.0  # from stimulus to response, as a rig that counts spikes for so long
TOKEN = "benchmark"
SMALL = 'num_trials = {trials}\n[stimulus]\nkind = "ball"\nshape = [12]\n[model]\nkind = "glm"\n'
WORKLOADS = {
    "glm_400": 'num_trials = {trials}\n[stimulus]\nkind = "ball"\nshape = [20, 20]\n[model]\nkind = "glm"\n',
    "population_64": 'num_trials = {trials}\n[stimulus]\nkind = "random_pool"\nshape = [8, 8]\nnum = 1000\n[model]\nkind = "glm"\n'
                     "population = {{ num_cells = 64 }}\n",
}
DEADLINES_MS = (5.0, 10.0, 30.0)
DURABILITIES = ("every-trial", "window:100")  # the first waits for the disk before each stimulus is sent


# What the echoes run in a process of their own; each prints a line when it is there.
ECHOES = {
    "tcp": """
import socket
server = socket.create_server(("127.0.0.1", 0)); print(server.getsockname()[1], flush=True)
line, _ = server.accept(); line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while data := line.recv(65536): line.sendall(data)
""",
    "zmq": """
import zmq
reply = zmq.Context().socket(zmq.REP); print(reply.bind_to_random_port("tcp://127.0.0.1"), flush=True)
while True: reply.send(reply.recv())
""",
    "lsl": """
import pylsl
out = pylsl.StreamOutlet(pylsl.StreamInfo("echo-back", "Echo", 1, 0, pylsl.cf_int32, "back")); print("there", flush=True)
there = pylsl.StreamInlet(pylsl.resolve_byprop("name", "echo-there", timeout=60)[0]); there.open_stream()
while True:
    sample, stamp = there.pull_sample(); out.push_sample(sample, stamp)
""",
    "open_ephys": """
import json, struct, zmq
context = zmq.Context()
asked, data, beats = context.socket(zmq.PULL), context.socket(zmq.PUB), context.socket(zmq.REP)
while True:
    port = data.bind_to_random_port("tcp://127.0.0.1")
    try: beats.bind(f"tcp://127.0.0.1:{port + 1}"); break
    except zmq.ZMQError: data.unbind(f"tcp://127.0.0.1:{port}")
print(port, asked.bind_to_random_port("tcp://127.0.0.1"), flush=True)
number = 0
while True:
    if beats.poll(0): beats.recv(); beats.send(b"")
    if not asked.poll(100): continue
    sample = int(asked.recv())
    header = {"message_num": number, "type": "event", "data_size": 10,
              "content": {"stream": "s", "source_node": 1, "type": 3, "sample_num": sample}}
    data.send_multipart([b"EVENT\\0", json.dumps(header).encode(), struct.pack("<BBQ", 1, 1, 2)]); number += 1
""",
}


@contextlib.contextmanager
def echo(kind: str) -> Iterator[list[str]]:
    process = subprocess.Popen([sys.executable, "-c", ECHOES[kind]], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()  # type: ignore[union-attr]
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def engine(binary: str, folder: Path, name: str, text: str, trials: int, threads: int = 1) -> Iterator[tuple[Rig, Path]]:
    """An engine over TCP and a rig at it."""
    file, record = folder / f"{name}.toml", folder / f"{name}.hartline"
    file.write_text('format = 1\nseed = 1\n' + text.format(trials=trials) + '[subject]\nkind = "remote"\n')
    process = subprocess.Popen([binary, "run", str(file), "--out", str(record), "--json", "--threads", str(threads), "--rig", "tcp"],
                               stdout=subprocess.PIPE, text=True, env={**os.environ, "HARTLINE_RIG_TOKEN": TOKEN})
    try:
        with Rig(json.loads(process.stdout.readline())["port"], TOKEN, timeout_s=120) as rig:  # type: ignore[union-attr]
            yield rig, record
        process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()


def record_is_right(binary: str, record: Path, trials: int, fallbacks: int | None = None) -> tuple[bool, str]:
    """Whether all trials are in the record and it replays."""
    with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as connection:
        answered, late = connection.execute("SELECT sum(answered), sum(role = 'fallback') FROM trial").fetchone()
    replay = subprocess.run([binary, "replay", str(record), "--json"], capture_output=True, text=True, check=False)
    right = answered == trials and replay.returncode == 0 and fallbacks in (None, late)
    return right, f"{answered} trials in the record, replay {'equal' if replay.returncode == 0 else 'DIFFERS'}"


def in_turns(acts: dict[str, Callable[[], object]], num: int) -> dict[str, np.ndarray]:
    """Milliseconds of each, ``num`` times."""
    times: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(num // TURN):
        for name, act in acts.items():
            for _ in range(TURN):
                begun = time.perf_counter_ns()
                act()
                times[name].append((time.perf_counter_ns() - begun) / 1e6)
    return {name: np.array(values) for name, values in times.items()}


def row(name: str, metric: str, value: float, unit: str, answer: tuple[bool, str], peer: str | None = None,
        peer_value: float | None = None) -> dict:
    return {"name": name, "metric": metric, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value,
            "ratio": peer_value / value if peer_value else None, "bound": None, "ok": True, "aim": None, "aim_met": None,
            "answer_ok": answer[0], "answer": answer[1]}


def percentiles(name: str, what: str, ours: np.ndarray, answer: tuple[bool, str], peer: str | None = None,
                peers: np.ndarray | None = None) -> list[dict]:
    text = answer[0], f"{len(ours)} times, on the wall; {answer[1]}"
    return [row(name, f"{what}_p{p}", float(np.percentile(ours, float(p))), "ms", text, peer,
                None if peers is None else float(np.percentile(peers, float(p)))) for p in ("50", "99", "99.9")]


def tcp_echo(port: int) -> Callable[[], object]:
    line = socket.create_connection(("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    message = b"x" * 64

    def act() -> None:
        line.sendall(message)
        left = len(message)
        while left:
            left -= len(line.recv(left))
    return act


def zmq_echo(port: int) -> Callable[[], object]:
    ask = zmq.Context.instance().socket(zmq.REQ)
    ask.connect(f"tcp://127.0.0.1:{port}")

    def act() -> None:
        ask.send(b"x" * 64)
        ask.recv()
    return act


def protocol_rows(binary: str, folder: Path, num: int) -> list[dict]:
    """Ping, and tell with the next ask, for a model so small that choosing takes little."""
    with contextlib.ExitStack() as stack:
        rigs: dict[str, Rig] = {}
        rigs["tcp"], record = stack.enter_context(engine(binary, folder, "tcp", SMALL, num + 1))
        file = folder / "tcp.toml"
        rigs["stdio"] = stack.enter_context(Rig.start(file, record=folder / "stdio.hartline", program=[binary],
                                                      arguments=["--json", "--threads", "1"]))
        held = {name: rig.ask() for name, rig in rigs.items()}

        def trial(name: str) -> None:
            rigs[name].tell(held[name], held[name].trial % 3)
            held[name] = rigs[name].ask()

        (tcp_port,), (zmq_port,) = stack.enter_context(echo("tcp")), stack.enter_context(echo("zmq"))
        times = in_turns({"tcp": rigs["tcp"].ping, "stdio": rigs["stdio"].ping, "echo": tcp_echo(int(tcp_port)),
                          "zmq": zmq_echo(int(zmq_port)), "tcp_trial": lambda: trial("tcp"),
                          "stdio_trial": lambda: trial("stdio")}, num)
        for name, rig in rigs.items():
            rig.tell(held[name], held[name].trial % 3)
        done = all(rig.done for rig in rigs.values())
    rows = []
    for name in ("tcp", "stdio"):
        right, text = record_is_right(binary, folder / f"{name}.hartline", num + 1)
        answer = right and done, text
        rows += percentiles(f"rig/{name}", "ping", times[name], answer, "TCP echo in Python", times["echo"])
        rows += percentiles(f"rig/{name}", "tell_ask", times[f"{name}_trial"], answer)
    return rows + percentiles("rig/zmq_echo", "echo", times["zmq"], (True, "ZeroMQ alone, for comparison"))


def lsl_rows(num: int) -> list[dict]:
    """A sample to another process and back as a response of hartline.lsl, beside the same with pylsl alone."""
    out = pylsl.StreamOutlet(pylsl.StreamInfo("echo-there", "Echo", 1, 0, pylsl.cf_int32, "there"))
    with echo("lsl"):
        bare = pylsl.StreamInlet(pylsl.resolve_byprop("name", "echo-back", timeout=60)[0])
        bare.open_stream()
        ours = Events("echo-back", timeout_s=60)
        require_there = out.wait_for_consumers(60)
        window, right = Window(bin_s=1e-6), [bool(require_there)]

        def bridged() -> None:
            onset = pylsl.local_clock()
            out.push_sample([-1], onset + 1e-3)  # a stamp after the window: it closes it
            response = ours.response(onset, window, 1, onset + 10)
            right.append(not isinstance(response, str) and response.tolist() == [[0.0]])
            bare.pull_sample()

        def alone() -> None:
            out.push_sample([7], pylsl.local_clock())
            right.append(bare.pull_sample()[0] == [7])

        def aside() -> None:  # what both inlets still hold
            time.sleep(0.01)
            while bare.pull_sample(timeout=0.0)[0] is not None:
                pass
            ours.pull(0.0)
            ours.forget_before(float("inf"))

        times: dict[str, list[np.ndarray]] = {"bridged": [], "alone": []}
        for _ in range(num // TURN):
            for name, act in (("bridged", bridged), ("alone", alone)):
                times[name].append(in_turns({name: act}, TURN)[name])
                aside()
    answer = all(right), "every sample came back"
    return percentiles("rig/lsl", "round_trip", np.concatenate(times["bridged"]), answer, "pylsl 1.18.6 alone",
                       np.concatenate(times["alone"]))


def open_ephys_rows(num: int) -> list[dict]:
    """A request to another process and its event as our reader hands it over, beside a bare request of ZeroMQ."""
    with echo("open_ephys") as (data_port, ask_port), echo("zmq") as (zmq_port,), ZmqInterface(data_port=int(data_port)) as source:
        ask = zmq.Context.instance().socket(zmq.PUSH)
        ask.connect(f"tcp://127.0.0.1:{ask_port}")
        right, sample = [], 0
        while not isinstance(source.read(0.05), Ttl):  # until it is subscribed
            ask.send(b"0")
        while source.read(0.2) is not None:
            pass

        def act() -> None:
            nonlocal sample
            sample += 1
            ask.send(str(sample).encode())
            message = source.read(10)
            right.append(isinstance(message, Ttl) and message.sample == sample)

        times = in_turns({"ours": act, "zmq": zmq_echo(int(zmq_port))}, num)
    return percentiles("rig/open_ephys", "round_trip", times["ours"], (all(right), "every event came, none twice"),
                       "ZeroMQ echo in Python", times["zmq"])


def deadline_rows(binary: str, folder: Path, trials: int) -> list[dict]:
    """From a response that was told to the next stimulus, with a rig that takes DELAY_MS for each trial."""
    rows = []
    stream = np.random.default_rng(1)
    for (name, text), durability, deadline_ms in itertools.product(WORKLOADS.items(), DURABILITIES, DEADLINES_MS):
        threads = 2 if name == "population_64" else 1
        title = f"rig/{name}/{durability.split(':')[0]}/{deadline_ms:g}"
        times, asks, fallbacks = [], [], 0
        whole = f'{text}[record]\ndurability = "{durability}"\n'
        with engine(binary, folder, title.replace("/", "_"), whole, trials, threads) as (rig, record):
            stimulus = rig.ask(deadline_ms)
            while stimulus is not None:
                fallbacks += stimulus.role == "fallback"
                time.sleep(DELAY_MS / 1e3)
                counts = stream.poisson(1.0, rig.response_shape)
                begun = time.perf_counter_ns()
                rig.tell(stimulus, counts)
                told = time.perf_counter_ns()
                stimulus = rig.ask(deadline_ms)
                if stimulus is not None:
                    there = time.perf_counter_ns()
                    times.append((there - begun) / 1e6)
                    asks.append((there - told) / 1e6)
        right, about = record_is_right(binary, record, trials, fallbacks)
        answer = right, f"{about}; rig of {DELAY_MS:g} ms, deadline {deadline_ms:g} ms, {threads} threads of the engine, {durability}"
        rows += percentiles(title, "tell_to_stimulus", np.array(times), answer)
        rows += percentiles(title, "ask_to_stimulus", np.array(asks), answer)
        rows.append(row(title, "fallbacks", fallbacks, f"of {trials}", answer))
        rows.append(row(title, "asks_past_deadline", sum(ask > deadline_ms for ask in asks), f"of {len(asks)}", answer))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--num", type=int, default=5000)
    parser.add_argument("--trials", type=int, default=1000)
    arguments = parser.parse_args()
    binary = str(Path(arguments.binary).resolve())
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        settings = folder / "lsl.cfg"
        settings.write_text(on_this_machine(f"hartline-bench-{os.getpid()}"))
        os.environ["LSLAPICFG"] = str(settings)  # before the first use of LSL
        rows = [*protocol_rows(binary, folder, arguments.num), *lsl_rows(arguments.num), *open_ephys_rows(arguments.num),
                *deadline_rows(binary, folder, arguments.trials)]
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    assert hartline_path.ROOT
    sys.exit(main())
