"""Networks from Python: the same bytes as the program, ports between steps, copies, time kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hartline as hl

NOISY: dict[str, Any] = {
    "cells": {"model": "lif", "num": 5, "own": ["I"],
              "equations": {"dv/dt": "(EL - v + R * I) / tau + 10 mV * sqrt(2 / tau) * xi : mV"}, "parameters": {"I": "0.2 nA"}}}
PAIRS: dict[str, Any] = {
    "among": {"from": "cells", "to": "cells", "connect": {"probability": "0.5"}, "delay": "1 ms", "on_pre": ["v_post += 0.5 mV"]}}
RECORD: dict[str, Any] = {"spikes": {"spikes": "cells"}, "v": {"values": ["cells.v"], "which": [1], "every_ms": 1},
                          "rate": {"rate": "cells", "every_ms": 20}}


def net() -> hl.dynamics.Network:
    return hl.dynamics.Network(NOISY, PAIRS, dt_ms=0.1, seed=4)


def test_the_program_writes_the_same_rows(tmp_path: Path) -> None:
    network = net()
    rows = network.run(network.start(), 100, record=RECORD)
    file = tmp_path / "net.json"
    document = {"format": 1, "seed": 4, "duration_ms": 100, "dt_ms": 0.1, "neurons": NOISY, "synapses": PAIRS, "record": RECORD}
    toml = "\n".join(f"{key} = {inline(value)}" for key, value in document.items())
    file = tmp_path / "net.toml"
    file.write_text(toml + "\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "hartline", "simulate", str(file), "--out", str(tmp_path / "out")], check=True,
                   capture_output=True)
    assert rows["spikes"].shape[0] > 5
    for name, of_python in rows.items():
        assert np.array_equal(np.load(tmp_path / "out" / f"{name}.npy"), of_python), name


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def test_a_fork_and_a_saved_state_go_on_alike(tmp_path: Path) -> None:
    network = net()
    state = network.start()
    network.step(state, 500)
    fork = state.copy()
    state.save(tmp_path / "state")
    loaded = network.load(tmp_path / "state")
    wanted = network.run(state, 50, record=RECORD)
    for other in (fork, loaded):
        got = network.run(other, 50, record=RECORD)
        assert all(np.array_equal(wanted[name], got[name]) for name in wanted)
    with pytest.raises(hl.SpecError, match="another"):
        hl.dynamics.Network(NOISY, PAIRS, seed=5).load(tmp_path / "state")
    with pytest.raises(hl.SpecError, match="of this network"):
        hl.dynamics.Network(NOISY, PAIRS, seed=5).step(state)


def test_floats_take_less_room_and_say_the_same(tmp_path: Path) -> None:
    wide, narrow = (hl.dynamics.Network(NOISY, PAIRS, precision=precision, seed=4) for precision in ("double", "float"))
    sizes, v = [], []
    for network in (wide, narrow):
        state = network.start()
        v.append(network.run(state, 5, record={"v": {"values": ["cells.v"]}})["v"])
        state.save(tmp_path / "state")
        sizes.append((tmp_path / "state").stat().st_size)
    assert sizes[1] < sizes[0]
    assert np.allclose(v[0], v[1], rtol=1e-5) and not np.array_equal(v[0], v[1])
    with pytest.raises(hl.SpecError, match="precision"):
        hl.dynamics.Network(NOISY, precision="half")


def test_ports_are_written_between_steps() -> None:
    network = net()
    state, current, v = network.start(), network.port("cells.I"), network.port("cells.v")
    current.write(state, [0, 0.1, 0.2, 0.3, 2.0])
    spikes = np.zeros(5)
    for _ in range(2000):
        network.step(state)
        spikes[network.happened(state, "cells")] += 1
    assert spikes[4] > 2 * spikes[0] and v.read(state).shape == (5,)
    with pytest.raises(hl.RunError, match="one number or 5"):
        current.write(state, [1, 2])
    with pytest.raises(hl.RunError, match="finite"):
        current.write(state, float("nan"))
    with pytest.raises(hl.SpecError, match="Did you mean"):
        network.port("cells.J")


def test_pace_keeps_time_and_calls_before_each_step() -> None:
    network = net()
    state, current, seen = network.start(), network.port("cells.I"), []

    def before(now: hl.dynamics.State) -> None:
        seen.append(now.num_steps)
        current.write(now, 0.5)

    rows, kept = network.pace(state, 20, speed=0.5, record={"spikes": {"spikes": "cells"}}, before_step=before)
    assert seen == list(range(200)) and kept["num_steps"] == 200 and rows["spikes"].shape[1] == 2
    assert 0 <= kept["late_p50_us"] <= kept["late_most_us"]
    with pytest.raises(ZeroDivisionError):
        network.pace(state, 1, before_step=lambda _: 1 / 0)


def test_mistakes_name_their_place() -> None:
    with pytest.raises(hl.SpecError, match="neurons.cell.model.*Did you mean \"lif\""):
        hl.dynamics.Network({"cell": {"model": "liv"}})
    with pytest.raises(hl.UnitError):
        hl.dynamics.Network({"cell": {"equations": {"dv/dt": "1 : mV"}, "start": {"v": "0 mV"}}})
    with pytest.raises(hl.SpecError, match="record.x"):
        network = net()
        network.run(network.start(), 1, record={"x": {"spikes": "cells", "rate": "cells"}})
    with pytest.raises(hl.SpecError, match="multiple of dt_ms"):
        network.run(network.start(), 0.15)
    assert network.describe()["neurons"]["cells"]["num"] == 5
