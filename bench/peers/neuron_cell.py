#!/usr/bin/env python3
"""The squid's membrane in NEURON, stepped from Python: a current set, a step, the voltage read.

    bench/peers/neuron_cell.py DT_MS NUM_STEPS

Prints {"version"} and then, for each line of standard input, {"us": processor time of a step, "v": voltages in mV, one a step} from the
start. Mechanism hh without its tables, 6.3 degrees, 10 uA/cm2 from t = 0, Crank-Nicolson (secondorder = 2).
"""

from __future__ import annotations

import json
import math
import sys
import time

import neuron
from neuron import h

AREA_UM2, NA_PER_UA_CM2 = 1e4, 0.1  # 1 uA/cm2 over 1e-4 cm2 is 0.1 nA


def main() -> int:
    dt_ms, num_steps = float(sys.argv[1]), int(sys.argv[2])
    soma = h.Section(name="soma")
    soma.L = soma.diam = math.sqrt(AREA_UM2 / math.pi)
    soma.insert("hh")
    h.usetable_hh = 0
    h.celsius = 6.3
    h.secondorder = 2
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur = 0, 1e9
    v, advance, amplitude = soma(0.5)._ref_v, h.fadvance, 10 * NA_PER_UA_CM2
    print(json.dumps({"version": neuron.__version__}), flush=True)
    for _ in sys.stdin:
        h.dt = dt_ms
        clamp.amp = amplitude
        h.finitialize(-65)
        seen = []
        begun = time.process_time()
        for _ in range(num_steps):
            clamp.amp = amplitude
            advance()
            seen.append(v[0])
        seconds = time.process_time() - begun
        print(json.dumps({"us": 1e6 * seconds / num_steps, "v": seen}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
