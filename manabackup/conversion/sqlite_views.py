"""The definitions of a converted database: tables, foreign keys, indexes, views, full-text search.

What stands inside nested values is a column in views: ``totals_gross`` is ``gross`` in the object ``totals``. No table
has computed columns: a program that does not trust functions in definitions could not read it then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ..limits import MIB
from ..model.tables import TableModel
from .columns import SQL_TYPES, Columns
from .reading import Reading

_TAGS = "globalTags"
_WHEN_FILLED: Final = {"automerge": 0, "hashsize": 32 * MIB}
"""Settings of a full-text index while it is made; ``hashsize`` is what it keeps in memory, in bytes."""
_AFTERWARDS: Final = {"automerge": 4, "hashsize": MIB}
"""What SQLite begins with (https://www.sqlite.org/fts5.html, "Special INSERT Directives")."""


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as SQL takes it."""
    return "'" + value.replace("'", "''") + "'"


# --- tables -----------------------------------------------------------------------------------------------------------


def create_table(name: str, columns: Columns, references: Sequence[tuple[str, str]] = ()) -> str:
    """The definition of a table, with foreign keys for ``references`` (field, table)."""
    parts = ["id TEXT PRIMARY KEY NOT NULL"]
    parts += [f"{quoted(field)} {SQL_TYPES[kind]}" for field, kind in columns.fields]
    parts += ["_nulls INTEGER NOT NULL DEFAULT 0", "_more TEXT"]
    parts += [f"FOREIGN KEY ({quoted(field)}) REFERENCES {quoted(target)} (id)" for field, target in references]
    return f"CREATE TABLE {quoted(name)} (\n  " + ",\n  ".join(parts) + "\n)"


def computed(columns: Columns, model: TableModel | None) -> list[tuple[str, str, str]]:
    """(column, field, path within the field) of the single values inside nested ones that are described."""
    if model is None:
        return []
    kinds = dict(columns.fields)
    taken = {name.casefold() for name in kinds} | {"id", "_nulls", "_more"}
    found = []
    for path in described_paths(model):
        field, _, rest = path.partition(".")
        column = path.replace(".", "_")
        if rest and "[]" not in path and kinds.get(field) == "json" and column.casefold() not in taken:
            taken.add(column.casefold())
            found.append((column, field, rest))
    return found


def described_paths(model: TableModel) -> list[str]:
    """The paths that a description says something of, each once."""
    paths = [
        *model.title_paths,
        *model.dates,
        *(field.path for field in model.texts),
        *(field.path for field in model.money),
        *(field.currency_path for field in model.money if field.currency_path is not None),
        *model.enums,
        *model.units,
        *(field.path for field in model.files),
    ]
    return list(dict.fromkeys(paths))


def single_references(columns: Columns, model: TableModel | None) -> Iterator[tuple[str, str]]:
    """(field, table) of the fields that hold one id."""
    kinds = dict(columns.fields)
    for path, target in model.references.items() if model is not None else ():
        if kinds.get(path) == "text":
            yield path, target


def indexes(name: str, columns: Columns, model: TableModel | None) -> Iterator[str]:
    """Over what people look rows up by: the rows that they belong to, and their dates."""
    fields = [field for field, _ in single_references(columns, model)]
    kinds = dict(columns.fields)
    if model is not None and model.date_path in kinds:
        fields.append(model.date_path)
    for field in dict.fromkeys(fields):
        yield f"CREATE INDEX {quoted(f'_{name}_{field}')} ON {quoted(name)} ({quoted(field)})"


# --- search -----------------------------------------------------------------------------------------------------------


def search(reading: Reading, there: Mapping[str, Columns]) -> Iterator[str]:
    """A full-text index beside each table with titles or texts, that keeps no copy of them."""
    for name, columns in there.items():
        model = reading.model(name)
        if model is None:
            continue
        expressions = {field: quoted(field) for field, kind in columns.fields}
        expressions |= {column: extracted("t", field, rest) for column, field, rest in computed(columns, model)}
        wanted = [*model.title_paths, *model.title_fallback, *(field.path for field in model.texts)]
        fields = [path.removesuffix("[]").replace(".", "_") for path in wanted]
        fields = [field for field in dict.fromkeys(fields) if field in expressions]
        if not fields:
            continue
        index, content, number = quoted(f"{name}_fts"), quoted(name), "rowid"
        if not {field for field, _ in columns.fields}.issuperset(fields):
            content, number = quoted(f"{name}_texts"), "number"
            parts = ", ".join(f"{expressions[field]} AS {quoted(field)}" for field in fields)
            yield f"CREATE VIEW {content} AS SELECT t.rowid AS number, t.id, {parts} FROM {quoted(name)} AS t"
        listed = ", ".join(map(quoted, fields))
        yield f"CREATE VIRTUAL TABLE {index} USING fts5({listed}, content={content}, content_rowid={number})"
        # All at once, in larger parts than are usual: nothing is merged meanwhile, which takes a quarter of the time.
        for key, value in _WHEN_FILLED.items():
            yield f"INSERT INTO {index} ({index}, rank) VALUES ('{key}', {value})"
        yield f"INSERT INTO {index} ({index}) VALUES ('rebuild')"
        for key, value in _AFTERWARDS.items():
            yield f"INSERT INTO {index} ({index}, rank) VALUES ('{key}', {value})"


def extracted(row: str, field: str, rest: str) -> str:
    """The expression for what stands at a path within a field."""
    return f"json_extract({row}.{quoted(field)}, {text('$.' + rest)})"


# --- views ------------------------------------------------------------------------------------------------------------


def views(reading: Reading, there: Mapping[str, Columns]) -> Iterator[str]:
    """What people expect joined."""
    tagged = list(_tag_sources(reading, there))
    if tagged:
        yield "CREATE VIEW _tags AS " + " UNION ".join(tagged)
    for name, columns in there.items():
        model = reading.model(name)
        parts = [
            f"{extracted('t', field, rest)} AS {quoted(column)}" for column, field, rest in computed(columns, model)
        ]
        if tagged and model is not None and model.tags is not None:
            parts.append(
                "(SELECT group_concat(tag, ', ') FROM (SELECT tag FROM _tags"
                f" WHERE table_name = {text(name)} AND row_id = t.id ORDER BY tag)) AS tag_names"
            )
        if parts:
            yield f"CREATE VIEW {quoted(f'{name}_read')} AS SELECT t.*, {', '.join(parts)} FROM {quoted(name)} AS t"
    yield from _timed(there)
    for name in there:
        model = reading.model(name)
        if model is not None and model.money:
            yield from _money(name, model)


def _tag_sources(reading: Reading, there: Mapping[str, Columns]) -> Iterator[str]:
    """(table_name, row_id, tag) from the three places that tags stand in."""
    for name, columns in there.items():
        model = reading.model(name)
        if model is None or model.tags is None:
            continue
        here, kinds = quoted(name), dict(columns.fields)
        for junction in model.tags.junctions:
            pair = reading.modules.junctions[junction]
            if junction in there and pair.tag_table in there:
                tag = (
                    f"coalesce(nullif(p.{quoted(pair.tag)}, ''), p.{quoted(pair.old_tag)})"
                    if (pair.old_tag in dict(there[junction].fields))
                    else f"p.{quoted(pair.tag)}"
                )
                yield (
                    f"SELECT {text(name)} AS table_name, p.{quoted(pair.entity)} AS row_id, g.name AS tag"
                    f" FROM {quoted(junction)} AS p JOIN {quoted(pair.tag_table)} AS g ON g.id = {tag}"
                )
        for path, by_id in [*((path, True) for path in model.tags.ids), *((path, False) for path in model.tags.names)]:
            field, _, rest = path.removesuffix("[]").partition(".")
            if kinds.get(field) != "json" or (by_id and _TAGS not in there):
                continue
            each = f"json_each(t.{quoted(field)}, {text('$.' + rest)})" if rest else f"json_each(t.{quoted(field)})"
            if by_id:
                yield (
                    f"SELECT {text(name)} AS table_name, t.id AS row_id, g.name AS tag"
                    f" FROM {here} AS t, {each} AS e JOIN {_TAGS} AS g ON g.id = e.value"
                )
            else:
                yield f"SELECT {text(name)} AS table_name, t.id AS row_id, e.value AS tag FROM {here} AS t, {each} AS e"


def _timed(there: Mapping[str, Columns]) -> Iterator[str]:
    """Rows whose time stands in ``timeBlocks``, with it."""
    if "timeBlocks" not in there:
        return
    block = ", ".join(
        f'b.{quoted(field)} AS "block_{field}"' for field in ("startDate", "endDate", "allDay", "recurrenceRule")
    )
    for name in ("events", "socialEvents", "habitLogs", "timeEntries", "dreams", "bodyWorkouts"):
        if name in there and "timeBlockId" in dict(there[name].fields):
            calendar = ""
            join = ""
            if name == "events" and "calendars" in there:
                calendar = ", c.name AS calendar_name, c.timezone AS calendar_timezone"
                join = ' LEFT JOIN calendars AS c ON c.id = t."calendarId"'
            yield (
                f"CREATE VIEW {quoted(f'{name}_timed')} AS SELECT t.*, {block}{calendar} FROM {quoted(name)} AS t"
                f' LEFT JOIN "timeBlocks" AS b ON b.id = t."timeBlockId"{join}'
            )


def _money(name: str, model: TableModel) -> Iterator[str]:
    """Amounts as decimals, with their sign and currency; lines of lists in a view of their own."""
    single = [money for money in model.money if "[]" not in money.path]
    if single:
        parts = ["t.id"]
        for money in single:
            value = _at(money.path) + (" / 100.0" if money.minor else "")
            if money.negative is not None:
                field, negative = money.negative
                value = f"CASE {_at(field)} WHEN {text(negative)} THEN -({value}) ELSE {value} END"
            if money.hours_where is not None:
                field, hours = money.hours_where
                value = f"CASE {_at(field)} WHEN {text(hours)} THEN NULL ELSE {value} END"
            column = money.path.replace(".", "_")
            currency = text(money.currency or "") if money.currency_path is None else _at(money.currency_path)
            parts += [f"{value} AS {quoted(column)}", f"{currency} AS {quoted(f'{column}_currency')}"]
        yield f"CREATE VIEW {quoted(f'{name}_money')} AS SELECT {', '.join(parts)} FROM {quoted(name)} AS t"
    if name == "invoices":
        yield (
            "CREATE VIEW invoices_lines AS SELECT t.id AS invoice_id, t.number, t.currency, e.key + 1 AS line,"
            " json_extract(e.value, '$.title') AS title, json_extract(e.value, '$.quantity') AS quantity,"
            " json_extract(e.value, '$.unit') AS unit, json_extract(e.value, '$.unitPrice') / 100.0 AS unit_price,"
            " json_extract(e.value, '$.vatRate') AS vat_percent,"
            " json_extract(e.value, '$.discount') AS discount_percent"
            " FROM invoices AS t, json_each(t.lines) AS e"
        )


def _at(path: str) -> str:
    """The expression for what stands at a path of a row."""
    field, _, rest = path.partition(".")
    return extracted("t", field, rest) if rest else f"t.{quoted(field)}"
