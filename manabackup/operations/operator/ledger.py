"""What became of each user, as JSON Lines beside the archives: one line a user, written when their archive is there.

The first line says what was read. A run that was cut off goes on after the last whole line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

from ...errors import JSONTextError, UsageError
from ...host.output import flush, flush_folder, reading_from, writing_to
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import printable

LEDGER = "ledger.jsonl"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one user."""

    user: str
    state: Literal["begun", "done", "failed"]
    archive: str | None = None
    """The file's name in the folder."""
    status: str | None = None
    rows: int = 0
    bytes: int = 0
    data_sha256: str | None = None
    losses: Mapping[str, int] = field(default_factory=dict)
    vault: str = "none"
    opened: bool = False
    """The KEK opened the private fields."""
    error: str | None = None
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """A line of the ledger."""
        return {
            "user": self.user,
            "state": self.state,
            "archive": self.archive,
            "status": self.status,
            "rows": self.rows,
            "bytes": self.bytes,
            "dataSha256": self.data_sha256,
            "losses": dict(self.losses),
            "vault": self.vault,
            "openedWithKek": self.opened,
            "error": self.error,
            "exit": self.exit_code,
        }

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Entry:
        """An entry by its line. Raises :class:`KeyError`."""
        return cls(
            line["user"],
            line["state"],
            line["archive"],
            line["status"],
            line["rows"],
            line["bytes"],
            line["dataSha256"],
            line["losses"],
            line["vault"],
            line["openedWithKek"],
            line["error"],
            line["exit"],
        )


class Ledger:
    """The ledger of a folder, which is made where it is not there. ``anew`` forgets what it says.

    Raises :class:`UsageError` for a folder whose archives are of another source than ``source`` names, and for a file
    of that name that is none; :class:`OutputError`.
    """

    def __init__(self, folder: Path, source: str, *, anew: bool = False) -> None:
        self.path = folder / LEDGER
        self.entries: dict[str, Entry] = {}
        """User → what became of them the last time."""
        with writing_to(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        end = 0 if anew else self._read(source)
        with writing_to(self.path):
            self._file: BinaryIO = os.fdopen(
                os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "r+b"
            )
            self._file.truncate(end)
            self._file.seek(end)
        if not end:
            self._write({"ledger": _VERSION, "source": source})
            flush_folder(folder)

    def begin(self, user: str) -> None:
        """A user's archive is being written: what lies in its place from now on is ours."""
        self._write(Entry(user, "begun").to_json(), durable=False)

    def add(self, entry: Entry) -> None:
        """One more user, durable when this returns."""
        self.entries[entry.user] = entry
        self._write(entry.to_json())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, line: JSON, *, durable: bool = True) -> None:
        with writing_to(self.path):
            self._file.write(jsontext.dumps(line) + b"\n")
            self._file.flush()
            if durable:
                flush(self._file.fileno())

    def _read(self, source: str) -> int:
        """Takes what stands there; gives where the last whole line ends."""
        if not self.path.exists():
            return 0
        with reading_from(self.path):
            content = self.path.read_bytes()
        end = content.rfind(b"\n") + 1
        lines = content[:end].splitlines()
        try:
            head, *rest = [jsontext.parse(line) for line in lines] or [None]
            if head is None:
                return 0
            known = head["ledger"], head["source"]
            self.entries = {line["user"]: Entry.of(line) for line in rest}
        except (JSONTextError, KeyError, TypeError):
            raise UsageError(f"{printable(str(self.path))} is no ledger, or of another version") from None
        if known != (_VERSION, source):
            raise UsageError(
                f"{printable(str(self.path))} is of another database",
                hint="give another folder, or --force to begin anew",
            )
        return end


def is_there(folder: Path, entry: Entry | None) -> bool:
    """Whether a user's archive was written, and still lies there as large as it was."""
    if entry is None or entry.state != "done" or entry.archive is None:
        return False
    try:
        return (folder / entry.archive).stat().st_size == entry.bytes
    except OSError:
        return False
