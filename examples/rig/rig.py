"""A rig in Python: what a program that shows stimuli needs of Hartline. No packages beyond Python's own.

    HARTLINE_RIG_TOKEN=secret hartline run examples/rig/gabor_rig.toml --rig tcp:5577
    HARTLINE_RIG_TOKEN=secret python3 examples/rig/rig.py 5577
"""
import json, os, socket, sys, time


class Hartline:
    def __init__(self, port, token, host="127.0.0.1", **hello):
        self.lines = socket.create_connection((host, port)).makefile("rw", encoding="utf-8", newline="\n")
        self.welcome = self.say(do="hello", protocol=1, token=token, **hello)

    def say(self, **message):
        self.lines.write(json.dumps({**message, "time_ns": time.monotonic_ns()}) + "\n")
        self.lines.flush()
        reply = json.loads(self.lines.readline() or '{"is": "error", "message": "the engine hung up"}')
        if reply["is"] == "error":
            raise RuntimeError(reply["message"])
        return reply


def present(values):
    """Your display and your amplifier: shows a stimulus, returns its onset and the spikes counted. Here: a cell made up."""
    return time.monotonic_ns(), int(3 * abs(sum(values[:8])))


if __name__ == "__main__":
    engine = Hartline(int(sys.argv[1]), os.environ["HARTLINE_RIG_TOKEN"], client="rig.py")
    while (trial := engine.say(do="ask"))["is"] == "stimulus":
        onset, count = present(trial["values"])
        engine.say(do="tell", token=trial["token"], response=[count], delivered_ns=onset)
    engine.say(do="bye")
