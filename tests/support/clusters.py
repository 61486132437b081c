"""A Dask cluster of processes on loopback, under certificates that are made for it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .patience import PATIENCE
from .wire import Wire


class Cluster:
    """A scheduler and workers of one thread each. A context manager; its parts may be killed and started again.

    ``pages``: with what Dask shows over HTTP, wherever it is installed. ``wired``: all go by its wire to the scheduler.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        tls: Authority | None = None,
        pages: bool = False,
        wired: bool = False,
    ) -> None:
        self.folder = folder
        self._environ = dict(environ)
        self._tls = tls
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self._port = taken.getsockname()[1]
        self._pages = pages
        self.wire = Wire(self._port)
        """Between the scheduler and everybody else."""
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self.wire.port if wired else self._port}"
        self.schedulers: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def options(self) -> list[str]:
        """What a fleet is told of it."""
        tls = self._tls
        named = [] if tls is None else ["--tls-ca", str(tls.ca), "--tls-cert", str(tls.cert), "--tls-key", str(tls.key)]
        return ["--scheduler", self.address, *named]

    def __enter__(self) -> Cluster:
        self.wire.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, *self.schedulers):
            process.kill()
            process.wait(PATIENCE)
        self.wire.__exit__()

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        """One at the cluster's address, which listens when this returns."""
        found = self._start("scheduler", "--host", "127.0.0.1", "--port", str(self._port))
        self.schedulers.append(found)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return found
            time.sleep(0.05)
        raise TimeoutError(found.args)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """One that joins the scheduler."""
        place = ["--local-directory", str(self.folder / "spill")]
        found = self._start("worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", *place)
        self.workers.append(found)
        return found

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        self.folder.mkdir(exist_ok=True)
        tls = self._tls
        if tls is not None:
            words += ("--tls-ca-file", str(tls.ca), "--tls-cert", str(tls.cert), "--tls-key", str(tls.key))
            words += ("--protocol", "tls") if words[0] == "scheduler" else ()
        pages = ["--dashboard", "--dashboard-address", "127.0.0.1:0"] if self._pages else ["--no-dashboard"]
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words, *pages],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self._environ,
                start_new_session=True,
            )


class Authority:
    """Certificates of one cluster: one that signs, and one that all of it and its users show."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(exist_ok=True)
        self.ca, self.cert, self.key = (folder / f"{name}.{part}" for part in ("ca", "cert", "key"))
        signing, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
        now = dt.datetime.now(dt.UTC)

        def certificate(subject: x509.Name, key: ec.EllipticCurvePublicKey, *, signs: bool) -> bytes:
            made = (
                x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
                .not_valid_before(now - dt.timedelta(days=1))
                .not_valid_after(now + dt.timedelta(days=1))
                .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
            )
            if signs:
                usage = {name: name in ("key_cert_sign", "crl_sign") for name in _USAGES}
                made = made.add_extension(x509.KeyUsage(**usage), critical=True)
            else:
                here = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
                made = made.add_extension(x509.SubjectAlternativeName([here]), critical=False)
            return made.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

        self.ca.write_bytes(certificate(issuer, signing.public_key(), signs=True))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert.write_bytes(certificate(subject, own.public_key(), signs=False))
        self.key.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def memory_of(process: int) -> Iterator[bytes]:
    """What a process has in memory, region by region (Linux, and only where this user may look)."""
    with (Path("/proc") / str(process) / "mem").open("rb", buffering=0) as memory:
        for line in (Path("/proc") / str(process) / "maps").read_text().splitlines():
            place, rights, *_ = line.split()
            begin, end = (int(part, 16) for part in place.split("-"))
            if not rights.startswith("rw"):
                continue
            try:
                yield os.pread(memory.fileno(), end - begin, begin)
            except OSError:
                continue


def forms(secret: bytes) -> list[bytes]:
    """A secret as it is, and as programs write down bytes: in hex, and in base64 at each place of it."""
    found = [secret, secret.hex().encode(), repr(secret)[2:-1].encode(), json.dumps(secret.decode("latin-1")).encode()]
    for skipped in range(3):
        whole = b64encode(bytes(skipped) + secret)
        found += [whole[4 if skipped else 0 : -4], whole[4 if skipped else 0 : -4].translate(_URL_SAFE)]
    return found


def shown_by(cluster: Cluster, *, at_work: bool) -> bytes:
    """All that a cluster shows over HTTP, and all that its scheduler knows, as it tells it itself."""
    import distributed

    connected: Any = distributed.Client
    with connected(cluster.address, set_as_default=False) as client:
        told = client.scheduler_info()
        cluster_state = client.sync(client.scheduler.get_cluster_state, exclude=[])
        pages = [repr(cluster_state).encode(), repr(told).encode()]
        tasks = list(client.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks]))
        port = told["services"]["dashboard"]
        workers = [quote(address, safe="") for address in told["workers"]]
        of_workers = [worker["services"]["dashboard"] for worker in told["workers"].values()]
    names = ["json/counts.json", "json/identity.json", "json/index.html", "metrics", "status", "health", "api/v1"]
    names += ["info/main/workers.html", "info/main/exceptions.html", "info/main/logs.html", "individual-plots.json"]
    names += [f"info/{page}/{worker}.html" for worker in workers for page in ("worker", "logs", "call-stacks")]
    names += [f"info/{page}/{quote(task, safe='')}.html" for task in tasks for page in ("task", "call-stack")]
    answered = 0
    for address in [f"{port}/{name}" for name in names] + [f"{other}/metrics" for other in of_workers]:
        with suppress(OSError):
            pages.append(urlopen(f"http://127.0.0.1:{address}", timeout=PATIENCE).read())
            answered += 1
    assert tasks or not at_work
    assert answered > 6
    return b"\n".join(pages)
