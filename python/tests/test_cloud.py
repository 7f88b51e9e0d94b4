"""The cloud on this machine: crashes, kills, a full disk and other engines, and the same bytes as a serial run each time."""

from __future__ import annotations

import concurrent.futures
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cloud_tasks
import numpy as np
import pytest
from cloud_tasks import other_engine
from conftest import cli

import hartline as hl
from hartline.cloud.plain import encode
from hartline.cloud.progress import Line, duration

HERE = Path(__file__).resolve().parent


def serial(items: list[Any]) -> list[bytes]:
    return [encode(cloud_tasks.curve(item), "") for item in items]


def files_of(store: Path) -> dict[str, bytes]:
    return {str(file.relative_to(store)): file.read_bytes() for file in store.rglob("*.json")}


def python(code: str, **options: Any) -> subprocess.Popen[str]:
    """A program of its own, in a file: it has no __main__ guard and needs none."""
    path = os.pathsep.join([str(HERE), *sys.path])
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
                            **options)


@pytest.mark.parametrize("kind", ["own", "threads", "processes"])
def test_results_are_the_serial_run_to_the_byte_on_any_executor(kind: str, tmp_path: Path) -> None:
    executors: dict[str, concurrent.futures.Executor | None] = {
        "own": None, "threads": concurrent.futures.ThreadPoolExecutor(2), "processes": concurrent.futures.ProcessPoolExecutor(2)}
    items = list(range(12))
    results = hl.cloud.map(cloud_tasks.curve, items, executors[kind], store=str(tmp_path))
    assert [encode(result, "") for result in results] == serial(items)
    stored = [data for name, data in files_of(tmp_path).items() if name != "store.json"]
    assert sorted(stored) == sorted(serial(items))


@pytest.mark.parametrize(("how", "told"), [("killed", "SIGKILL"), ("segmentation fault", "SIGSEGV"), ("left", "exit code 3")])
def test_a_poison_task_ends_alone_with_its_own_error(how: str, told: str) -> None:
    items = [{"number": k} | ({"how": how} if k == 3 else {}) for k in range(8)]
    results = hl.cloud.map(cloud_tasks.ended_by, items, tries=2).wait()
    assert results.partial() == {k: k for k in range(8) if k != 3}
    assert list(results.errors()) == [3] and results.num_lost == 2
    with pytest.raises(hl.RunError, match=rf"task\[3\]: must be one that its worker survives \(got 2 workers lost.*{told}") as error:
        results.results()
    assert any('"number":3' in note for note in error.value.__notes__)


@pytest.mark.parametrize(("how", "told"), [("exit", "SystemExit: 3"), ("memory", "MemoryError")])
def test_a_task_that_raises_loses_no_worker(how: str, told: str) -> None:
    results = hl.cloud.map(cloud_tasks.ended_by, [{"number": 1}, {"number": 2, "how": how}]).wait()
    assert results.num_lost == 0 and told in str(results.errors()[1])


def test_a_lost_worker_costs_only_its_task(tmp_path: Path) -> None:
    items = [{"number": k, "folder": str(tmp_path)} for k in range(6)]
    results = hl.cloud.map(cloud_tasks.once_lost, items)
    assert results.results() == list(range(6))
    assert results.num_lost == 6 and results.num_computed == 6


def test_errors_of_the_engine_come_back_as_they_are() -> None:
    results = hl.cloud.map(cloud_tasks.refused, [5]).wait()
    error = results.errors()[0]
    assert isinstance(error, hl.SpecError) and (error.field, error.got) == ("bin_ms", "-5 ms")
    assert str(error).startswith("task[0]: bin_ms: must be > 0 ms")


def test_what_cannot_travel_is_refused_before_anything_starts() -> None:
    for task, items, message in [
        (lambda item: item, [1], "task: must be a function that workers can import"),
        ("no.such.function", [1], "task.function: must be a function that can be imported"),
        (cloud_tasks.curve, [object()], r"items\[0\]: must be plain data"),
        (cloud_tasks.curve, [1, {2: 3}], r"items\[1\]\[2\]: must be named by a text"),
    ]:
        with pytest.raises(hl.SpecError, match=message):
            hl.cloud.map(task, items)  # type: ignore[arg-type]
    assert "result: must be plain data (got set)" in str(hl.cloud.map(cloud_tasks.no_result, [1]).wait().errors()[0])
    assert hl.cloud.map(cloud_tasks.curve, np.arange(2)).results() == [cloud_tasks.curve(0), cloud_tasks.curve(1)]


