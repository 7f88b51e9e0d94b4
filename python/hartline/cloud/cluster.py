"""Dask as an executor for ``map``: every line of it encrypted, and both ends known to each other."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ..errors import IoError, SpecError
from .local import ONE_THREAD, num_cores

if TYPE_CHECKING:
    from distributed import Client, Security

P = ParamSpec("P")
T = TypeVar("T")


class Dask(Executor):
    """A Dask cluster as an executor; ``num_workers`` are its threads as they are now.

    Leaving it closes what ``hartline.cloud.dask`` started: the connection, and the cluster where it made one.

    >>> import hartline as hl
    >>> def sweep(items):
    ...     with hl.cloud.dask() as executor:
    ...         return hl.cloud.map("math.isqrt", items, executor).results()
    """

    def __init__(self, client: Client, closing: contextlib.ExitStack | None = None):
        self.client, self._closing = client, closing or contextlib.ExitStack()

    @property
    def num_workers(self) -> int:
        """Threads of all workers that are there now."""
        return sum(self.client.ncores().values())

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Sends a call to the scheduler. A future that is cancelled or forgotten takes its task back.

        ``Client.get_executor`` would do, but for one case: of a task whose result is lost with its worker and whose worker is lost
        again while it recomputes, the future never ends (distributed 2026.8).
        """
        sent = self.client.submit(fn, *args, pure=False, **kwargs)
        return asyncio.run_coroutine_threadsafe(self.client.gather(sent, asynchronous=True), self.client.loop.asyncio_loop)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Closes what was started."""
        self._closing.close()


def dask(where: Any = None, *, certificates: str | os.PathLike[str] | None = None, num_workers: int | None = None,
         insecure: bool = False) -> Dask:
    """Dask workers: on this machine, at a scheduler's address, or of a cluster that one of Dask's own deployers made.

    ``where``: None for worker processes here; ``"tls://host:8786"`` with the folder of ``certificates``; a cluster such as
    ``dask_jobqueue.SLURMCluster(security=…)``; or a ``distributed.Client``. Connections are by mutual TLS: without it everybody who
    reaches a port runs what he likes. ``insecure``: takes others for a network that is trusted. Needs ``pip install hartline[cloud]``.

    >>> import hartline as hl
    >>> def sweep(items):
    ...     with hl.cloud.dask("tls://head:8786", certificates="~/dask-tls") as executor:
    ...         return hl.cloud.map("math.isqrt", items, executor).results()
    """
    distributed = _distributed()
    if isinstance(where, distributed.Client):
        return Dask(_secured(where, insecure))
    if where is None:
        return _on_this_machine(num_workers or num_cores())
    if isinstance(where, str) and not certificates and not insecure:
        raise SpecError.about("certificates", "the folder that the scheduler's came from", "none",
                              "hartline.cloud.certificates makes one.")
    options = {"security": security(certificates)} if certificates else {}
    try:
        client = distributed.Client(where, **options)
    except (OSError, ValueError) as error:
        raise IoError.about(f"scheduler {where}", "there, with the same certificates", f"{type(error).__name__}: {error}") from error
    with contextlib.ExitStack() as closing:
        closing.enter_context(client)
        return Dask(_secured(client, insecure), closing.pop_all())


def _on_this_machine(num_workers: int) -> Dask:
    """A cluster with certificates that are gone with it."""
    distributed = _distributed()
    import dask as settings
    from tornado.ioloop import PeriodicCallback

    closing = contextlib.ExitStack()
    closing.enter_context(settings.config.set({
        "distributed.scheduler.allowed-failures": 0,  # `map` itself tries again, and counts for each task alone
        "distributed.scheduler.http.routes": [],      # no page without a key
        "distributed.worker.http.routes": [],
        "distributed.nanny.pre-spawn-environ": ONE_THREAD,
        # a worker that was lost, came back, and happens to be away again when this is over would be closed for good
        "distributed.deploy.lost-worker-timeout": "365 days",
    }))
    cluster = closing.enter_context(distributed.LocalCluster(
        n_workers=num_workers, threads_per_worker=1, processes=True, silence_logs=logging.CRITICAL,
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"}, security=distributed.Security.temporary()))
    client = closing.enter_context(distributed.Client(cluster))
    replacing = PeriodicCallback(lambda: _replace(cluster, num_workers), 1000)
    cluster.loop.add_callback(replacing.start)
    closing.callback(cluster.loop.add_callback, replacing.stop)
    return Dask(client, closing)


def _replace(cluster: Any, num_workers: int) -> None:
    """Dask restarts a worker that dies, but gives up the place of one that dies while it starts; this fills it again."""
    for name in [name for name, nanny in cluster.workers.items() if nanny.status.name in ("closed", "failed")]:
        del cluster.workers[name]
    if len(cluster.workers) < num_workers and cluster.status.name == "running":
        cluster.scale(num_workers)


def _secured(client: Client, insecure: bool) -> Client:
    address = str(client.scheduler.address) if client.scheduler else ""
    if not insecure and not address.startswith(("tls://", "inproc://")):
        raise SpecError.about("scheduler", "at a tls:// address", address,
                              "Give its cluster security=hartline.cloud.security(…), or say insecure=True for a network that you trust.")
    return client


def certificates(folder: str | os.PathLike[str], days: int = 365) -> Security:
    """Writes the certificates of a lab's cluster into a new folder, for its owner alone: ``ca.pem``, ``cert.pem``, ``key.pem``.

    Scheduler, workers and clients show the same certificate; whoever may read the folder may use the cluster. The authority's own
    key is thrown away, so that no other certificate can ever be made. Returns what ``security`` does.

    >>> import hartline as hl
    >>> def cluster(folder):
    ...     return hl.cloud.dask("tls://head:8786", certificates=folder)
    """
    _distributed()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.timezone.utc)
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey, is_authority: bool) -> bytes:
        made = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("hartline cluster authority"))
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=days))
                .add_extension(x509.BasicConstraints(is_authority, 0 if is_authority else None), critical=True)
                .sign(authority, hashes.SHA256()))
        return bytes(made.public_bytes(serialization.Encoding.PEM))

    private = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = Path(folder).expanduser()
    try:
        path.mkdir(mode=0o700, parents=True)
        for file, data in (("ca.pem", certificate("hartline cluster authority", authority, True)),
                           ("cert.pem", certificate("hartline cluster", own, False)), ("key.pem", private)):
            with open(os.open(path / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(data)
    except OSError as error:
        raise IoError.about(f"certificates {path}", "a new folder", str(error.strerror),
                            "Old certificates are never written over.") from error
    return security(path)


def security(folder: str | os.PathLike[str]) -> Security:
    """The certificates of a folder as Dask's ``Security``, for clients, clusters and deployers. Raises IoError, also when they ended.

    >>> import hartline as hl
    >>> def cluster(folder):
    ...     from dask_jobqueue import SLURMCluster
    ...     return SLURMCluster(cores=8, memory="16GB", protocol="tls://", security=hl.cloud.security(folder))
    """
    distributed = _distributed()
    from cryptography import x509

    path = Path(folder).expanduser()
    try:
        ends = x509.load_pem_x509_certificate((path / "cert.pem").read_bytes()).not_valid_after_utc
        (path / "key.pem").read_bytes()
    except (OSError, ValueError) as error:
        raise IoError.about(f"certificates {path}", "a folder that hartline.cloud.certificates wrote", str(error)) from error
    if ends < datetime.datetime.now(datetime.timezone.utc):
        raise IoError.about(f"certificates {path}", "valid today", f"ended {ends:%Y-%m-%d}", "Make others in a new folder.")
    roles = {f"tls_{role}_{what}": str(path / f"{what}.pem") for role in ("client", "scheduler", "worker") for what in ("cert", "key")}
    made: Security = distributed.Security(require_encryption=True, tls_ca_file=str(path / "ca.pem"), **roles)
    return made


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise SpecError.about("hartline.cloud.dask", "used where Dask is installed", str(error), "pip install 'hartline[cloud]'") from error
    return distributed
