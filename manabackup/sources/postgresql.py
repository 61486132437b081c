"""PostgreSQL, read in one snapshot by psycopg, which is imported when a database is opened.

Values come as the server's own text, as bytes, under settings that are fixed here: a driver that makes objects of them
refuses some (infinity, years before Christ) and rounds others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from ..errors import ServerError, SourceError, UsageError
from ..limits import DEFAULT_LIMITS, KIB
from ..text.jsontext import JSON
from ..text.printable import one_line
from .catalog import Catalog, CatalogTable, Column, ForeignKey
from .copied import copied_rows
from .copying import rows_as_they_come
from .patience import leave, patient
from .queries import RowQuery

if TYPE_CHECKING:
    import psycopg

_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "row_security": "off",
    "search_path": "",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_read_only": "on",
}
_LOCK_SECONDS = 10.0
_WHERE_NOTHING_IS_SAID = {
    "connect_timeout": "10",
    # A host that is gone is noticed within two minutes.
    "keepalives_idle": "60",
    "keepalives_interval": "15",
    "keepalives_count": "4",
    "tcp_user_timeout": "120000",
}
"""Options of libpq's that a connection string may say otherwise."""
_COPIED_AS_TEXT = frozenset(
    {
        *("text", "character varying", "smallint", "integer", "bigint", "real", "double precision", "numeric"),
        *("timestamp with time zone", "timestamp without time zone", "date", "uuid", "json", "jsonb", "bytea"),
    }
)
"""Types whose cast to text is what they are written as. Of ``inet``, ``character`` and some others it is not."""
_PLAIN = frozenset({"text", "character varying", "smallint", "integer", "bigint", "uuid"})
_MARKS = re.compile("%[%s]")
_NO_ENCODING = "SQL_ASCII"
_BLOCK_BYTES = 256 * KIB
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_TABLES = """
SELECT c.oid, c.relname, c.relkind IN ('r', 'p', 'f'), pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition
ORDER BY c.relname
"""
_SIZE = """
SELECT coalesce(sum(pg_catalog.pg_table_size(c.oid)), 0)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind = 'r'
"""
# A domain's own name stands in its type; what decides how values are written is the type beneath.
_COLUMNS = """
WITH RECURSIVE beneath (oid, base) AS (
    SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT b.oid, t.typbasetype FROM beneath b JOIN pg_catalog.pg_type t ON t.oid = b.base WHERE t.typtype = 'd'
)
SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
    pg_catalog.format_type(coalesce((
        SELECT b.base FROM beneath b JOIN pg_catalog.pg_type t ON t.oid = b.base
        WHERE b.oid = a.atttypid AND t.typtype <> 'd'
    ), a.atttypid), NULL),
    pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'),
    coalesce((SELECT NOT l.collisdeterministic FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation), false)
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""
_KEYS = """
SELECT i.indrelid, i.indisprimary, ARRAY(
    SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE k.place <= i.indnkeyatts ORDER BY k.place
)
FROM pg_catalog.pg_index i
WHERE i.indrelid = ANY(%s) AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid
"""
# Not from information_schema: that shows no constraints to a role that may only read.
_REFERENCES = """
SELECT c.conrelid, (SELECT CASE WHEN n.nspname = %s THEN r.relname::text ELSE n.nspname || '.' || r.relname END
        FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace WHERE r.oid = c.confrelid),
    ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place),
    ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place)
FROM pg_catalog.pg_constraint c
WHERE c.conrelid = ANY(%s) AND c.contype = 'f' AND c.conparentid = 0
ORDER BY c.conrelid, c.conname
"""


def is_citext(base: str) -> bool:
    """Whether a type is that of the extension of this name, in whatever schema: its capitals count for nothing."""
    return base.rpartition(".")[2] == "citext"


class PostgresqlDialect:
    """PostgreSQL's SQL, as psycopg takes it."""

    parameter = "%s"
    null_where_said = True

    def __init__(self, schema: str) -> None:
        self._schema = schema

    def quoted(self, name: str) -> str:
        """A name, in quotes; ``%`` would begin a parameter."""
        return '"' + name.replace('"', '""').replace("%", "%%") + '"'

    def table(self, name: str) -> str:
        """A table of the schema."""
        return f"{self.quoted(self._schema)}.{self.quoted(name)}"

    def value(self, expression: str, base: str = "") -> str:
        """The server's text, which ``COPY`` gives of most types without being asked."""
        return expression if base.removesuffix("[]") in _COPIED_AS_TEXT else f"{expression}::text"

    def is_plain(self, column: Column) -> bool:
        """Of numbers, ``citext``, collations that are not deterministic and the like it is not so."""
        return column.base in _PLAIN and not column.is_loose

    def as_text(self, expression: str) -> str:
        """The same."""
        return f"{expression}::text"

    def equals(self, base: str) -> str:
        """Of ``citext`` the operator of its own schema: where that is not looked into, texts would be compared."""
        schema = base.rpartition(".")[0].replace("%", "%%") if is_citext(base) else ""
        return f"OPERATOR({schema}.=)" if schema else "="

    def said(self, base: str) -> str:
        """A text that is not said to be ``citext`` would make texts of both."""
        return f"{self.parameter}::{base.replace('%', '%%')}" if is_citext(base) else self.parameter