def test_a_sweep_started_again_computes_only_what_is_missing(tmp_path: Path) -> None:
    log, store = tmp_path / "log", str(tmp_path / "store")
    items = [{"number": k, "log": str(log)} for k in range(10)]
    first = hl.cloud.map(cloud_tasks.counted, items[:6], store=store).wait()
    again = hl.cloud.map(cloud_tasks.counted, items, store=store).wait()
    assert (first.num_stored, first.num_computed, again.num_stored, again.num_computed) == (0, 6, 6, 4)
    assert sorted(map(int, log.read_text().split())) == list(range(10))  # each once
    assert again.results() == [k * k for k in range(10)]


def test_a_sweep_that_is_killed_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    log, store = tmp_path / "log", tmp_path / "store"
    items = [{"number": k, "log": str(log), "seconds": 0.02} for k in range(60)]
    sweep = python("import json, sys, cloud_tasks, hartline as hl\n"
                   "for index, _ in hl.cloud.map(cloud_tasks.counted, json.loads(sys.stdin.read()), store=sys.argv[1] if sys.argv[1:]"
                   f" else {str(store)!r}).as_completed(): print(index, flush=True)\n", stdin=subprocess.PIPE)
    assert sweep.stdin and sweep.stdout
    sweep.stdin.write(json.dumps(items))
    sweep.stdin.close()
    seen = [int(sweep.stdout.readline()) for _ in range(8)]
    sweep.kill()
    sweep.wait()
    time.sleep(0.3)  # its workers see that it is gone
    before = files_of(store)
    computed = log.read_text().split()
    results = hl.cloud.map(cloud_tasks.counted, items, store=str(store)).wait()
    assert results.num_stored == len(before) - 1 >= len(seen) and results.num_computed == 60 - results.num_stored
    assert len(log.read_text().split()) == len(computed) + results.num_computed
    assert before.items() <= files_of(store).items()
    assert results.results() == [k * k for k in range(60)]


def test_workers_leave_in_the_middle_of_a_task_when_their_client_is_killed() -> None:
    client = python("import time, cloud_tasks, hartline as hl\n"
                    "with hl.cloud.Workers(2) as workers:\n"
                    "    hl.cloud.map(cloud_tasks.pid, [0, 0], workers).results(); print(*workers.pids, flush=True)\n"
                    "    hl.cloud.map(cloud_tasks.pid, [60, 60], workers).results()\n")
    assert client.stdout
    pids = client.stdout.readline().split()
    assert len(pids) == 2 and all(Path(f"/proc/{pid}").exists() for pid in pids)
    client.kill()
    client.wait()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_idle_workers_that_are_killed_are_replaced() -> None:
    with hl.cloud.Workers(2) as workers:
        assert hl.cloud.map("math.isqrt", range(4), workers).results() == [0, 1, 1, 1]
        for pid in workers.pids:
            os.kill(pid, signal.SIGKILL)
        assert hl.cloud.map("math.isqrt", range(4), workers).results() == [0, 1, 1, 1]


FULL_DISK = """
import sys, cloud_tasks, hartline as hl
try: hl.cloud.map(cloud_tasks.large, range(40), store=sys.argv[1] + "/store").results()
except hl.IoError as error: print(error)
store = hl.cloud.Store(sys.argv[1] + "/store")
keys = store.keys()
assert 0 < len(keys) < 40 and all(len(store.get(key) or b"") == 10_002 for key in keys), len(keys)
import os, pathlib
pathlib.Path(sys.argv[1], "ballast").unlink()
again = hl.cloud.map(cloud_tasks.large, range(40), store=store).wait()
assert again.num_stored == len(keys) and again.num_computed == 40 - len(keys), (again.num_stored, again.num_computed)
assert again.results() == [cloud_tasks.large(k) for k in range(40)]
print("went on after", len(keys))
"""


def test_a_full_disk_is_one_error_and_loses_nothing(tmp_path: Path) -> None:
    """On a small tmpfs in a mount namespace of its own, so that the system itself says that there is no room."""
    script = (f"mount -t tmpfs -o size=1m tmpfs {tmp_path} && head -c 800000 /dev/zero > {tmp_path}/ballast && "
              f"exec {sys.executable} -c \"$PROGRAM\" {tmp_path}")
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", tmp_path], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    done = subprocess.run([*unshare, "sh", "-c", script], text=True, capture_output=True,
                          env={**os.environ, "PROGRAM": FULL_DISK, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])})
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 2 and "must be a folder that can be read and written (got No space left on device)" in told[0]
    assert told[1].startswith("went on after ")


