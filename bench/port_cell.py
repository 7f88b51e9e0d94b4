"""The squid's membrane in Hartline, stepped from Python as bench/peers/neuron_cell.py does in NEURON, with the same words and lines.

    PYTHONPATH=build/dev/python bench/port_cell.py DT_MS NUM_STEPS METHOD
"""

from __future__ import annotations

import json
import sys
import time

import hartline as hl

AMPLITUDE = 10.0  # uA/cm^2


def main() -> int:
    dt_ms, num_steps, method = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    network = hl.dynamics.Network({"cell": {"model": "hodgkin_huxley", "method": method}}, dt_ms=dt_ms)
    current, v = network.port("cell.I"), network.port("cell.v")
    assert current.unit == "uA/cm^2"
    print(json.dumps({"version": hl.__version__}), flush=True)
    for _ in sys.stdin:
        state, seen = network.start(), []
        begun = time.process_time()
        for _ in range(num_steps):
            current.write(state, AMPLITUDE)
            network.step(state)
            seen.append(v.read(state))
        seconds = time.process_time() - begun
        print(json.dumps({"us": 1e6 * seconds / num_steps, "v": [float(x[0]) for x in seen]}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
