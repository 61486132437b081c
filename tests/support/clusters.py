"""A Dask cluster of processes on loopback, under certificates that are made for it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

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
