"""What became of everybody's archives in a folder: JSON Lines beside them, a line for each person when theirs is there.

The first line says what the archives are of. Of several lines of one person the last one counts. A run that was cut off
goes on after the last whole line.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

from ..errors import JSONTextError, LockedError, UsageError
from ..host.output import flush, flush_folder, writing_to
from ..text import jsontext
from ..text.jsontext import JSON
from ..text.printable import printable

LEDGER = "ledger.jsonl"
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one person's archive."""

    user: str
    state: Literal["begun", "written", "failed"]
    file: str
    """In the folder."""
    exit_code: int = 0
    """As an export of this person alone would have ended: 0, 3 for one with losses, or an error's."""
    status: str | None = None
    rows: int = 0
    bytes: int = 0
    data_sha256: str | None = None
    losses: Mapping[str, int] = field(default_factory=dict)
    vault: str | None = None
    """How the account's key is kept, where there is such a thing."""
    opened: bool = False
    """A KEK opened the private fields."""
    error: str | None = None

    @property
    def is_written(self) -> bool:
        """Whether the archive was written."""
        return self.state == "written"

    def to_json(self) -> dict[str, JSON]:
        """A line of the ledger; what says nothing is left out."""
        more: dict[str, JSON] = {
            "status": self.status,
            "dataSha256": self.data_sha256,
            "losses": dict(self.losses) or None,
            "vault": self.vault,
            "openedWithKek": self.opened or None,
            "error": self.error,
        }
        return {
            "user": self.user,
            "state": self.state,
            "file": self.file,
            "exitCode": self.exit_code,
            "rows": self.rows,
            "bytes": self.bytes,
            **{name: value for name, value in more.items() if value is not None},
        }

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Entry:
        """An entry by its line. Raises :class:`KeyError` and :class:`TypeError` for what is none."""
        return cls(
            user=line["user"],
            state=line["state"],
            file=line["file"],
            exit_code=line["exitCode"],
            status=line.get("status"),
            rows=line["rows"],
            bytes=line["bytes"],
            data_sha256=line.get("dataSha256"),
            losses=line.get("losses", {}),
            vault=line.get("vault"),
            opened=line.get("openedWithKek", False),
            error=line.get("error"),
        )


class Ledger:
    """The ledger of a folder, for one run at a time; both are made where they are not there. A context manager.

    ``about`` is what the archives of one folder have in common. ``anew`` forgets what the ledger says. Raises
    :class:`LockedError` while another run writes it, :class:`UsageError` where its archives are of something else, and
    for a file that is no ledger; :class:`OutputError`.
    """

    def __init__(self, folder: Path, about: Mapping[str, JSON], *, anew: bool = False) -> None:
        self.path = folder / LEDGER
        self.entries: dict[str, Entry] = {}
        """User → what became of them the last time."""
        with writing_to(self.path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file: BinaryIO = os.fdopen(os.open(self.path, flags, 0o600), "r+b")
            try:
                self._lock(folder)
                end = 0 if anew else self._read(dict(about))
                self._file.seek(end)
                self._file.truncate()  # half a line of a run that was killed, or all of it
                if not end:
                    self._write({"ledger": _VERSION, "about": dict(about)})
                    flush_folder(self.path)
            except BaseException:
                self._file.close()
                raise

    def written(self) -> dict[str, Entry]:
        """User → their entry, of those whose archive was written and still lies there as large as it was."""
        return {user: entry for user, entry in self.entries.items() if entry.is_written and self._is_there(entry)}

    def begin(self, user: str, file: str) -> bool:
        """Somebody's archive is being written; gives whether what lies in its place already is an earlier run's."""
        before = self.entries.get(user)
        is_ours = before is not None and before.state != "failed"
        if is_ours or not self.path.with_name(file).exists():
            self._write(Entry(user, "begun", file).to_json(), durable=False)
        return is_ours

    def add(self, entry: Entry) -> None:
        """What became of one person more, for good when this returns."""
        self.entries[entry.user] = entry
        self._write(entry.to_json())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _lock(self, folder: Path) -> None:
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LockedError(f"another run writes into {printable(str(folder))}") from None

    def _is_there(self, entry: Entry) -> bool:
        try:
            return self.path.with_name(entry.file).stat().st_size == entry.bytes
        except OSError:
            return False

    def _write(self, line: JSON, *, durable: bool = True) -> None:
        with writing_to(self.path):
            self._file.write(jsontext.dumps(line) + b"\n")
            self._file.flush()
            if durable:
                flush(self._file.fileno())

    def _read(self, about: Mapping[str, JSON]) -> int:
        """Takes what stands there; gives where the last whole line ends."""
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        if not end:
            return 0
        try:
            head, *lines = map(jsontext.parse, content[:end].splitlines())
            version, found = head["ledger"], head["about"]
            self.entries = {entry.user: entry for entry in map(Entry.of, lines)}
        except (JSONTextError, KeyError, TypeError, AttributeError):
            version, found = None, None
        if version != _VERSION:
            raise UsageError(
                f"{printable(str(self.path))} is no ledger, or of another version",
                hint="give another folder, or --force to begin anew",
            )
        if found != about:
            raise UsageError(
                f"{printable(str(self.path.parent))} has archives of another source, or was begun with other options",
                hint="give another folder, or --force to begin anew",
            )
        return end
