"""What hostile answers cost in memory, measured in processes of their own under the program's own limits."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from manabackup.limits import MIB
from manabackup.sandbox import Sandbox
from manabackup.text import jsontext
from tests.support.box import USER
from tests.support.line import Act, Line, Script, says

from .acts import pours, repeated
from .catalogue import FAULTS

ENOUGH = 1_000 * MIB
"""What the program may take at most, whatever it is sent."""


def _change_of(item: bytes, size: int) -> Act:
    """A page of one change of so many bytes, which hold the same small value again and again."""
    head = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"syncedUntil":"2026-01-01T00:00:00Z","serverChanges":['
    change = b'{"eventId":"e","table":"tasks","id":"r","op":"insert","data":{"all":[0'
    pieces = repeated(b"," + item, size)
    return pours(head + change, lambda: (*pieces(), b"]}}]}"))


def _zeros(coding: str) -> bytes:
    """Spoiled a gigabyte."""
    block = bytes(MIB)
    packer = zlib.compressobj(1, wbits=31) if coding == "gzip" else zstandard.ZstdCompressor(1).compressobj()
    return b"".join([packer.compress(block) for _ in range(512)]) + packer.flush()


APPS, PAGES = "/sync/todo$", "/sync/.*/pull"
HOSTILE: dict[str, tuple[str, Callable[[], Act]]] = {
    "pages of half a gigabyte": (PAGES, lambda: FAULTS["half a gigabyte"].act),
    "an app out of a bomb": (APPS, lambda: says(200, _zeros("zstd"), {"Content-Encoding": "zstd"})),
    "pages out of bombs": (PAGES, lambda: says(200, _zeros("gzip"), {"Content-Encoding": "gzip"})),
    "an app of nothing but objects": (APPS, lambda: _change_of(b'{"a":{}}', 20 * MIB)),
    "pages of nothing but lists": (PAGES, lambda: _change_of(b"[]", 11 * MIB)),
    "pages of more lists": (PAGES, lambda: _change_of(b"[]", 30 * MIB)),
}


@pytest.fixture(scope="module")
def line() -> Line:
    return Line()


@pytest.fixture(scope="module")
def box(line: Line) -> Iterator[Sandbox]:
    with Sandbox(middleware=[line]) as running:
        running.accounts.create_user(f"{USER}@example.org", "password", USER, user_id=USER, bootstrap=False)
        for app, collection in (("todo", "tasks"), ("todo", "lists"), ("notes", "notes")):
            for number in range(3):
                running.log.append(USER, "laptop", app, {"table": collection, "id": f"r{number}", "op": "delete"})
        yield running


@pytest.mark.parametrize("name", HOSTILE)
def test_S1_no_answer_fills_the_memory(box: Sandbox, line: Line, tmp_path: Path, name: str) -> None:
    path, act = HOSTILE[name]
    script = Script(act(), path=path, times=None)
    command = ["-m", "tests.faults.pulling", box.url, box.accounts.issue_token(USER), str(tmp_path / "mirror.sqlite")]
    with line.under(script):
        done = subprocess.run([sys.executable, *command], capture_output=True, check=True)
    assert script.met
    found = jsontext.parse(done.stdout)
    assert found["bytes"] < ENOUGH, found