def test_a_worker_of_another_engine_is_refused_with_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(other_engine(tmp_path)), *sys.path])  # which workers are given
    results = hl.cloud.map(cloud_tasks.curve, range(20)).wait()
    errors = {str(error) for error in results.errors().values()}
    assert results.num_computed == 0 and len(results.errors()) == 20 and len(errors) == 1
    assert "engine of a worker: must be 0.1.0 " in errors.pop()
    assert isinstance(results.errors()[0], hl.IoError)


def test_a_store_of_another_engine_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    code = f"import cloud_tasks, hartline as hl; hl.cloud.map(cloud_tasks.curve, [1], store={str(store)!r}).results()"
    path = os.pathsep.join([str(other_engine(tmp_path)), str(HERE), *sys.path])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
    before = files_of(store)
    assert len(before) == 2
    with pytest.raises(hl.IoError, match=r"store .*: must be of the engine 0\.1\.0 .*Name another folder"):
        hl.cloud.map(cloud_tasks.curve, [1], store=str(store))
    assert files_of(store) == before


def test_a_function_that_was_changed_is_another_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lab_fit.py").write_text("def one(item): return item + 1\n")
    store = str(tmp_path / "store")
    assert list(hl.cloud.map("lab_fit.one", [1, 2], store=store)) == [2, 3]
    (tmp_path / "lab_fit.py").write_text("def one(item): return item + 10\n")
    sys.modules.pop("lab_fit")
    results = hl.cloud.map("lab_fit.one", [1, 2], store=store)
    assert (list(results), results.num_stored) == ([11, 12], 0)


def test_the_first_result_stays_and_others_must_equal_it(tmp_path: Path) -> None:
    store = hl.cloud.Store(tmp_path / "store")
    assert store.put("ab" * 32, b"1") and not store.put("ab" * 32, b"1")
    with pytest.raises(hl.RunError, match="must be a function of its item alone"):
        store.put("ab" * 32, b"2")
    assert store.get("ab" * 32) == b"1"
    (tmp_path / "store" / "ab" / "cd.json.host.1.0.unfinished").write_bytes(b"half")
    os.utime(tmp_path / "store" / "ab" / "cd.json.host.1.0.unfinished", (0, 0))
    assert store.keys() == {"ab" * 32} and len(list((tmp_path / "store" / "ab").iterdir())) == 1


def test_results_come_as_they_complete_and_can_be_cancelled() -> None:
    told: list[tuple[int, int]] = []
    with hl.cloud.Workers(2) as workers:
        hl.cloud.map("math.isqrt", [1, 1], workers).results()
        results = hl.cloud.map(cloud_tasks.pid, [1.5, 0.0, 0.1], workers, progress=lambda done, all: told.append((done, all)))
        assert [index for index, _ in results.as_completed()] == [1, 2, 0]
        assert told[-1] == (3, 3)
        results = hl.cloud.map(cloud_tasks.pid, [0.3] * 50, workers)
        next(iter(results))
        results.cancel()
        results.wait()
    num = len(results.partial())
    assert 1 <= num < 50 and sum(future.cancelled() for future in results.futures) == 50 - num
    with pytest.raises(concurrent.futures.CancelledError):
        results.results()


