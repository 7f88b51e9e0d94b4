#!/usr/bin/env python3
"""A network of the benchmarks in Brian, in its C++ standalone mode or by Cython, run once for each line of standard input.

    bench/peers/brian_network.py cuba|coba|cobahh standalone|cython THREADS [CACHE]

Prints {"version"} and then, for each line "SEED DURATION_MS", {"seconds": processor time, "wall_s", "rate_hz"}. Standalone: of the whole
built program, which is compiled at the first line; threads by OpenMP. Cython: of net.run; CACHE is the folder of what it compiles.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import brian2 as b2
from brian2 import Hz, cm, mV, ms, msiemens, nS, siemens, ufarad, umetre

SEED = 12345  # stands in the generated program where the seed is taken from outside


def cuba() -> tuple[b2.NeuronGroup, list]:
    cells = b2.NeuronGroup(4000, """
        dv/dt = (ge + gi - (v + 49*mV)) / (20*ms) : volt (unless refractory)
        dge/dt = -ge / (5*ms) : volt
        dgi/dt = -gi / (10*ms) : volt
        """, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="exact")
    cells.v = "-60*mV + rand() * 10*mV"
    return cells, ["ge += 1.62*mV", "gi -= 9*mV"]


def cobahh() -> tuple[b2.NeuronGroup, list]:
    area = 20000 * umetre**2
    names = {"C": 1 * ufarad / cm**2 * area, "gL": 5e-5 * siemens / cm**2 * area, "gNa": 100 * msiemens / cm**2 * area,
             "gK": 30 * msiemens / cm**2 * area, "VT": -63 * mV}
    cells = b2.NeuronGroup(4000, """
        dv/dt = (gL*(-60*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v) - gNa*m**3*h*(v - 50*mV) - gK*n**4*(v + 90*mV)) / C : volt
        dm/dt = am*(1 - m) - bm*m : 1
        dh/dt = ah*(1 - h) - bh*h : 1
        dn/dt = an*(1 - n) - bn*n : 1
        dge/dt = -ge / (5*ms) : siemens
        dgi/dt = -gi / (10*ms) : siemens
        am = 1.28 / exprel((13*mV - v + VT) / (4*mV)) / ms : Hz
        bm = 1.4 / exprel((v - VT - 40*mV) / (5*mV)) / ms : Hz
        ah = 0.128 * exp((17*mV - v + VT) / (18*mV)) / ms : Hz
        bh = 4 / (1 + exp((40*mV - v + VT) / (5*mV))) / ms : Hz
        an = 0.16 / exprel((15*mV - v + VT) / (5*mV)) / ms : Hz
        bn = 0.5 * exp((10*mV - v + VT) / (40*mV)) / ms : Hz
        """, threshold="v > -20*mV", refractory=3 * ms, method="exponential_euler", namespace=names)
    cells.v = "-60*mV + (randn() * 5 - 5)*mV"
    cells.ge = "(randn() * 1.5 + 4) * 10*nS"
    cells.gi = "(randn() * 12 + 20) * 10*nS"
    return cells, ["ge += 6*nS", "gi += 67*nS"]


def coba() -> tuple[b2.NeuronGroup, list]:
    cells = b2.NeuronGroup(4000, """
        dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) - (v + 60*mV)) / (20*ms) : volt (unless refractory)
        dge/dt = -ge / (5*ms) : 1
        dgi/dt = -gi / (10*ms) : 1
        """, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="exponential_euler")
    cells.v = "-65*mV + randn() * 5*mV"
    cells.ge = "4 + 1.5 * randn()"
    cells.gi = "20 + 12 * randn()"
    return cells, ["ge += 0.6", "gi += 6.7"]


def stdp() -> tuple[b2.Network, b2.Synapses]:
    inputs = b2.PoissonGroup(1000, rates=15 * Hz)
    cell = b2.NeuronGroup(1, """
        dv/dt = (ge * (0*mV - v) + (-74*mV) - v) / (10*ms) : volt
        dge/dt = -ge / (5*ms) : 1
        """, threshold="v > -54*mV", reset="v = -60*mV", method="euler")
    cell.v = -60 * mV
    plastic = b2.Synapses(inputs, cell, """
        w : 1
        dApre/dt = -Apre / (20*ms) : 1 (event-driven)
        dApost/dt = -Apost / (20*ms) : 1 (event-driven)
        """, on_pre="ge += w\nApre += 0.0001\nw = clip(w + Apost, 0, 0.01)",
                          on_post="Apost += -0.000105\nw = clip(w + Apre, 0, 0.01)")
    plastic.connect()
    plastic.w = "rand() * 0.01"
    return b2.Network(inputs, cell, plastic), plastic


def build(network: str, record: bool) -> tuple[b2.Network, b2.SpikeMonitor]:
    cells, changes = {"cuba": cuba, "coba": coba, "cobahh": cobahh}[network]()
    excitatory = b2.Synapses(cells[:3200], cells, on_pre=changes[0])
    inhibitory = b2.Synapses(cells[3200:], cells, on_pre=changes[1])
    for synapses in (excitatory, inhibitory):
        synapses.connect(p=0.02)
    spikes = b2.SpikeMonitor(cells, record=record)
    return b2.Network(cells, excitatory, inhibitory, spikes), spikes


def compile_for_any_seed(folder: str, any_duration: bool = False) -> None:
    """Builds what was run so far, after b2.seed(SEED), as a program that takes its seed from $NETWORK_SEED."""
    b2.device.build(directory=folder, compile=False, run=False)
    main_file = Path(folder) / "main.cpp"
    changes = [(f"{SEED}L", 'std::atol(std::getenv("NETWORK_SEED"))')]
    if any_duration:
        changes.append((".run(0.5,", '.run(std::atof(std::getenv("NETWORK_SECONDS")),'))
    text = main_file.read_text()
    for old, new in changes:
        assert old in text, f"main.cpp must hold {old}"
        text = text.replace(old, new)
    main_file.write_text(text)
    b2.device.compile_source(folder, b2.codegen.cpp_prefs.get_compiler_and_args()[0], False, True)


def run_built(folder: str, **settings: str) -> None:
    subprocess.run(["./main"], cwd=folder, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **settings})
    b2.get_device().has_been_run = True
    b2.get_device().array_cache.clear()


def standalone(network: str, num_threads: int, lines: Iterable[tuple[int, float]]) -> Iterator[dict]:
    with tempfile.TemporaryDirectory() as folder:
        b2.prefs.devices.cpp_standalone.openmp_threads = 0 if num_threads == 1 else num_threads
        b2.set_device("cpp_standalone", build_on_run=False, directory=folder)
        b2.seed(SEED)
        net, spikes = build(network, record=False)
        net.run(500 * ms)
        compiled = False
        for seed, duration_ms in lines:
            if not compiled:
                compile_for_any_seed(folder, any_duration=True)
                compiled = True
            before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            # a thread's seed is this one and its number
            run_built(folder, NETWORK_SEED=str(100 * seed), NETWORK_SECONDS=str(duration_ms * 1e-3))
            wall_s, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
            yield {"seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "wall_s": wall_s,
                   "rate_hz": float(spikes.num_spikes) / 4000 / (duration_ms * 1e-3)}


def cython(network: str, cache: str, lines: Iterable[tuple[int, float]]) -> Iterator[dict]:
    b2.prefs.codegen.target = "cython"
    if cache:
        b2.prefs.codegen.runtime.cython.cache_dir = cache
    for seed, duration_ms in lines:
        b2.seed(seed)
        net, spikes = build(network, record=False)
        net.run(0 * ms)  # compiles
        before, begun = time.process_time(), time.monotonic()
        net.run(duration_ms * ms)
        yield {"seconds": time.process_time() - before, "wall_s": time.monotonic() - begun,
               "rate_hz": float(spikes.num_spikes) / 4000 / (duration_ms * 1e-3)}


def main() -> int:
    network, mode, num_threads, cache = *sys.argv[1:3], int(sys.argv[3]), "".join(sys.argv[4:5])
    print(json.dumps({"version": b2.__version__}), flush=True)
    lines = ((int(line.split()[0]), float(line.split()[1])) for line in sys.stdin)
    for out in standalone(network, num_threads, lines) if mode == "standalone" else cython(network, cache, lines):
        print(json.dumps(out), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
