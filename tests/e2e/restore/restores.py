"""What tests of ``restore`` write into an account, and what they read of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from manabackup.sandbox import Sandbox
from tests.support.homes import Computer, Newcomer, Rows, rows_of

JSON = Any
KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))


def restored(computer: Computer, archive: Path, *arguments: str, code: int = 0) -> JSON:
    """The record of a restore that nobody is asked about."""
    done = computer("restore", str(archive), "--yes", "--json", *arguments)
    assert done.code == code, done.err
    return done.record


def held(computer: Computer, name: str = "again") -> Rows:
    """The account as an export shows it."""
    path = computer.home / "out" / f"{name}.mana"
    assert computer.export(output=path).code == 0
    return rows_of(path)


def newcomer_at(box: Sandbox, key: bytes) -> Newcomer:
    return Newcomer(box, uuid4().hex, key)


def export_of(source: Newcomer, box: Sandbox, folder: Path) -> Path:
    """An archive of somebody's account, made on a computer of its own."""
    home = folder / f"home-{source.name}"
    home.mkdir()
    computer = source.sign_in(Computer(home, box.url))
    exported = computer.export()
    assert exported.code == 0, exported.err
    return computer.archive
