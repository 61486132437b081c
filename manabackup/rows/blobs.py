"""The index of an archive's files, ``meta/blobs.jsonl``: what each file is, and which rows refer to it.

A line with ``sha256`` is a file under ``blobs/``; one with ``lost`` is a file that rows refer to and that could not be
had. Format: ``formats/mana-v2.md``, "Files".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..archive.blobs import INDEX
from ..archive.names import blob
from ..archive.reader import Archive
from ..errors import DamagedArchiveError
from ..text import jsontext
from ..text.jsontext import JSON


@dataclass(frozen=True, slots=True)
class Referrer:
    """A place in a row that leads to a file."""

    table: str
    id: str
    field: str
    private: bool = False
    """The field was ciphertext at its source."""

    def to_json(self) -> dict[str, JSON]:
        """As the index lists it."""
        told: dict[str, JSON] = {"table": self.table, "id": self.id, "field": self.field}
        return {**told, "private": True} if self.private else told


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """One line: a file, or one that is lost."""

    rows: Sequence[Referrer]
    ids: Sequence[str] = ()
    """Its ids at the media service."""
    addresses: Sequence[str] = ()
    """``storage:`` or ``music:`` and a key, ``data:`` for one that stood in a row, or a URL."""
    sha256: str | None = None
    """None for one that is lost."""
    size: int = 0
    type: str = ""
    name: str | None = None
    told: Mapping[str, JSON] = field(default_factory=dict)
    """What the media service says besides: ``exif``, ``metadata``, ``createdAt``, ``status``."""
    lost: str | None = None
    """Why it is lost: ``gone``, ``unavailable``, ``damaged``, ``tooLarge``, ``foreign``, ``unresolved``."""
    reason: str = ""

    def text(self) -> bytes:
        """The line, without its end."""
        found: dict[str, JSON] = {
            "rows": [row.to_json() for row in self.rows],
            **({"ids": list(self.ids)} if self.ids else {}),
            **({"addresses": list(self.addresses)} if self.addresses else {}),
        }
        if self.sha256 is None:
            return jsontext.dumps_to_keep({**found, "lost": self.lost, "reason": self.reason})
        named: dict[str, JSON] = {"name": self.name} if self.name is not None else {}
        told: dict[str, JSON] = {"told": dict(self.told)} if self.told else {}
        return jsontext.dumps_to_keep(
            {**found, **named, **told, "sha256": self.sha256, "size": self.size, "type": self.type}
        )

    @classmethod
    def of(cls, line: Mapping[str, JSON]) -> IndexedFile:
        """The line that :meth:`text` wrote, parsed. Raises :class:`ValueError` for what is none."""
        rows = tuple(map(_referrer, _list(line, "rows")))
        common: dict[str, Any] = {
            "rows": rows,
            "ids": _texts(line, "ids"),
            "addresses": _texts(line, "addresses"),
        }
        match line:
            case {"sha256": str(sha256), "size": int(size), "type": str(kind)} if type(size) is int:
                name, told = line.get("name"), line.get("told", {})
                if not (name is None or isinstance(name, str)) or not isinstance(told, dict):
                    raise ValueError("not a file")
                return cls(**common, sha256=sha256, size=size, type=kind, name=name, told=told)
            case {"lost": str(lost), "reason": str(reason)}:
                return cls(**common, lost=lost, reason=reason)
        raise ValueError("neither a file nor a lost one")


def indexed_files(archive: Archive) -> Iterator[IndexedFile]:
    """The index of an archive's files, line by line; nothing where it has none.

    Raises :class:`DamagedArchiveError` for what is no such line, also when files and index contradict each other.
    """
    entries = archive.reader.container.entries
    last = ""
    seen = 0
    for number, line in enumerate(archive.meta("blobs"), start=1):
        try:
            found = IndexedFile.of(line)
        except ValueError:
            raise _wrong("not a line of the index of files", number) from None
        if found.sha256 is not None:
            entry = entries.get(blob(found.sha256))
            if found.sha256 <= last or entry is None or entry.kind != "blob" or entry.size != found.size:
                raise _wrong("a file that is not there so, or not in its order", number)
            last = found.sha256
            seen += 1
        yield found
    if seen != len(archive.reader.container.of_kind("blob")):
        raise DamagedArchiveError("lists other files than there are", code="blobs", where=INDEX)


def _wrong(message: str, number: int) -> DamagedArchiveError:
    return DamagedArchiveError(message, code="blobs", where=f"{INDEX}:{number}")


def _list(line: Mapping[str, JSON], key: str) -> list[JSON]:
    value = line.get(key, [])
    if not isinstance(value, list):
        raise ValueError(key)  # noqa: TRY004 # of somebody's data
    return value


def _texts(line: Mapping[str, JSON], key: str) -> tuple[str, ...]:
    values = _list(line, key)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(key)
    return tuple(str(value) for value in values)


def _referrer(value: JSON) -> Referrer:
    match value:
        case {"table": str(table), "id": str(identifier), "field": str(name)}:
            return Referrer(table, identifier, name, value.get("private") is True)
    raise ValueError("rows")
