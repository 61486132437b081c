"""Ceph's own S3 server for tests: a cluster of one monitor, one store in memory and one RADOS gateway, on loopback.

Without its programs tests are skipped, or fail where ``MANABACKUP_CEPH=required`` says that nothing may be.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from .patience import PATIENCE
from .s3 import KEYS

PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
_REQUIRED = "MANABACKUP_CEPH"
_ALL = ("--cap", "mon", "allow *", "--cap", "osd", "allow *")
_CONFIG = """\
[global]
fsid = {fsid}
mon initial members = a
mon host = v2:127.0.0.1:{monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = {place}/keyring
osd objectstore = memstore
memstore device bytes = 1073741824
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data = {place}/mon
mon data avail crit = 0
osd data = {place}/osd
run dir = {place}/run
admin socket =
pid file =
log file = /dev/null
mon cluster log file = /dev/null
ms bind msgr1 = false
rgw data = {place}/gateway
rgw frontends = beast endpoint=127.0.0.1:{gateway}
"""


@contextmanager
def gateway() -> Iterator[int]:
    """The port of a gateway that knows the keys of :mod:`.s3`."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        why = f"{', '.join(missing)} are not there (Debian: radosgw, ceph-mon, ceph-osd, ceph-common)"
        if os.environ.get(_REQUIRED) == "required":
            pytest.fail(why)
        pytest.skip(why)
    place = Path(tempfile.mkdtemp(prefix="mb-ceph-"))
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for name in ("mon", "osd", "run", "gateway"):
            (place / name).mkdir()
        monitor, port = _free(), _free()
        fsid, store = str(uuid4()), str(uuid4())
        config, keyring = place / "ceph.conf", place / "keyring"
        config.write_text(_CONFIG.format(fsid=fsid, monitor=monitor, gateway=port, place=place))

        def run(*words: str | Path) -> None:
            done = subprocess.run(words, capture_output=True, timeout=PATIENCE, check=False)
            assert done.returncode == 0, done.stderr.decode(errors="replace")

        def start(*words: str | Path) -> None:
            daemons.append(
                subprocess.Popen([*words, "-c", config, "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )

        run("ceph-authtool", "-C", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for name in ("client.admin", "osd.0"):
            run("ceph-authtool", keyring, "--gen-key", "-n", name, *_ALL)
        address = f"[v2:127.0.0.1:{monitor}]"
        run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, place / "monmap")
        run("ceph-mon", "-c", config, "--mkfs", "-i", "a", "--monmap", place / "monmap", "--keyring", keyring)
        start("ceph-mon", "-i", "a")
        run("ceph", "-c", config, "osd", "new", store)
        run("ceph-osd", "-c", config, "-i", "0", "--mkfs", "--osd-uuid", store)
        start("ceph-osd", "-i", "0")
        keys = ("--access-key", KEYS["AWS_ACCESS_KEY_ID"], "--secret-key", KEYS["AWS_SECRET_ACCESS_KEY"])
        run("radosgw-admin", "-c", config, "user", "create", "--uid=anna", "--display-name=Anna", *keys)
        start("radosgw", "-n", "client.admin")
        _wait_for(port, daemons)
        yield port
    finally:
        for daemon in reversed(daemons):
            daemon.kill()
            daemon.wait()
        shutil.rmtree(place, ignore_errors=True)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int, daemons: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert all(daemon.poll() is None for daemon in daemons), "a daemon of Ceph has ended"
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            line.request("GET", "/")
            if line.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            line.close()
    raise RuntimeError("the gateway does not answer")


if __name__ == "__main__":
    sys.exit(0 if all(map(shutil.which, PROGRAMS)) else "Ceph's programs are missing")
