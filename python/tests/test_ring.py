"""Experiments, records, tables; threads, Ctrl-C and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hartline as hl


def test_tables_may_be_dicts_texts_or_specs(gabor: dict[str, Any]) -> None:
    digest = hl.Experiment(gabor).run().digest
    spec = hl.Spec(
        seed=3, num_trials=60, subject=hl.SubjectSpec(truth="gabor", gain=2.0), stimulus=hl.StimulusSpec(kind="ball", shape=[5, 5]),
        model=hl.GlmSpec().to_dict(), belief={"prior_sd": 0.4}, format=1)
    experiment = hl.Experiment(spec.to_dict())
    assert experiment.run().digest == digest
    assert hl.Experiment(experiment.to_toml()).run().digest == digest
    assert hl.Experiment(**gabor).run().digest == digest
    assert hl.Experiment(gabor, set={"belief.prior_sd": 0.5, "num_trials": 61}).spec.belief["prior_sd"] == 0.5
    assert experiment.replace(seed=4).run().digest != digest
    assert experiment.replace(set={"belief.prior_sd": 0.4}).run().digest == digest


def test_specs_speak_for_themselves() -> None:
    spec = hl.StimulusSpec(kind="axis", axis=hl.models.Axis(from_=-1.0, to=1.0, num=5))
    assert repr(spec) == "StimulusSpec(kind='axis', axis=Axis(from_=-1.0, to=1.0, num=5))"
    spec.axis.to = 2.0
    assert spec.axis.to == 2.0, "a nested table is the table itself"
    assert spec == hl.StimulusSpec(kind="axis", axis={"from": -1.0, "to": 2.0, "num": 5})
    assert "``kind``" in (hl.StimulusSpec.__doc__ or "") and hl.StimulusSpec.power.__doc__ == "largest |x|² (> 0)."


def test_tables_of_trials(tmp_path: Path, gabor: dict[str, Any]) -> None:
    run = hl.Experiment(gabor).run(record=tmp_path / "a.hartline")
    frame = run.trials()
    assert list(frame.trial) == list(range(60)) and frame.stimulus[0].shape == (5, 5)
    data = run.to_xarray()
    assert dict(data.stimulus.sizes) == {"trial": 60, "axis_0": 5, "axis_1": 5}
    assert float(data.log_evidence.sum()) == pytest.approx(float(frame.log_evidence.sum()))
    assert run.record is not None
    again = run.record.trials()
    assert list(again.columns) == list(frame.columns)
    assert again.drop(columns="stimulus").equals(frame.drop(columns="stimulus"))
    assert np.array_equal(np.stack(list(again.stimulus)), np.stack(list(frame.stimulus)))


def test_pandas_and_xarray_are_imported_when_asked_for() -> None:
    code = ("import sys, hartline as hl; hl.Experiment.example('psychometric').run(); "
            "print('pandas' in sys.modules, 'xarray' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False False\n"


def test_pictures_are_whole_pages(gabor: dict[str, Any]) -> None:
    import html
    import json
    import re

    experiment = hl.Experiment(gabor)
    run = experiment.run()
    things: list[Any] = [run, run.belief(), hl.models.glm(shape=[3, 3]).prior()]
    things += [hl.Experiment.example(name).model.prior() for name in ("tuning_curve", "tuning_gp", "population")]
    for shown in things:
        frame = shown._repr_html_()
        match = re.fullmatch(r'<iframe srcdoc="([^"]*)" [^>]*></iframe>', frame)
        assert match, frame[:100]
        page = html.unescape(match.group(1))
        data = re.search(r'id="hartline-data">(.*?)</script>', page)
        assert data
        document = json.loads(data.group(1))
        assert document["format"] == 1 and ("estimate" in document or "population" in document)


def test_the_report_is_the_programs(tmp_path: Path) -> None:
    from conftest import program

    run = hl.Experiment.example("psychometric").run(record=tmp_path / "a.hartline")
    subprocess.run([*program(), "report", tmp_path / "a.hartline", "--out", tmp_path / "a.html"], check=True, capture_output=True)
    assert run.report() == (tmp_path / "a.html").read_text()


def test_comparison_is_the_programs() -> None:
    from conftest import cli

    overrides = {"compare.num_seeds": 2, "compare.num_held_out": 20}
    words = [word for key, value in overrides.items() for word in ("--set", f"{key}={value}")]
    comparison = hl.Experiment.example("tuning_curve", set=overrides).compare()
    assert comparison == cli("compare", hl.examples.path("tuning_curve"), *words)
    assert set(hl.learning_curves(comparison).columns) == {"design", "metric", "trial", "mean", "low", "high"}


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    hl.Experiment.example("gabor", set={"num_trials": 50}).run(progress=lambda done, all_: told.append((done, all_)))
    assert told[-1] == (50, 50)


def test_progress_may_look_at_the_run() -> None:
    run = hl.Experiment.example("gabor", set={"num_trials": 30}).start()
    seen: list[float] = []
    run.go(progress=lambda done, all_: seen.append(float(run.mean[0])))
    assert seen[-1] == run.mean[0]


def test_python_goes_on_while_the_engine_computes() -> None:
    """One thread counts while another is in a single call of the engine."""
    experiment = hl.Experiment.example("gabor", set={"num_trials": 640})
    counted, running = 0, threading.Event()

    def compute() -> None:
        experiment.run()
        running.set()

    thread = threading.Thread(target=compute)
    begun = time.perf_counter()
    thread.start()
    while not running.wait(0.001):
        counted += 1
    took = time.perf_counter() - begun
    thread.join()
    assert counted > 20 * took, f"{counted} turns in {took:.2f} s"


def test_threads_that_share_a_belief_take_turns() -> None:
    model = hl.models.glm(shape=[40])
    belief = model.prior()
    rows = np.eye(40)

    def updates() -> None:
        for row in rows:
            model.update(belief, row, 2)

    threads = [threading.Thread(target=updates) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = model.prior()
    for row in np.repeat(rows, 4, axis=0):
        model.update(wanted, row, 2)
    assert belief.mean == pytest.approx(wanted.mean, rel=1e-9)


INTERRUPTED = """
import sys, hartline as hl
print("begun", flush=True)
try:
    hl.Experiment.example("gabor", set={"num_trials": 100000}).run(record=sys.argv[1])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_stops_between_two_trials_and_resume_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.hartline"
    child = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "begun\n"
    deadline = time.monotonic() + 60
    while (not path.exists() or hl.Record(path).num_trials < 20) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGINT)
    told = time.monotonic()
    out, _ = child.communicate(timeout=60)
    assert out == "interrupted\n" and child.returncode == 0
    assert time.monotonic() - told < 20
    record = hl.Record(path)
    done = record.num_trials
    assert 20 <= done < 100000
    assert not list(tmp_path.glob("*-wal")), "the record is one plain file"
    answered = record.columns()["answered"]
    assert len(answered) == done and answered.all(), "whole trials only"
    assert record.replay()["first_difference"] is None


def test_ctrl_c_is_heard_while_comparing_and_replaying() -> None:
    code = """
import hartline as hl, os, signal, threading, sys
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    hl.Experiment.example("gabor", set={"compare.num_seeds": 500}).compare()
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def test_memory_is_flat_over_ten_thousand_experiments() -> None:
    document = {
        "seed": 1, "num_trials": 3, "stimulus": {"kind": "ball", "shape": [3]}, "model": {"kind": "glm"},
        "design": {"kind": "random"}, "record": {"durability": "window:50"},
    }

    def once(seed: int) -> None:
        experiment = hl.Experiment(document, seed=seed, subject=lambda stimulus, trial: 1, threads=1)
        run = experiment.run()
        assert run.belief().covariance.shape == (3, 3) and run.columns()["trial"][-1] == 2
        if seed % 10 == 0:
            with pytest.raises(hl.SpecError):
                hl.Experiment(document, set={"design.kind": "none"})

    for seed in range(1000):
        once(seed)
    before = resident_kb()
    for seed in range(10_000):
        once(seed)
    assert resident_kb() - before < 4096, "kB gained over 10,000 experiments"