def test_the_cost_is_told_before_it_is_paid(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = hl.cloud.map(cloud_tasks.pid, [0.2, 0.201, 0.202, 0.203], store=str(tmp_path), num_workers=2, estimate=True).wait()
    assert results.num_computed == 4
    assert re.search(r"4 tasks, 1 of them stored; 0\.2\d* s each on 2 workers: 0\.3\d* s", capfd.readouterr().err)
    hl.cloud.map(cloud_tasks.pid, [0.2, 0.3], store=str(tmp_path), num_workers=2, estimate=True).wait()
    assert re.search(r"2 tasks, 1 of them stored; 0\.2\d* s each on 2 workers: 0\.1\d* s", capfd.readouterr().err)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line_and_a_file_nothing() -> None:
    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        line = Line(10, out)
        line.show(4, 2, ", 2 stored before, 1 failed")
        time.sleep(0.1)
        line.show(10, 2, ", 2 stored before", last=True)
    first, last = terminal.getvalue().split("\r\x1b[K")[1:]
    assert re.fullmatch(r"\[########\.{12}\] 4/10, 2 stored before, 1 failed, \d\S* ms left", first)
    assert last == f"[{'#' * 20}] 10/10, 2 stored before\n" and file.getvalue() == ""
    assert [duration(s) for s in (0.0125, 8.25, 75, 600, 20_000, 1e6)] == ["12 ms", "8.2 s", "75 s", "10 min", "5.6 h", "11.6 days"]


def test_two_clients_may_share_a_store(tmp_path: Path) -> None:
    code = (f"import cloud_tasks, hartline as hl; "
            f"hl.cloud.map(cloud_tasks.curve, range(200), store={str(tmp_path)!r}).results(); print('done')")
    other = python(code)
    results = hl.cloud.map(cloud_tasks.curve, range(200), store=str(tmp_path)).results()
    assert other.communicate()[0] == "done\n"
    assert [encode(result, "") for result in results] == serial(list(range(200)))
    assert sorted(data for name, data in files_of(tmp_path).items() if name != "store.json") == sorted(serial(list(range(200))))


@pytest.mark.parametrize("name", ["gabor", "psychometric"])
def test_compare_is_the_program_s(name: str, tmp_path: Path) -> None:
    settings = {"num_trials": 10, "compare.num_seeds": 2, "compare.num_held_out": 20}
    told = cli("compare", hl.examples.path(name), *(word for item in settings.items() for word in ("--set", "{}={}".format(*item))))
    experiment = hl.Experiment.read(hl.examples.path(name), set=settings)
    ours = hl.cloud.compare(experiment, store=str(tmp_path))
    assert json.dumps(ours) == json.dumps(told) == json.dumps(experiment.compare())
    assert len(files_of(tmp_path)) == 1 + 2 * len(told["designs"])


def test_a_sweep_is_a_table_of_the_runs() -> None:
    experiment = hl.Experiment.example("psychometric")
    table = hl.cloud.sweep(experiment, over={"num_trials": [5, 10]}, seeds=[3, 4], keep=["metrics", "estimate"])
    assert not isinstance(table, list)  # pandas is here
    assert list(zip(table["num_trials"], table["seed"], strict=True)) == [(5, 3), (5, 4), (10, 3), (10, 4)]
    run = hl.Experiment.example("psychometric", set={"num_trials": 10}, seed=4).run()
    row = table.iloc[3]
    assert row["belief_digest"] == run.digest and row["mean"] == run.mean.tolist()
    assert row["entropy"] == run.metrics["entropy"] and not any(str(column).startswith("choose") for column in table)


def test_runs_do_not_see_each_other_in_threads_of_one_process() -> None:
    task = hl.cloud.run_task(hl.Experiment.example("psychometric", set={"num_trials": 20}), keep=["metrics", "estimate", "trials"])
    alone = [encode(result, "") for result in hl.cloud.map(task, range(8))]
    together = [encode(result, "") for result in hl.cloud.map(task, range(8), concurrent.futures.ThreadPoolExecutor(4))]
    assert together == alone


def test_files_of_an_experiment_are_part_of_the_task(tmp_path: Path) -> None:
    def write(seed: int) -> None:
        np.save(tmp_path / "pool.npy", np.random.default_rng(seed).normal(size=(20, 4)))

    write(1)
    (tmp_path / "cell.toml").write_text('format = 1\nseed = 1\nnum_trials = 10\nsubject = { truth = "prior" }\n'
                                        'stimulus = { kind = "file", file = "pool.npy" }\nmodel = { kind = "glm" }\n')
    experiment = hl.Experiment.read(tmp_path / "cell.toml")
    task = hl.cloud.run_task(experiment)
    assert task.files == ("pool.npy",)
    first = hl.cloud.map(task, [1, 2], store=str(tmp_path / "store")).wait()
    assert first.results()[0]["belief_digest"] == experiment.run().digest
    write(2)
    second = hl.cloud.map(task, [1, 2], store=str(tmp_path / "store")).wait()
    assert second.num_stored == 0 and second.results() != first.results()


def test_experiments_that_cannot_be_repeated_are_refused(gabor: dict[str, Any]) -> None:
    for experiment, message in [
        (hl.Experiment(gabor, set={"design.deadline_ms": 5.0}), "design.deadline_ms: must be absent"),
        (hl.Experiment(gabor | {"subject": {"kind": "remote"}}), "subject.kind: must be one that a description holds"),
    ]:
        with pytest.raises(hl.SpecError, match=message):
            hl.cloud.run_task(experiment)
