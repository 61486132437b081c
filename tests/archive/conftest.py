"""Archives for the tests of this folder."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.writer import About, ArchiveWriter, Seal, Written
from manabackup.cli.execution import execute
from tests.support.in_process import Command, Ended, check

PASSPHRASE = "Überraschung für Oma 🔑"

Maker = Callable[..., Written]


@pytest.fixture
def make_archive() -> Maker:
    """Writes an archive: ``make_archive(path, {"notes": [line, …]}, seal=…)``."""

    def make(path: Path, tables: dict[str, list[bytes]], *, seal: Seal | None = None, **options: Any) -> Written:
        with path.open("w+b") as file:
            writer = ArchiveWriter(
                file, tables=list(tables), seal=seal, make_spool_file=tempfile.TemporaryFile, **options
            )
            for name, lines in tables.items():
                table = writer.table(name)
                for line in lines:
                    table.add(line, b'{"id":%s}' % line[6:].split(b",")[0].rstrip(b"}"))
                table.close()
            about = About("user-1", "2026-05-01T12:00:00.000Z", {"type": "full"}, fields_plaintext=True)
            return writer.finish(about, {"completeness": {"status": "complete"}})

    return make


@pytest.fixture
def manabackup(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Command:
    """The program, in this process and with a home of its own."""
    for name in [name for name in os.environ if name.startswith("MANABACKUP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MANABACKUP_KEY", bytes(range(32)).hex())
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()

    def command(*arguments: object, passphrase: str | None = None) -> Ended:
        if passphrase is not None:
            monkeypatch.setenv("MANABACKUP_PASSPHRASE", passphrase)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            code = execute(list(map(str, arguments)))
        finally:  # a program leaves them as they are when it ends; the process of the tests goes on
            for number, handler in handlers.items():
                signal.signal(number, handler)
        captured = capfdbinary.readouterr()
        ended = Ended(code, captured.out, captured.err.decode())
        check(ended, arguments)
        return ended

    return command
