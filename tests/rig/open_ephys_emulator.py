"""An acquisition system that speaks as the Open Ephys GUI's plug-ins ZMQ Interface and Event Broadcaster are documented to. pyzmq only.

    open_ephys_emulator.py DATA_PORT BROADCAST_PORT STIMULUS_PORT LOG [--lose TRIAL …] [--no-onset TRIAL …]

Samples at 30 kHz of this machine's monotonic clock, in blocks of 5 ms. A stimulus is a JSON object with `trial` and `values`; it comes
on in the next block: TTL line 1 goes up for 2 ms, and two electrodes have spikes. Line 7 pulses all the time. What was sent goes to
LOG, a JSON object a line, the first with the time of sample 0.
"""

import argparse
import json
import math
import random
import struct
import time

import zmq

RATE_HZ, BLOCK = 30000, 150
WINDOW = 600  # 20 ms: where spikes are known in the log
CELLS = [("Electrode 1", 1), ("Electrode 1", 2), ("Electrode 2", 1)]


class Emulator:
    def __init__(self, arguments):
        self.lose, self.no_onset = set(arguments.lose), set(arguments.no_onset)
        context = zmq.Context()
        self.data, self.clients = context.socket(zmq.PUB), context.socket(zmq.REP)
        self.broadcast, self.stimuli = context.socket(zmq.PUB), context.socket(zmq.PULL)
        self.data.set_hwm(0)
        for socket, port in ((self.data, arguments.data_port), (self.clients, arguments.data_port + 1),
                             (self.broadcast, arguments.broadcast_port), (self.stimuli, arguments.stimulus_port)):
            socket.bind(f"tcp://127.0.0.1:{port}")
        self.log = open(arguments.log, "w", buffering=1)
        self.number, self.stream = 0, random.Random(3)
        self.events, self.spikes, self.known, self.drop, self.start_ns = [], [], set(), False, 0

    def write(self, **about):
        self.log.write(json.dumps(about) + "\n")

    def send(self, kind, body, payload, name="content"):
        header = {"message_num": self.number, "type": kind, name: body, "data_size": len(payload), "timestamp": 0}
        self.number += 1
        if self.drop:  # the number is used up, the message is not seen
            self.drop = False
            return
        self.data.send_multipart([b"DATA\0" if kind == "data" else b"EVENT\0", json.dumps(header).encode(), payload])

    def send_ttl(self, sample, line, state):
        self.send("event", {"stream": "probe", "source_node": 101, "type": 3, "sample_num": sample},
                  struct.pack("<BBQ", line, state, state << line))
        event = {"event_type": "ttl", "stream": "probe", "source_node": 101, "sample_rate": RATE_HZ, "channel_name": "TTL",
                 "sample_number": sample, "line": line, "state": state}
        self.broadcast.send_multipart([struct.pack("<H", 0), json.dumps(event).encode()])
        self.write(sent="ttl", sample=sample, line=line, state=state)

    def send_spike(self, sample, electrode, unit):
        self.send("spike", {"stream": "probe", "source_node": 104, "electrode": electrode, "sample_num": sample, "num_channels": 1,
                            "num_samples": 40, "sorted_id": unit, "threshold": [50.0]}, struct.pack("<40f", *[0.0] * 40), "spike")
        event = {"event_type": "spike", "stream": "probe", "source_node": 104, "electrode": electrode, "num_channels": 1,
                 "sample_rate": RATE_HZ, "sample_number": sample, "sorted_id": unit, "amp1": 80.0}
        self.broadcast.send_multipart([struct.pack("<H", 1), json.dumps(event).encode()])
        self.write(sent="spike", sample=sample, electrode=electrode, unit=unit)

    def show(self, trial, values, begin):
        """Plans a stimulus that comes on in the block that begins here; never before now, should this program lag."""
        now = math.ceil((time.monotonic_ns() - self.start_ns) * RATE_HZ / 1e9)
        onset = max(begin, now) + self.stream.randrange(BLOCK)
        counts = []
        for cell, (electrode, unit) in enumerate(CELLS):
            mean = min(30, math.exp(1 + 2 * sum(values[cell::len(CELLS)])))
            count = sum(self.stream.random() < mean / 60 for _ in range(60))
            counts.append(count)
            self.spikes += [(onset + self.stream.randrange(WINDOW), electrode, unit) for _ in range(count)]
            self.spikes += [(onset - 1, electrode, unit), (onset + WINDOW, electrode, unit)]  # just outside
        self.spikes += [(onset + 10, "Electrode 1", 0), (onset + 20, "Electrode 9", 1)]  # not asked for
        if trial in self.no_onset:
            onset = None
        else:
            self.events += [(onset, 1, 1), (onset + 60, 1, 0)]
        self.drop = trial in self.lose
        self.write(trial=trial, values=values, onset=onset, counts=counts)

    def block(self, begin):
        end = begin + BLOCK
        while self.clients.poll(0):
            message = json.loads(self.clients.recv())
            assert message["type"] == "heartbeat" and message["uuid"] and message["application"], message
            self.clients.send(b"heartbeat received")
            if message["uuid"] not in self.known:
                self.known.add(message["uuid"])
                self.write(client=message["application"])
        while self.stimuli.poll(0):
            self.show(**self.stimuli.recv_json(), begin=end)
        if begin % (100 * BLOCK) == 0:
            self.events += [(begin, 7, 1), (begin + 30, 7, 0)]
        now = sorted(event for event in self.events if event[0] < end)
        self.events = [event for event in self.events if event[0] >= end]
        for event in now:
            self.send_ttl(*event)
        # a spike is found once the millisecond after its peak is there; one electrode comes after the other
        found = [spike for spike in self.spikes if spike[0] < end - 30]
        self.spikes = [spike for spike in self.spikes if spike[0] >= end - 30]
        for spike in sorted(found, key=lambda spike: (spike[1], spike[2], spike[0])):
            self.send_spike(*spike)
        for channel in range(2):
            self.send("data", {"stream": "probe", "channel_num": channel, "channel_name": f"CH{channel}", "num_samples": BLOCK,
                               "sample_num": begin, "sample_rate": RATE_HZ}, struct.pack(f"<{BLOCK}f", *[0.0] * BLOCK))

    def run(self):
        self.start_ns, begin = time.monotonic_ns(), 0
        self.write(start_ns=self.start_ns)
        while True:
            time.sleep(max(0.0, (self.start_ns + (begin + BLOCK) * 1e9 / RATE_HZ - time.monotonic_ns()) / 1e9))
            self.block(begin)
            begin += BLOCK


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("data_port", "broadcast_port", "stimulus_port"):
        parser.add_argument(name, type=int)
    parser.add_argument("log")
    parser.add_argument("--lose", type=int, nargs="*", default=[])
    parser.add_argument("--no-onset", type=int, nargs="*", default=[])
    Emulator(parser.parse_args()).run()
