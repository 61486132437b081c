"""What an archive of another database says of itself: tables, columns, keys, references (``account/schema.json``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...archive.reader import Archive
from ...errors import DamagedArchiveError, JSONTextError, UsageError
from ...limits import DEFAULT_LIMITS
from ...sources.catalog import ForeignKey, without_modifier
from ...sources.profile import Profile, StoreKind, store_of
from ...sources.target import LoadColumn, LoadRow, LoadTable
from ...sources.values import key_of_column, row_id
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import printable
from .person import SCHEMA


class Described:
    """An open archive that holds rows by a profile; :class:`DamagedArchiveError` for one that contradicts itself.

    ``tables`` are those of the archive, in its order.
    """

    def __init__(self, archive: Archive, profile: Profile) -> None:
        stated = archive.manifest.raw.get("database")
        if not isinstance(stated, dict):
            raise UsageError("the archive holds no rows of another database", hint="`manabackup restore` is for Mana's")
        named = _part(stated, "profile", dict).get("name")
        if named != profile.name:
            raise UsageError(
                f"the archive was made by the profile {printable(str(named))}, and {profile.name} was given",
                hint="give the profile that it was made by",
            )
        self.same_profile: bool = _part(stated, "profile", dict).get("sha256") == profile.sha256
        """Whether it was made by this very file."""
        self._archive = archive
        self._kinds = {name: _kind(store) for name, store in _part(stated, "stores", dict).items()}
        schema = _schema(archive)
        described = _part(schema, "tables", dict)
        missing = [name for name in archive.tables if name not in described]
        if missing:
            raise _contradiction(f"{printable(missing[0])} is not described")
        self.tables: list[LoadTable] = [self._table(name, described[name], profile) for name in archive.tables]

    def _table(self, archived: str, told: JSON, profile: Profile) -> LoadTable:
        name = f"{_part(told, 'store', str)}.{_part(told, 'table', str)}"
        rule = profile.tables.get(name)
        if rule is None or not rule.is_read:
            raise UsageError(f"the profile knows no table {printable(name)} whose rows belong to people")
        key = tuple(_names(told, "key"))
        columns = tuple(_column(each, key) for each in _part(told, "columns", list))
        omitted = (
            [_column(each, key) for each in _part(told, "omittedColumns", list)] if "omittedColumns" in told else []
        )
        known = {column.name for column in columns}
        if not key or not set(key) <= known or len(known) != len(columns):
            raise _contradiction(f"{printable(archived)}: its key is none of its columns, or one stands there twice")
        granted = frozenset(_names(told, "othersColumns") if "othersColumns" in told else ()) & known
        references = tuple(
            ForeignKey(tuple(_names(each, "columns")), _part(each, "table", str), tuple(_names(each, "key")))
            for each in _part(told, "references", list)
        )
        if any(len(each.columns) != len(each.key) or not each.columns for each in references):
            raise _contradiction(f"{printable(archived)}: a reference of it is none")
        kind = self._kinds.get(store_of(name)) or self._kinds.get(str(profile.stores[store_of(name)].within))
        if kind is None:
            raise _contradiction(f"the store of {printable(archived)} is not described")
        return LoadTable(
            name=name,
            table=_part(told, "table", str),
            archived=archived,
            columns=columns,
            key=key,
            granted=frozenset() if granted == known else granted,
            references=references,
            source=kind,
            omitted=tuple(each for each in omitted if each.name not in known),
        )

    def rows(self, table: LoadTable) -> Iterator[LoadRow]:
        """The rows of a table, each held against what is said of it. Raises :class:`DamagedArchiveError`."""
        whole = {column.archived for column in table.columns}
        of_others = {column.archived for column in table.columns if column.name in table.granted}
        names = [column.archived for column in table.columns]
        places = [[column.name for column in table.columns].index(name) for name in table.key]
        for row in self._archive.rows(table.archived):
            values = row.values()
            found = values.keys() if "id" in whole else values.keys() - {"id"}
            reduced = bool(table.granted) and found == of_others
            if not reduced and found != whole:
                raise _contradiction(f"{printable(table.archived)}: a row has not the columns that are described")
            if table.source is StoreKind.SQLITE:
                _keep_floats(values, row.line)
            cells = tuple(values.get(name) for name in names)
            if row_id([cells[place] for place in places], table.key) != row.id:
                raise _contradiction(f"{printable(table.archived)}: the id of a row is not its key")
            yield LoadRow(row.id, cells, reduced, row.line)


def _keep_floats(values: dict[str, JSON], line: bytes) -> None:
    """To SQLite 1.0 is another value than 1, which is the same number in JSON."""
    for name, value in jsontext.parse_inexact(line).items():
        if type(value) is float and type(values[name]) is int:
            values[name] = float(values[name])


def _schema(archive: Archive) -> dict[str, JSON]:
    if SCHEMA.removeprefix("account/") not in {name.removeprefix("account/") for name in archive.account}:
        raise _contradiction("it is missing")
    content = bytearray()
    for chunk in archive.reader.chunks(SCHEMA):
        content += chunk
        if len(content) > DEFAULT_LIMITS.manifest_bytes:
            raise _contradiction("it is too large")
    try:
        found = jsontext.parse(bytes(content))
    except JSONTextError:
        raise _contradiction("it is not JSON") from None
    if not isinstance(found, dict):
        raise _contradiction("it is no object")
    return found


def _column(told: JSON, key: tuple[str, ...]) -> LoadColumn:
    name, type_name = _part(told, "name", str), _part(told, "type", str)
    if not name or "\0" in name:
        raise _contradiction("a column has no name")
    return LoadColumn(
        name=name,
        archived=key_of_column(name, key),
        type=type_name,
        nullable=_part(told, "nullable", bool),
        base=_part(told, "base", str) if "base" in told else without_modifier(type_name),
    )


def _names(told: Mapping[str, JSON], key: str) -> list[str]:
    found: list[str] = _part(told, key, list)
    if not all(isinstance(name, str) and name for name in found):
        raise _contradiction(f"`{key}` are no names")
    return found


def _part(told: Any, key: str, kind: type) -> Any:
    value = told.get(key) if isinstance(told, dict) else None
    if not isinstance(value, kind):
        raise _contradiction(f"`{key}` is missing")
    return value


def _kind(store: JSON) -> StoreKind:
    try:
        return StoreKind(_part(store, "kind", str))
    except ValueError:
        raise _contradiction("a store is of no kind that is known") from None


def _contradiction(problem: str) -> DamagedArchiveError:
    return DamagedArchiveError(problem, code="database", where=SCHEMA)