class PostgresqlDatabase:
    """A database that a connection string of libpq names, and one schema of it."""

    def __init__(self, dsn: str, schema: str, *, patience: float = DEFAULT_LIMITS.database_seconds) -> None:
        """Connects, locks all tables against changes of their definitions, and takes the snapshot.

        In this order: rows that a change writes anew are not there for a snapshot that was taken before. ``patience``:
        seconds that the server may say nothing.

        Raises :class:`ServerError`, :class:`UsageError`, :class:`SourceError`.
        """
        self._schema = schema
        self._patience = patience
        self.dialect = PostgresqlDialect(schema)
        self._psycopg = _driver()
        self._connection = self._connect(dsn)
        try:
            with self._failing("a table"):
                for name, value in _SETTINGS.items():
                    self._connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
                seconds = min(_LOCK_SECONDS, patience / 2)
                self._connection.execute(f"SET lock_timeout = {seconds * 1000:.0f}")
                self._locked = self._lockable()
                self._before_snapshot()
                self._connection.execute(_BEGIN)
                if self._locked:
                    names = ", ".join(map(self.dialect.table, self._locked))
                    self._connection.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE", ())
                row = self._connection.execute(
                    "SELECT pg_catalog.now()::text, pg_catalog.current_setting('server_version'), "
                    "pg_catalog.current_setting('server_encoding')"
                ).fetchone()
                assert row is not None
                self._at, self._version, self._encoding = row
        except BaseException:
            self._connection.close()
            raise

    def _before_snapshot(self) -> None:
        """What is asked of the server before its state is held."""

    def _connect(self, dsn: str) -> psycopg.Connection[Any]:
        driver = self._psycopg
        try:
            known = driver.conninfo.conninfo_to_dict(dsn)
        except driver.Error:
            raise UsageError(
                "the connection string is none of libpq's", hint="such as postgresql://host/name"
            ) from None
        more = {name: value for name, value in _WHERE_NOTHING_IS_SAID.items() if not known.get(name)}
        more |= {"client_encoding": "utf8", "application_name": "manabackup"}
        try:
            connection: psycopg.Connection[Any] = patient(driver, self._patience).connect(
                dsn, autocommit=True, prepare_threshold=None, **more
            )
        except driver.Error as error:
            # libpq's words name host, port, role and database, and never the password.
            raise ServerError(f"the database cannot be reached: {one_line(str(error))}") from None
        return connection

    def catalog(self) -> Catalog:
        """Tables, and views apart. Raises :class:`SourceError` where there are other tables than were locked."""
        with self._failing("the catalog"):
            run = self._connection.execute
            found = run(_TABLES, (self._schema,)).fetchall()
            tables = {oid: name for oid, name, is_table, _ in found if is_table}
            if {name for _, name, is_table, readable in found if is_table and readable} != set(self._locked):
                raise SourceError("tables were made or dropped at this very moment", hint="try again")
            oids = list(tables)
            columns: dict[int, dict[str, Column]] = {oid: {} for oid in oids}
            for oid, name, type_name, nullable, base, readable, is_loose in run(_COLUMNS, (oids,)):
                columns[oid][name] = Column(name, type_name, nullable, base, readable, is_loose or is_citext(base))
            keys: dict[int, tuple[str, ...]] = {}
            unique: dict[int, set[frozenset[str]]] = {oid: set() for oid in oids}
            for oid, primary, names in run(_KEYS, (oids,)):
                unique[oid].add(frozenset(names))
                if primary:
                    keys[oid] = tuple(names)
            references: dict[int, list[ForeignKey]] = {oid: [] for oid in oids}
            for oid, table, own, key in run(_REFERENCES, (self._schema, oids)):
                references[oid].append(ForeignKey(tuple(own), table, tuple(key)))
        return Catalog(
            {
                name: CatalogTable(
                    name, columns[oid], keys.get(oid, ()), frozenset(unique[oid]), tuple(references[oid])
                )
                for oid, name in tables.items()
            },
            tuple(name for _, name, is_table, _ in found if not is_table),
        )

    def _lockable(self) -> list[str]:
        found = self._connection.execute(_TABLES, (self._schema,)).fetchall()
        return [name for _, name, is_table, readable in found if is_table and readable]

    def rows(self, question: RowQuery, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows of None and texts; of bytes where a text is not UTF-8."""
        for block in self.blocks(question, values):
            yield from map(tuple, self.cells(block))

    def blocks(self, question: RowQuery, values: Sequence[Any]) -> Iterator[bytes]:
        """The rows as ``COPY`` writes them, some hundred kilobytes at a time."""
        with self._failing("a table"), self._psycopg.ClientCursor(self._connection) as composer:
            text = composer.mogrify(f"COPY ({question.sql}) TO STDOUT", values).encode()
        with (
            self._failing("a table"),
            self._connection.cursor() as cursor,
            self._bytes_as_they_are(),
            cursor.copy(text),
            self._left_where_it_stands(),
        ):
            yield from map(b"".join, self._coming())

    def _coming(self) -> Iterator[list[Any]]:
        """The rows of the ``COPY`` that has begun, many at a time."""
        return rows_as_they_come(self._psycopg, self._connection, _BLOCK_BYTES)

    @staticmethod
    def cells(block: bytes) -> Iterator[list[Any]]:
        """The rows of a block."""
        return copied_rows(block)

    def size(self) -> int:
        """What the tables of the schema take on the server's disk."""
        with self._failing("the catalog"):
            row = self._connection.execute(_SIZE, (self._schema,)).fetchone()
        assert row is not None
        return int(row[0])

    def plan(self, question: RowQuery) -> list[str]:
        """``EXPLAIN`` of the plan that serves any values: one for certain values would quote them."""
        numbers = count(1)
        text = _MARKS.sub(lambda mark: f"${next(numbers)}" if mark[0] == "%s" else "%", question.sql)
        nulls = ", ".join(["NULL"] * len(question.identities))
        with self._failing("a table"):
            run = self._connection.execute
            run("SET LOCAL plan_cache_mode = force_generic_plan")
            run(f"PREPARE manabackup_plan AS {text}")
            rows = run(f"EXPLAIN EXECUTE manabackup_plan{f'({nulls})' if nulls else ''}").fetchall()
            run("DEALLOCATE manabackup_plan")
        return [str(line) for (line,) in rows]

    def snapshot(self) -> dict[str, JSON]:
        """When the snapshot was taken, from which server, and how."""
        return {
            "kind": "postgresql",
            "version": self._version,
            "encoding": self._encoding,
            "at": self._at.replace(" ", "T").replace("+00", "Z"),
            "isolation": "repeatable read, read only",
            "timeZone": "UTC",
        }

    def close(self) -> None:
        """End the snapshot."""
        self._connection.close()

    @contextmanager
    def _bytes_as_they_are(self) -> Iterator[None]:
        """A database without an encoding may hold what is no UTF-8, which the server would refuse to give as such."""
        if self._encoding != _NO_ENCODING:
            yield
            return
        self._connection.execute(f"SET client_encoding = '{_NO_ENCODING}'")
        yield
        self._connection.execute("SET client_encoding = 'UTF8'")

    @contextmanager
    def _left_where_it_stands(self) -> Iterator[None]:
        """Whoever does not read an answer to its end does not wait for the rest of it either."""
        try:
            yield
        except BaseException:
            leave(self._connection)
            raise

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """The server's refusals as errors of ours. Its words are quoted where they name a table and no value."""
        psycopg = self._psycopg
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            told = one_line(error.diag.message_primary or "permission denied")
            hint = "a role that may read all of it is needed; where row-level security hides rows, one with BYPASSRLS"
            raise SourceError(told, hint=hint) from None
        except psycopg.errors.InvalidTextRepresentation:
            raise UsageError("who was named is no id of this database's type") from None
        except psycopg.errors.LockNotAvailable:
            raise SourceError(f"{what} is locked by somebody who changes it", hint="try again later") from None
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            raise SourceError("tables were made or dropped at this very moment", hint="try again") from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise ServerError(f"the connection to the database broke: {type(error).__name__}") from None
        except psycopg.Error as error:
            code = error.sqlstate or type(error).__name__
            raise SourceError(f"{what} cannot be read: the server says {code}") from None


def _driver() -> Any:
    try:
        import psycopg
        import psycopg.errors
    except ImportError:
        hint = "install manabackup with the extra [postgres]: guide, Installed how"
        raise UsageError("PostgreSQL is read by psycopg, which is not installed", hint=hint) from None
    return psycopg
