"""The cloud on Dask: mutual TLS, lost workers, and the same bytes as on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cloud_tasks
import pytest
from cloud_tasks import other_engine

import hartline as hl
from hartline.cloud.plain import encode

distributed = pytest.importorskip("distributed", reason="Dask is in build/venv-cloud only")

import psutil  # noqa: E402

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def executor() -> Iterator[hl.cloud.Dask]:
    with hl.cloud.dask(num_workers=2) as executor:
        yield executor


def listening_ports() -> set[str]:
    """Where this process and its children listen, on this machine."""
    this = psutil.Process()
    lines = [line for process in (this, *this.children(recursive=True)) for line in process.net_connections()]
    return {f"{line.laddr.ip}:{line.laddr.port}" for line in lines if line.status == psutil.CONN_LISTEN}


def test_results_are_the_serial_run_to_the_byte(executor: hl.cloud.Dask, tmp_path: Path) -> None:
    results = hl.cloud.map(cloud_tasks.curve, range(30), executor, store=str(tmp_path))
    assert [encode(result, "") for result in results] == [encode(cloud_tasks.curve(item), "") for item in range(30)]
    again = hl.cloud.map(cloud_tasks.curve, range(30), store=str(tmp_path)).wait()  # what Dask computed holds here
    assert (again.num_stored, again.num_computed) == (30, 0)


def test_compare_is_the_same_document(executor: hl.cloud.Dask) -> None:
    experiment = hl.Experiment.example("psychometric", set={"num_trials": 8, "compare.num_seeds": 2, "compare.num_held_out": 20})
    assert hl.cloud.compare(experiment, executor) == experiment.compare()


def test_nothing_is_told_to_who_has_no_certificate(executor: hl.cloud.Dask) -> None:
    assert executor.client.scheduler.address.startswith("tls://")
    ports = listening_ports()
    assert len(ports) >= 5  # the scheduler, two workers, their two nannies
    for port in ports:
        assert port.startswith("127.0.0.1:"), port
        for page in ("", "/info/main/workers.html", "/metrics", "/json/identity.json"):
            with pytest.raises((urllib.error.URLError, OSError)):
                urllib.request.urlopen(f"http://{port}{page}", timeout=5)
    address = executor.client.scheduler.address
    for security in (None, distributed.Security.temporary()):  # none, and another authority's
        with pytest.raises((OSError, ValueError, TypeError)):
            distributed.Client(address if security else address.replace("tls", "tcp"), security=security, timeout=3)
    assert hl.cloud.map("math.isqrt", [4], executor).results() == [2]


def test_a_poison_task_ends_alone_with_its_own_error(executor: hl.cloud.Dask) -> None:
    items = [{"number": k} | ({"how": "killed"} if k == 3 else {}) for k in range(8)]
    results = hl.cloud.map(cloud_tasks.ended_by, items, executor).wait()
    assert results.partial() == {k: k for k in range(8) if k != 3}
    assert "task[3]: must be one that its worker survives (got 3 workers lost" in str(results.errors()[3])


def test_what_is_not_encrypted_is_refused() -> None:
    with pytest.raises(hl.SpecError, match="certificates: must be the folder"):
        hl.cloud.dask("tls://127.0.0.1:1")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None) as cluster:
        with pytest.raises(hl.SpecError, match=r"scheduler: must be at a tls:// address \(got tcp://"):
            hl.cloud.dask(cluster)
        with hl.cloud.dask(cluster, insecure=True) as trusted:
            assert hl.cloud.map("math.isqrt", [9], trusted).results() == [3]


def test_a_lab_s_cluster_has_certificates_and_one_engine(tmp_path: Path) -> None:
    """A scheduler and workers started by Dask's own programs, as a lab would."""
    folder = tmp_path / "tls"
    hl.cloud.certificates(folder)
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == dict.fromkeys(("ca.pem", "cert.pem", "key.pem"), 0o600)
    with pytest.raises(hl.IoError, match="must be a new folder"):
        hl.cloud.certificates(folder)
    tls = ["--tls-ca-file", folder / "ca.pem", "--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"]
    path = [str(HERE), *sys.path]

    def start(*words: object, path: list[str] = path) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-m", "dask", *map(str, words)], stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)}, cwd=tmp_path)

    scheduler = start("scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *tls)
    assert scheduler.stderr
    address = next(found[1] for line in scheduler.stderr if (found := re.search(r"Scheduler at:\s+(tls://\S+)", line)))
    workers = []
    try:
        with hl.cloud.dask(address, certificates=folder) as executor:
            for engine, refused in ((other_engine(tmp_path / "other"), True), (None, False)):
                workers.append(start("worker", address, "--nthreads", "1", "--no-dashboard", *tls,
                                     path=[str(engine), *path] if engine else path))
                results = hl.cloud.map(cloud_tasks.curve, range(5), executor).wait()
                if refused:
                    errors = {str(error) for error in results.errors().values()}
                    assert len(errors) == 1 and "engine of a worker: must be" in errors.pop() and results.num_computed == 0
                    workers[0].terminate()
                    workers[0].wait()
                    while executor.num_workers:
                        time.sleep(0.05)
                else:
                    assert results.results() == [cloud_tasks.curve(k) for k in range(5)]
    finally:
        for process in (*workers, scheduler):
            process.terminate()
            process.communicate()


def test_certificates_that_ended_are_told(tmp_path: Path) -> None:
    with pytest.raises(hl.IoError, match="must be valid today"):
        hl.cloud.certificates(tmp_path / "old", days=0)
