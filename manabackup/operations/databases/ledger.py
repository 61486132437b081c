"""What became of each person's archive in a folder for everybody's: a line for each, written when it is there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from ...errors import JSONTextError, LockedError, OutputError, UsageError
from ...host.output import flush, flush_folder, writing_to
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import printable

NAME = "ledger.jsonl"
SUMMARY = "summary.json"
_PLAIN = re.compile("[a-z0-9][a-z0-9-]{0,62}")
_ENDING = ".mana"


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one person's archive."""

    user: str
    file: str
    """In the folder."""
    exit_code: int
    """As ``profile export`` would have ended: 0, 3 for one with losses, or an error's."""
    rows: int = 0
    data_sha256: str | None = None
    error: str | None = None

    @property
    def is_written(self) -> bool:
        """Whether the archive is there."""
        return self.data_sha256 is not None

    def to_json(self) -> dict[str, JSON]:
        """A line of the ledger."""
        return {
            "user": self.user,
            "state": "written" if self.is_written else "failed",
            "file": self.file,
            "rows": self.rows,
            "exitCode": self.exit_code,
            **({"dataSha256": self.data_sha256} if self.data_sha256 is not None else {}),
            **({"error": self.error} if self.error is not None else {}),
        }


def file_of(user: str) -> str:
    """What somebody's archive is called: by their key where any file system takes that, else by its SHA-256."""
    plain = _PLAIN.fullmatch(user) is not None
    return (user if plain else f"user-{hashlib.sha256(user.encode()).hexdigest()}") + _ENDING


class Ledger:
    """The ledger of a folder, for one run at a time: ``with Ledger(folder, about) as ledger: …``.

    ``about`` is what a run that goes on must have in common with the one that began. Raises :class:`LockedError` while
    another run writes it, :class:`UsageError` where the one that began was another, and :class:`OutputError`.
    """

    def __init__(self, folder: Path, about: Mapping[str, JSON], *, force: bool = False) -> None:
        self._folder = folder
        self._about = dict(about)
        self._force = force
        self._file: BinaryIO | None = None
        self.written: dict[str, Entry] = {}
        """Those whose archives were written by a run that was cut off, by user."""

    def __enter__(self) -> Self:
        path = self._folder / NAME
        with writing_to(path):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
            try:
                self._begin(self._file)
            except BaseException:
                self._file.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        self._file.close()

    def _begin(self, file: BinaryIO) -> None:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LockedError(f"another run writes into {printable(str(self._folder))}") from None
        summary = self._folder / SUMMARY
        if self._force:
            file.truncate()
            summary.unlink(missing_ok=True)
        elif summary.exists():
            raise OutputError(f"{printable(str(self._folder))} holds everybody's archives already", hint="--force")
        good = 0
        lines = file.read().split(b"\n")[:-1]
        for number, line in enumerate(lines):
            try:
                value: Any = jsontext.parse(line)
            except JSONTextError:
                break
            if number == 0:
                if value != self._about:
                    raise UsageError(
                        f"{printable(str(self._folder))} was begun by another profile or with other options",
                        hint="--force begins anew",
                    )
            else:
                self._take(value)
            good += len(line) + 1
        file.seek(good)
        file.truncate()  # half a line of a run that was killed
        if not good:
            self._add(self._about)

    def _take(self, value: Mapping[str, Any]) -> None:
        sha256 = value.get("dataSha256")
        if sha256 is not None and (self._folder / value["file"]).is_file():
            self.written[value["user"]] = Entry(value["user"], value["file"], value["exitCode"], value["rows"], sha256)

    def note(self, entry: Entry) -> None:
        """Takes down what became of somebody's archive, for good."""
        with writing_to(self._folder / NAME):
            self._add(entry.to_json())

    def _add(self, value: Mapping[str, JSON]) -> None:
        assert self._file is not None
        self._file.write(jsontext.dumps(dict(value)) + b"\n")
        self._file.flush()
        flush(self._file.fileno())
        flush_folder(self._folder / NAME)
