"""The schema that an archive describes, as SQL: tables, types, keys, references.

An archive may come from a stranger: of what it says of types only what is known here gets into SQL, and names go there
in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from .catalog import ForeignKey
from .profile import StoreKind
from .target import LoadColumn, LoadTable

_SIMPLE = (
    "smallint integer bigint oid real boolean text bytea json jsonb uuid date interval name inet cidr macaddr macaddr8 "
    "money xml point line lseg box path polygon circle tsvector tsquery pg_lsn jsonpath int4range int8range numrange "
    "tsrange tstzrange daterange int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange"
)
_POSTGRESQL = re.compile(
    rf"(?:{'|'.join(_SIMPLE.split())}|double precision|numeric(?:\(\d+,-?\d+\))?|\"char\"|"
    r"(?:character varying|character|bit|bit varying)(?:\(\d+\))?|interval\(\d\)|"
    r"(?:time|timestamp)(?:\(\d\))? (?:with|without) time zone)(?:\[\])*"
)
_DECLARED = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?: [A-Za-z][A-Za-z0-9_]*)*(?: ?\([0-9]{1,6}(?:, ?[0-9]{1,6})?\))?")
_MEANS_MORE = re.compile(
    r"\b(?:primary|not|null|unique|check|default|collate|references|generated|as|constraint|always|on)\b", re.IGNORECASE
)
_IN_SQLITE = {"smallint": "INTEGER", "integer": "INTEGER", "bigint": "INTEGER", "oid": "INTEGER", "boolean": "BOOLEAN"}
_IN_SQLITE |= {"real": "REAL", "double precision": "REAL", "bytea": "BLOB"}
Quoted = Callable[[str], str]


def create_tables(
    tables: Sequence[LoadTable],
    references: Mapping[str, Sequence[ForeignKey]],
    kind: StoreKind,
    quoted: Quoted,
    qualified: Quoted,
) -> Iterator[str]:
    """The statements, for tables in any order. ``references`` are those to be declared, by :attr:`LoadTable.name`."""
    needed: dict[str, set[tuple[str, ...]]] = {}
    for table in tables:
        for reference in references.get(table.name, ()):
            needed.setdefault(reference.table, set()).add(reference.key)
    for table in tables:
        parts = [_column(column, table, kind, quoted) for column in table.columns]
        # Whoever knows the table, a profile for one, expects them; nothing is there to stand in them.
        parts += [f"{quoted(each.name)} {type_in(each, table.source, kind)}".rstrip() for each in table.omitted]
        keys = [table.key] if table.key else []
        keys += sorted(key for key in needed.get(table.table, ()) if set(key) != set(table.key))
        may_be_null = {column.name for column in table.columns if column.nullable}
        for key in keys:
            primary = key == table.key and may_be_null.isdisjoint(key)
            parts.append(f"{'PRIMARY KEY' if primary else 'UNIQUE'} ({', '.join(map(quoted, key))})")
        if kind is StoreKind.SQLITE:
            parts += [_reference(each, quoted, quoted) for each in references.get(table.name, ())]
        yield f"CREATE TABLE {qualified(table.table)} ({', '.join(parts)})"
    if kind is StoreKind.POSTGRESQL:
        for table in tables:
            for each in references.get(table.name, ()):
                yield f"ALTER TABLE {qualified(table.table)} ADD {_reference(each, quoted, qualified)}"


def _reference(reference: ForeignKey, quoted: Quoted, qualified: Quoted) -> str:
    own, key = (", ".join(map(quoted, names)) for names in (reference.columns, reference.key))
    return f"FOREIGN KEY ({own}) REFERENCES {qualified(reference.table)} ({key})"


def _column(column: LoadColumn, table: LoadTable, kind: StoreKind, quoted: Quoted) -> str:
    # Rows of other people have some columns only, and of the others none may be demanded.
    demanded = not column.nullable and (not table.granted or column.name in table.granted)
    parts = [quoted(column.name), type_in(column, table.source, kind), "NOT NULL" if demanded else ""]
    return " ".join(part for part in parts if part)


def type_in(column: LoadColumn, source: StoreKind, kind: StoreKind) -> str:
    """What a column is declared as; ``text`` where its type is one of that database alone."""
    if source is StoreKind.SQLITE:
        good = _DECLARED.fullmatch(column.type) is not None and _MEANS_MORE.search(column.type) is None
        return column.type if good else ""
    text = "text[]" if column.base.endswith("[]") else "text"
    known = next((name for name in (column.type, column.base) if _POSTGRESQL.fullmatch(name)), text)
    if kind is StoreKind.POSTGRESQL:
        return known
    return _IN_SQLITE.get(column.base, "TEXT")


def made_otherwise(tables: Sequence[LoadTable], kind: StoreKind) -> Iterator[str]:
    """What is not declared as it was, in words."""
    for table in tables:
        for column in table.omitted:
            yield f"{table.name}, column {column.name}: empty, since the archive does not hold it"
        for column in table.columns:
            made = type_in(column, table.source, kind)
            if made != column.type and not (table.source is StoreKind.POSTGRESQL and kind is StoreKind.SQLITE):
                yield f"{table.name}, column {column.name}: {made or 'no type'} in place of {column.type or 'no type'}"
            if not column.nullable and table.granted and column.name not in table.granted:
                yield f"{table.name}, column {column.name}: may be NULL, since rows of others have none"
