"""Plain archives of three invented accounts, to the byte: the same state gives the same file, today and in years.

All that is another each time is held fast: the servers' clock, the account service's summary of the data (it is full of
random ids and this moment), and with ``SOURCE_DATE_EPOCH`` the archive's own dates.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from manabackup import __version__
from manabackup.archive import deflate
from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from tests.support.homes import Computer, entry, manifest_of, move_in
from tests.support.line import Line, Reply, replying

_ASSETS = rb'  "binaryAssets": \{[^}]*\},\n'
"""In a manifest's text."""
NOW = 4_070_908_800_000_000_000
"""2099-01-01 on the servers, in nanoseconds: what they lend lasts for days and is still good by any client's clock."""
EPOCH = "1767225600"
SUMMARY = b'{"data":{"auth":{"sessionsCount":1}},"exportedAt":"2099-01-01T00:00:00.000Z","success":true}'
VERSION = "0.1.0"
"""Which version's name the pinned archives hold."""
COMPRESSOR = "4a1cfa483cb3bda6b0243c8eb4b94f2f88e5b2ed67dc676f8bfbdbf8e1e6fe8b"
"""SHA-256 of what the compressor makes of :func:`_sample`. By another one the file is another; its content is not."""


@dataclass(frozen=True)
class Pinned:
    plan: Plan
    first: str
    """As ``content``, but for what the manifest says of references to files: since the day it was pinned."""
    content: str
    """SHA-256 over all entries' names and contents, in the order of the archive, with the version's name above."""
    archive: str
    """SHA-256 of the file."""


ACCOUNTS = {
    "odd": Pinned(
        Plan(seed=101, rows=400, oddities=True),
        "5f1eb4a38f672bf3dfc5ff49ff4d4e4f22971ed41262eead84c3f28b00bb5320",
        "4cd52324d40a813c36e0e46746d53af71b31246033c115592e7c4b691dc7d8de",
        "ef6799a02e21b16808aa62e2d5ed6f0d0997639406378b2d2317478b096013f6",
    ),
    "busy": Pinned(
        Plan(seed=202, rows=600, edits=3.0, deletions=0.3, shared_spaces=2),
        "2391f6b51c6f19ddde137dee522d1f03d38211b61778756f0d7eef583f627c0c",
        "e33fde6e804d0fb20daf1d8777968da2a3ec3ec428c0556e27cf3edd74c2ca65",
        "ac87237bb7ec918f9023fa3b6d056847da6f88a442cc03385fdf1ae6568a2ea9",
    ),
    # Larger than one process does alone.
    "long": Pinned(
        Plan(seed=303, rows=360, row_bytes=50_000, shared_spaces=0),
        "01764203e13174f6d4461e4448ec66e30645cdf1b334ae98a4aa8370cd31be07",
        "dcc174f245ca43ae9371744aaf31ea8610e67ff5c0e4187200111ed070eed8dd",
        "5bf0564bed449761622f37b12497a7da67f93b643a3ff5de8164b1db5b630f58",
    ),
}


def _summary(method: str, target: str) -> Reply | None:
    if target == "/api/v1/me/data/export":
        return 200, SUMMARY, {"content-type": "application/json"}
    return None


def _sample() -> bytes:
    return b"".join(b'{"id":"%d","title":"%x"}\n' % (number, number**3) for number in range(10_000))


def _content(path: Path, without: bytes = b"(?!)") -> str:
    found = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name).replace(f"manabackup/{__version__}".encode(), f"manabackup/{VERSION}".encode())
            content = re.sub(without, b"", content)
            found.update(b"%s %d\n%s" % (name.encode(), len(content), content))
    return found.hexdigest()


@pytest.mark.parametrize("name", ACCOUNTS)
def test_the_archive_of_a_known_account_is_known_to_the_byte(tmp_path: Path, name: str) -> None:
    pinned = ACCOUNTS[name]
    with Sandbox(clock=lambda: NOW, middleware=[Line(replying(_summary))]) as box:
        computer = move_in(box, pinned.plan).sign_in(Computer(tmp_path, box.url))
        done = computer.export(env={"SOURCE_DATE_EPOCH": EPOCH})
    assert done.code == 0, done.err
    assert b'"exportedAt":"2026-01-01' in entry(computer.archive, "account/data.json")
    assert manifest_of(computer.archive)["exportedAt"] == "2026-01-01T00:00:00.000Z"
    assert _content(computer.archive, _ASSETS) == pinned.first
    assert _content(computer.archive) == pinned.content
    if hashlib.sha256(deflate.segment(_sample())).hexdigest() == COMPRESSOR:
        assert __version__ == VERSION, "a new version: pin its archives, whose content above is the same"
        assert hashlib.sha256(computer.archive.read_bytes()).hexdigest() == pinned.archive
