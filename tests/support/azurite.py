"""Microsoft's own emulator of Azure Blob Storage for tests, on loopback, with its blobs in memory.

Without it tests are skipped, or fail where ``MANABACKUP_AZURITE=required`` says that nothing may be.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from manabackup.remote.transport import Transport
from manabackup.storage.azure import Container
from manabackup.storage.azure_account import Account

from .patience import PATIENCE

PROGRAM = Path(__file__).parents[1] / "storage/tools/node_modules/azurite/dist/src/blob/main.js"
NAME, KEY = "anna1", "Z2VoZWlt/GdlaGVpbQ=="
_REQUIRED = "MANABACKUP_AZURITE"
_LISTENS = re.compile(rb"listens on https?://127\.0\.0\.1:(\d+)")


def is_there() -> bool:
    """Whether it can be started."""
    return shutil.which("node") is not None and PROGRAM.exists()


@contextmanager
def azurite(*arguments: str) -> Iterator[int]:
    """The port of a server that knows the account :data:`NAME`."""
    if not is_there():
        why = "needs node and Azurite: `make storage-tools`, and apt-get install nodejs npm"
        if os.environ.get(_REQUIRED) == "required":
            pytest.fail(why)
        pytest.skip(why)
    words = [
        "node",
        str(PROGRAM),
        "--blobPort",
        "0",
        "--inMemoryPersistence",
        "--disableTelemetry",
        "--silent",
    ]
    environ = {**os.environ, "AZURITE_ACCOUNTS": f"{NAME}:{KEY}"}
    with tempfile.TemporaryDirectory(prefix="mb-azurite-") as place:
        server = subprocess.Popen([*words, *arguments], cwd=place, env=environ, stdout=subprocess.PIPE)
        try:
            yield _port(server)
        finally:
            server.kill()
            server.communicate()


def _port(server: subprocess.Popen[bytes]) -> int:
    assert server.stdout is not None
    end = threading.Timer(PATIENCE, server.kill)
    end.start()
    try:
        for line in server.stdout:
            match = _LISTENS.search(line)
            if match is not None:
                return int(match[1])
    finally:
        end.cancel()
    raise RuntimeError("Azurite has ended")


def environ(port: int) -> dict[str, str]:
    """What somebody's environment says who may do everything there."""
    return {
        "AZURE_STORAGE_ACCOUNT": NAME,
        "AZURE_STORAGE_KEY": KEY,
        "AZURE_STORAGE_SERVICE_ENDPOINT": f"http://127.0.0.1:{port}/{NAME}",
    }


def with_signature(port: int, permissions: str = "rwdlacx") -> dict[str, str]:
    """The same of somebody who has a shared access signature (SAS) of the account, and no key.

    Source: Microsoft, "Create an account SAS", version 2020-08-04.
    """
    until, version = "2099-01-01T00:00:00Z", "2020-08-04"
    text = "".join(f"{part}\n" for part in (NAME, permissions, "b", "sco", "", until, "", "", version))
    signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")).decode()
    sas = {"sp": permissions, "ss": "b", "srt": "sco", "se": until, "sv": version, "sig": signature}
    said = environ(port) | {"AZURE_STORAGE_SAS_TOKEN": urlencode(sas)}
    del said["AZURE_STORAGE_KEY"]
    return said


def new_container(port: int, said: dict[str, str] | None = None) -> str:
    """A container of its own."""
    name = f"container-{uuid4().hex[:12]}"
    with Container(name, Account.find(said or environ(port)), Transport, name) as made:
        answer = made.ask(made.request("PUT", "", {}, params={"restype": "container"}))
        assert answer.status == 201, answer.body
    return name


def container(port: int, name: str) -> Container:
    """Connections to a container."""
    return Container(name, Account.find(environ(port)), Transport, name)


if __name__ == "__main__":
    sys.exit(0 if is_there() else "Azurite is missing")
