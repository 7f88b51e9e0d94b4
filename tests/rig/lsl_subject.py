"""A display and an amplifier that know pylsl and nothing of Hartline's package: stimuli in, onsets and spikes or a signal out.

    lsl_subject.py LOG --window-s S --num-cells N [--mute TRIAL …] [--signal]

Shows what comes over `hartline-stimuli`, says when over `display`, and responds over `spikes` (samples [cell], -1 when a window is
over) or over `signal` (500 Hz). Writes what it did to LOG, a JSON object a line.
"""

import argparse
import json
import math
import random
import threading
import time

import pylsl

RATE_HZ = 500


def counts_of(values, num_cells, stream):
    """Poisson counts: each cell is driven by its own stretch of the stimulus."""
    out = []
    for cell in range(num_cells):
        mean, count, product = math.exp(1 + 2 * sum(values[cell::num_cells])), 0, stream.random()
        while product > math.exp(-min(mean, 30)):
            count, product = count + 1, product * stream.random()
        out.append(count)
    return out


def stream_of(name):
    return pylsl.StreamInlet(pylsl.resolve_byprop("name", name, timeout=30)[0])


class Signal:
    """Sends what it was last set to, on and on."""

    def __init__(self, outlet):
        self.level, self.outlet = 0.0, outlet
        threading.Thread(target=self.send, daemon=True).start()

    def send(self):
        start, sent = pylsl.local_clock(), 0
        while True:
            while start + sent / RATE_HZ <= pylsl.local_clock():
                self.outlet.push_sample([self.level], start + sent / RATE_HZ)
                sent += 1
            time.sleep(1 / RATE_HZ)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--window-s", type=float, required=True)
    parser.add_argument("--num-cells", type=int, required=True)
    parser.add_argument("--mute", type=int, nargs="*", default=[])
    parser.add_argument("--signal", action="store_true")
    arguments = parser.parse_args()
    stream = random.Random(7)
    display = pylsl.StreamOutlet(pylsl.StreamInfo("display", "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, "test-display"))
    if arguments.signal:
        signal = Signal(pylsl.StreamOutlet(pylsl.StreamInfo("signal", "LFP", 1, RATE_HZ, pylsl.cf_double64, "test-signal")))
    else:
        spikes = pylsl.StreamOutlet(pylsl.StreamInfo("spikes", "Spikes", 1, pylsl.IRREGULAR_RATE, pylsl.cf_int32, "test-spikes"))
    markers, stimuli = stream_of("hartline"), stream_of("hartline-stimuli")
    markers.open_stream()
    stimuli.open_stream()
    with open(arguments.log, "w", buffering=1) as log:
        while True:
            marker = json.loads(markers.pull_sample()[0][0])
            if marker["event"] != "ask":
                continue
            values, _ = stimuli.pull_sample()
            if arguments.signal:
                signal.level = 3 * math.sin(values[0])
                time.sleep(2.5 / RATE_HZ)
            onset = pylsl.local_clock()
            end = onset + arguments.window_s
            display.push_sample([json.dumps({"event": "onset", "token": marker["token"]})], onset)
            counts = counts_of(values, arguments.num_cells, stream)
            log.write(json.dumps({"trial": marker["trial"], "onset": onset, "values": values, "counts": counts}) + "\n")
            if arguments.signal or marker["trial"] in arguments.mute:
                continue
            # a millisecond off the edges, which are as sharp as LSL's time corrections
            times = [(onset - 0.001, 0), (end + 0.001, 1), (end + 0.002, 0)]
            inside = arguments.window_s - 0.002
            times += [(onset + 0.001 + stream.random() * inside, cell) for cell, n in enumerate(counts) for _ in range(n)]
            time.sleep(max(0.0, end + 0.002 - pylsl.local_clock()))
            for at, cell in sorted(times):
                spikes.push_sample([cell], at)
            spikes.push_sample([-1], end + 0.002)


if __name__ == "__main__":
    main()
