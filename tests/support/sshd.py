"""OpenSSH's own server for tests, on this computer alone, with keys of its own; and a line to it that can be cut.

Without ``sshd`` on the system tests are skipped, or fail where ``MANABACKUP_SSHD=required`` says that nothing may be.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from .patience import PATIENCE

_REQUIRED = "MANABACKUP_SSHD"
_TRIES = 20


def program() -> str | None:
    """Where the server is; it wants to be started by its full name."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class Sshd:
    port: int
    user: str
    host_key: str
    """As it stands in ``known_hosts``."""

    def move_in(self, home: Path, port: int | None = None) -> None:
        """Makes a home from which the server can be reached, perhaps by another port that leads to it."""
        ssh = home / ".ssh"
        ssh.mkdir(mode=0o700, parents=True, exist_ok=True)
        (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port or self.port} {self.host_key}\n")


@contextmanager
def sshd(place: Path, home: Path) -> Iterator[Sshd]:
    """A server with the files in ``place``, into which the key in ``home`` leads."""
    server = program()
    if server is None:
        why = "there is no sshd (Debian: openssh-server)"
        if os.environ.get(_REQUIRED) == "required":
            pytest.fail(why)
        pytest.skip(why)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in
    (home / ".ssh").mkdir(mode=0o700, parents=True)
    for path in (home / ".ssh" / "id_ed25519", place / "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    for _ in range(_TRIES):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        options = {
            "ListenAddress": f"127.0.0.1:{port}",
            "HostKey": str(place / "host"),
            "AuthorizedKeysFile": str(home / ".ssh" / "id_ed25519.pub"),
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "PermitRootLogin": "yes",
            "Subsystem": "sftp internal-sftp",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        # Into a file: whoever still speaks with the server after its end would keep a pipe open.
        log = place / "log"
        with log.open("wb") as errors:
            process = subprocess.Popen([server, "-D", "-e", "-f", "/dev/null", *words], stderr=errors)
        if _listens(process, log):
            break
    else:
        raise RuntimeError(f"sshd does not start: {log.read_text(errors='replace')}")
    try:
        host_key = " ".join((place / "host.pub").read_text().split()[:2])
        found = Sshd(port, getpass.getuser(), host_key)
        found.move_in(home)
        yield found
    finally:
        process.kill()
        process.wait()


def _listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Waits until the server listens, or has ended because another program has its port."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None:
        if b"listening" in log.read_bytes():
            return True
        if time.monotonic() > until:
            process.kill()
        time.sleep(0.02)
    return False


class Wire:
    """A TCP line to a server that is cut for good, or for the first connection, when so many bytes have gone up."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.bytes = 0
        """That have gone up so far, in all connections."""
        self.cut_at: int | None = None
        self.once = False
        self.moment: Callable[[], object] = lambda: None
        """Called before each piece goes up."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._is_cut():
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._upstream))
                self._ends += [near, far]
                threading.Thread(target=self._pump, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(16_384):
                if up:
                    self.bytes += len(piece)
                    self.moment()
                    if self._is_cut():
                        if self.once:
                            self.cut_at = None
                        break
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _is_cut(self) -> bool:
        cut_at = self.cut_at  # once: the test may change it meanwhile
        return cut_at is not None and self.bytes >= cut_at

    @contextmanager
    def running(self) -> Iterator[Wire]:
        thread = threading.Thread(target=self._serve, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            thread.join()
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)  # closing alone wakes nobody who reads
                end.close()


if __name__ == "__main__":
    sys.exit(0 if program() is not None else "there is no sshd")
