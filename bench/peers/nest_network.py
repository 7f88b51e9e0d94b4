#!/usr/bin/env python3
"""A network of the benchmarks in NEST, built anew for each line of standard input.

    bench/peers/nest_network.py cuba|cobahh THREADS

Prints {"version", "model"} and then, for each line "SEED DURATION_MS", {"seconds": processor time of Simulate, "wall_s", "rate_hz"}.

CUBA is iaf_psc_exp, updated exactly: with C_m = 200 pF and tau_m = 20 ms a current of 10 pA is 1 mV. COBAHH is hh_cond_exp_traub, by an
adaptive Runge-Kutta method; its spike is a peak above V_T + 30 mV, not a crossing of -20 mV. Delays are one step, the least there is.
Its conductances cannot be set: what they start with comes by one spike to each cell in the first step, where it is above 0.
"""

from __future__ import annotations

import json
import sys
import time

import nest

NUM, NUM_EXCITATORY, DT_MS = 4000, 3200, 0.1
# model, parameters, start, weight of excitation, of inhibition
NETWORKS = {
    "cuba": ("iaf_psc_exp",
             {"C_m": 200.0, "tau_m": 20.0, "E_L": -49.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0, "tau_syn_ex": 5.0,
              "tau_syn_in": 10.0, "I_e": 0.0},
             lambda: {"V_m": nest.random.uniform(-60.0, -50.0)}, 16.2, -90.0),
    "cobahh": ("hh_cond_exp_traub",
               {"C_m": 200.0, "g_L": 10.0, "g_Na": 20000.0, "g_K": 6000.0, "E_L": -60.0, "E_Na": 50.0, "E_K": -90.0, "V_T": -63.0,
                "E_ex": 0.0, "E_in": -80.0, "t_ref": 3.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "I_e": 0.0, "Act_m": 0.0, "Act_n": 0.0,
                "Inact_h": 0.0},
               lambda: {"V_m": nest.random.normal(-65.0, 5.0)}, 6.0, -67.0),
}
# nS: mean, standard deviation and sign of what conductances start with
CONDUCTANCES = {"cuba": (), "cobahh": ((40.0, 15.0, 1), (200.0, 120.0, -1))}


def build(network: str, seed: int, num_threads: int) -> None:
    model, parameters, start, excitation, inhibition = NETWORKS[network]
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = DT_MS
    nest.local_num_threads = num_threads
    nest.rng_seed = seed
    cells = nest.Create(model, NUM, params=parameters)
    cells.set(start())
    for mean, sd, sign in CONDUCTANCES[network]:
        once = nest.Create("spike_generator", params={"spike_times": [DT_MS]})
        nest.Connect(once, cells, "all_to_all", {"weight": sign * nest.math.max(nest.random.normal(mean, sd), 0.0), "delay": DT_MS})
    for sources, weight in ((cells[:NUM_EXCITATORY], excitation), (cells[NUM_EXCITATORY:], inhibition)):
        nest.Connect(sources, cells, {"rule": "pairwise_bernoulli", "p": 0.02}, {"weight": weight, "delay": DT_MS})


def main() -> int:
    network, num_threads = sys.argv[1], int(sys.argv[2])
    print(json.dumps({"version": nest.__version__, "model": NETWORKS[network][0]}), flush=True)
    for line in sys.stdin:
        seed, duration_ms = int(line.split()[0]), float(line.split()[1])
        build(network, seed, num_threads)
        begun, wall_begun = time.process_time(), time.monotonic()
        nest.Simulate(duration_ms)
        seconds, wall_s = time.process_time() - begun, time.monotonic() - wall_begun
        print(json.dumps({"seconds": seconds, "wall_s": wall_s, "rate_hz": nest.local_spike_counter / NUM / (duration_ms * 1e-3)}),
              flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
