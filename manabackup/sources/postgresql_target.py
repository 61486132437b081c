"""PostgreSQL, written into in one transaction: rows come into temporary tables of texts, and from there to their place.

Temporary tables are the server's, and gone with the transaction. Each group of tables that refer to each other is
written by one statement, behind which alone the server looks at foreign keys: so circles need no second step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import ConflictError, ManabackupError, ServerError, SourceError
from ..text.printable import counted, one_line, printable
from .catalog import Catalog, ForeignKey
from .cells import postgresql_cell
from .creation import create_tables, made_otherwise
from .insertion import ColumnFacts, Staged, quoted
from .order import in_order
from .postgresql import PostgresqlDatabase
from .profile import StoreKind
from .target import Events, LoadAction, LoadConflict, LoadTable, OutboxPlace, Planned, Rows

_FACTS = """
SELECT c.relname, a.attname, a.attgenerated <> '', a.attidentity = 'a',
    a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE n.nspname = %s AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f')
"""
# Those that a column owns, and those that its default names.
_SEQUENCES = """
SELECT DISTINCT c.relname::text, a.attname::text, s.oid::bigint, s.oid::pg_catalog.regclass::text
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') AND n.nspname = %s
UNION
SELECT DISTINCT c.relname::text, a.attname::text, s.oid::bigint, s.oid::pg_catalog.regclass::text
FROM pg_catalog.pg_attrdef f
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s
ORDER BY 1, 2, 3
"""
_COUNTED = frozenset({"smallint", "integer", "bigint", "numeric"})


class PostgresqlTarget(PostgresqlDatabase):
    """A database that a connection string of libpq names, and one schema of it, to be written into."""

    def __init__(self, dsn: str, schema: str) -> None:
        """Connects, and begins. Raises what :class:`PostgresqlDatabase` raises."""
        super().__init__(dsn, schema)
        try:
            with self._writing("the transaction"):
                self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE")
        except BaseException:
            self._connection.close()
            raise
        self._catalog: Catalog | None = None
        self._staged: dict[str, Staged] = {}
        self._planned: list[Planned] = []
        self._mode = LoadConflict.FAIL

    def catalog(self) -> Catalog:
        """Tables, those of :meth:`create` among them."""
        if self._catalog is None:
            self._catalog = super().catalog()
        return self._catalog

    def place(self) -> str:
        """Database, host and role: libpq keeps the password out of all three."""
        info = self._connection.info
        return f"PostgreSQL database {info.dbname} on {info.host or 'this computer'} as {info.user}"

    def create(self, tables: Sequence[LoadTable], references: Mapping[str, Sequence[ForeignKey]]) -> list[str]:
        """At once, and visible to nobody else before the end."""
        statements = create_tables(
            tables,
            references,
            StoreKind.POSTGRESQL,
            quoted,
            lambda name: f"{quoted(self._schema)}.{quoted(name)}",
        )
        with self._writing("the schema"):
            for statement in statements:
                self._run(statement)
            self._locked = self._lockable()  # its own tables are locked in any case
        self._catalog = None
        return list(made_otherwise(tables, StoreKind.POSTGRESQL))

    def compare(
        self, tables: Sequence[LoadTable], rows: Rows, mode: LoadConflict, events: Events | None
    ) -> list[Planned]:
        """Brings the rows to the server, and compares them there."""
        facts = self._facts()
        there = self.catalog().tables
        self._mode = mode
        self._staged = {
            table.table: Staged(table, there[table.table], facts[table.table], number, self._schema)
            for number, table in enumerate(tables)
        }
        for staged in self._staged.values():
            with self._writing(staged.table.name):
                self._stage(staged, rows, events)
                self._check_types(staged)
        self._planned = self._decide()
        return self._planned

    def _decide(self) -> list[Planned]:
        found = []
        for staged in self._staged.values():
            with self._writing(staged.table.name):
                self._run(staged.decide(self._staged))
                counts: Counter[LoadAction] = Counter()
                for what, number in self._run(staged.count_plan()).fetchall():
                    kind = LoadAction(what)
                    counts[self._mode.action if kind is LoadAction.CONFLICT else kind] += number
                if counts.total() != self._number(staged.count_rows()):
                    key = ", ".join(staged.table.key)
                    raise SourceError(f"{staged.table.name}: several rows of the database are alike in {key}")
                dangling = {
                    ", ".join(each.columns): number
                    for each in staged.known_references()
                    if (number := self._number(staged.count_dangling(each, self._staged)))
                }
            missing = staged.missing(list(staged.cells))
            if counts[LoadAction.INSERT] and missing:
                raise SourceError(
                    f"{staged.table.name}: the archive has no {', '.join(missing)}, which must have a value",
                    hint="give these columns a default, or let them be NULL",
                )
            found.append(Planned(counts, dangling))
        return found

    def _stage(self, staged: Staged, rows: Rows, events: Events | None) -> None:
        self._run(staged.create())
        table = staged.table
        convert = [postgresql_cell(staged.there.columns[column.name].base, table.source) for column in table.columns]
        width = len(convert)
        names = ", ".join(["n", "reduced", "event", "type", "payload", *(f"c{place}" for place in range(width))])
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {staged.stage} ({names}) FROM STDIN".encode()) as copy,
        ):
            for number, row in enumerate(rows(table)):
                cells = []
                for place, cell in enumerate(row.cells):
                    try:
                        cells.append(None if cell is None else convert[place](cell))
                    except ValueError as error:
                        raise _unfit(table, table.columns[place].name, str(error)) from None
                told: tuple[str | None, ...] = (None, None, None)
                if events is not None and not row.reduced:
                    event = events(table, row)
                    told = (event.key, event.type, event.payload)
                copy.write_row((number, row.reduced, *told, *cells))
        self._run(f"ANALYZE {staged.stage}")

    def _check_types(self, staged: Staged) -> None:
        """Every value as its column's type, before anything is written; the column is told where that fails."""
        errors = self._psycopg.errors
        try:
            with self._connection.transaction():
                self._run(staged.check())
        except (errors.DataError, errors.CheckViolation, errors.CannotCoerce, errors.NotNullViolation):
            for name in staged.cells:
                try:
                    with self._connection.transaction():
                        self._run(staged.check(name))
                except (errors.DataError, errors.CheckViolation, errors.CannotCoerce, errors.NotNullViolation):
                    raise _unfit(staged.table, name, f"no {staged.there.columns[name].type}") from None
            raise

    def write(self, outbox: OutboxPlace | None) -> int:
        """Decides anew, since others may have written meanwhile, writes, and compares."""
        overwrite = self._mode is LoadConflict.OVERWRITE
        if overwrite and any(planned.rows[LoadAction.OVERWRITE] for planned in self._planned):
            with self._writing("the tables"):
                names = ", ".join(staged.target for staged in self._staged.values())
                self._run(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
        with self._writing("the plan"):
            for staged in self._staged.values():
                self._run(staged.drop_plan())
        if self._decide() != self._planned:
            raise ConflictError("somebody wrote into the database since the plan; nothing was written")
        for group in self._groups():
            with self._writing(group[0].table.name):
                self._write_group(group, overwrite=overwrite)
        for staged in self._staged.values():
            with self._writing(staged.table.name):
                altered = self._number(staged.count_altered(overwrite=overwrite))
            if altered:
                raise SourceError(
                    f"{staged.table.name}: the database did not keep {counted(altered, 'row')} as they were written",
                    hint="a trigger changes them, or a column's type holds less; nothing was written",
                )
        told = self._append(outbox, overwrite=overwrite) if outbox is not None else 0
        self._move_sequences()
        return told

    def _groups(self) -> Iterator[list[Staged]]:
        parents = {
            name: [reference.table for reference in staged.there.references] for name, staged in self._staged.items()
        }
        for group in in_order(parents):
            yield [self._staged[name] for name in group]

    def _write_group(self, group: Sequence[Staged], *, overwrite: bool) -> None:
        parts = [
            part for staged in group for part in staged.writes(overwrite=overwrite, reduced=bool(staged.table.granted))
        ]
        named = ", ".join(f"w{number} AS ({part})" for number, part in enumerate(parts))
        self._run(f"WITH {named} SELECT 1")

    def _append(self, outbox: OutboxPlace, *, overwrite: bool) -> int:
        there = self.catalog().tables[outbox.table]
        place = f"{quoted(self._schema)}.{quoted(outbox.table)}"
        with self._writing(outbox.table):
            highest = f"SELECT max({quoted(outbox.id)}) FROM {place}" if outbox.id is not None else None
            before = self._one(highest) if highest is not None else None
            appended = 0
            for group in self._groups():
                for staged in group:
                    appended += self._run(staged.events(outbox, there, overwrite=overwrite)).rowcount
            if appended and highest is not None and outbox.position is not None:
                table, column = outbox.position
                done = self._one(f"SELECT max({quoted(column)}) FROM {quoted(self._schema)}.{quoted(table)}")
                if outbox.id is not None and done is not None:
                    lowest = f"SELECT min({quoted(outbox.id)}) FROM {place}"
                    first = self._one(
                        f"{lowest} WHERE {quoted(outbox.id)} > {before}" if before is not None else lowest
                    )
                    if first is None or first <= done:
                        raise SourceError(f"{outbox.table}: new events would stand before where a projector is already")
        return appended

    def _move_sequences(self) -> None:
        with self._writing("a sequence"):
            for table, column, number, sequence in self._connection.execute(
                _SEQUENCES.encode(), (self._schema, self._schema)
            ).fetchall():
                staged = self._staged.get(table)
                if staged is None or column not in staged.cells or staged.there.columns[column].base not in _COUNTED:
                    continue
                self._run(
                    f"SELECT pg_catalog.setval({number}::oid::pg_catalog.regclass, m.highest) "
                    f"FROM (SELECT max({quoted(column)})::bigint AS highest FROM {staged.target}) m, {sequence} q "
                    f"WHERE m.highest > q.last_value OR (m.highest = q.last_value AND NOT q.is_called)"
                )

    def commit(self) -> None:
        """Constraints that were deferred are looked at now."""
        with self._writing("the transaction"):
            self._run("COMMIT")

    def _facts(self) -> dict[str, dict[str, ColumnFacts]]:
        found: dict[str, dict[str, ColumnFacts]] = {}
        with self._writing("the catalog"):
            for table, column, *facts in self._connection.execute(_FACTS.encode(), (self._schema,)).fetchall():
                generated, always, has_default = map(bool, facts)
                found.setdefault(table, {})[column] = ColumnFacts(generated, always, has_default)
        return found

    def _run(self, statement: str) -> Any:
        return self._connection.execute(statement.encode())

    def _one(self, statement: str) -> Any:
        return self._run(statement).fetchone()[0]

    def _number(self, statement: str) -> int:
        return int(self._one(statement))

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """The server's refusals as errors of ours, which name tables, columns and constraints, and quote no value."""
        errors = self._psycopg.errors
        try:
            yield
        except ManabackupError:
            raise
        except errors.InsufficientPrivilege as error:
            told = one_line(error.diag.message_primary or "permission denied")
            hint = "a role is needed that may read and write these tables, past row-level security"
            raise SourceError(told, hint=hint) from None
        except errors.LockNotAvailable:
            raise SourceError(f"{printable(what)} is locked by somebody who changes it", hint="try later") from None
        except errors.ReadOnlySqlTransaction:
            raise SourceError("the database takes no writing: it is a standby, or set to be read only") from None
        except (errors.IntegrityError, errors.DataError) as error:
            names = [error.diag.table_name or what, error.diag.column_name, error.diag.constraint_name]
            told = ", ".join(printable(name) for name in names if name)
            raise SourceError(f"{told}: the database refuses rows ({_kind(error)}); nothing was written") from None
        except (self._psycopg.OperationalError, self._psycopg.InterfaceError) as error:
            raise ServerError(f"the connection to the database broke: {type(error).__name__}") from None
        except self._psycopg.Error as error:
            code = error.sqlstate or type(error).__name__
            raise SourceError(f"{printable(what)} cannot be written: the server says {code}") from None


def _kind(error: Any) -> str:
    """``unique violation`` of ``UniqueViolation``."""
    name = type(error).__name__
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _unfit(table: LoadTable, column: str, problem: str) -> SourceError:
    return SourceError(f"{table.name}, column {printable(column)}: a value that does not go in there: {problem}")
