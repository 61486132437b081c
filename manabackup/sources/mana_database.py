"""Mana's own two databases: the table of changes, and the schema ``auth`` of the account service.

Row-level security would hide rows from a role that it applies to, without a word. It is off here, so that the server
refuses such a role instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Final, LiteralString

from ..errors import NotFoundError, SourceError
from ..text.timestamps import SECOND
from .mana_accounts import MEMBERS, SPACES, TABLES, USERS, VAULTS, WRAPPED, ManaAccount, Values, accounts_of
from .mana_change import COLUMNS, FIELD_TIMES_OF_OLD, PASSING
from .postgresql import PostgresqlDatabase

_ACCOUNTS: Final = "mana_platform"
"""The account service's database, as Mana calls it."""
_FIELD_META: Final = "field_meta"
OVERLAP: Final = 120 * SECOND
"""So long a writing transaction may take where nobody tells which ones are on their way, as over HTTP."""
_MARGIN: Final = 5 * SECOND
"""A transaction has its time a moment before the server tells of it."""
_IN_TRANSACTION: Final = {
    "row_security": "off",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "search_path": "",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "synchronize_seqscans": "off",  # blocks in their order: a place decides between two changes of one instant
}

# A change's time is that of its transaction's begin, and it shows when that ends: all that is older than the oldest
# transaction under way is here. On a standby the transactions are elsewhere.
_NOW = "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint::text"
_UNDER_WAY = """
SELECT (extract(epoch FROM min(xact_start)) * 1000000)::bigint::text FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
    AND backend_type IS DISTINCT FROM 'autovacuum worker'
"""
_IN_VIEW = """
SELECT (r.rolsuper OR pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'))
    AND NOT pg_catalog.pg_is_in_recovery()
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""
_PREPARED = """
SELECT (extract(epoch FROM min(prepared)) * 1000000)::bigint::text FROM pg_catalog.pg_prepared_xacts
WHERE database = pg_catalog.current_database()
"""
_IDENTITY = """
SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),
    (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""
_WHOLE = "SELECT pg_catalog.has_table_privilege('public.sync_changes', 'SELECT')"
_COLUMNS = """
SELECT a.attname::text, pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT')
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far everything is there that will ever be."""

    until: int
    """Changes before this instant are all to be seen; microseconds since 1970."""
    exact: bool
    """The server told which transactions were under way; else it is the overlap before its clock."""


class ManaDatabase(PostgresqlDatabase):
    """What both have in common. Raises as :class:`~manabackup.sources.postgresql.PostgresqlDatabase` does."""

    def __init__(self, dsn: str, schema: str) -> None:
        super().__init__(dsn, schema)
        self._dsn = dsn
        try:
            with self._failing("the database"):
                # Once more within the transaction: a pooler may have given the session's settings to somebody else.
                for name, value in _IN_TRANSACTION.items():
                    self._connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
        except BaseException:
            self.close()
            raise

    def columns(self, schema: str, table: str, wanted: Sequence[str]) -> frozenset[str]:
        """Those that a table has. Raises :class:`SourceError` where one is missing, or may not be read, by its name."""
        with self._failing(f"{schema}.{table}"):
            found = dict(self._connection.execute(_COLUMNS, (schema, table)).fetchall())
        if not found:
            raise SourceError(f"the database has no table {schema}.{table}: is it the other one of Mana's two?")
        missing = [name for name in wanted if name not in found]
        if missing:
            raise SourceError(f"{schema}.{table} has no column {', '.join(missing)}: it is of another version of Mana")
        closed = [name for name in wanted if not found[name]]
        if closed:
            raise SourceError(
                f"the role may not read {schema}.{table} ({', '.join(closed)})",
                hint=f"GRANT SELECT ({', '.join(closed)}) ON {schema}.{table} TO …",
            )
        return frozenset(found)

    def has(self, schema: str, table: str) -> bool:
        """Whether there is such a table."""
        with self._failing("the catalog"):
            return bool(self._connection.execute(_COLUMNS, (schema, table)).fetchall())

    def beside(self, name: str) -> str:
        """The connection string of another database of the same server."""
        made: str = self._psycopg.conninfo.make_conninfo(self._dsn, dbname=name)
        return made

    @property
    def at(self) -> str:
        """When the snapshot was taken, RFC 3339."""
        return str(self.snapshot()["at"])

    def _copied(self, query: str, width: int, values: Sequence[object] = ()) -> Iterator[tuple[bytes | None, ...]]:
        """The rows of a query whose columns are all text, as bytes, in the snapshot."""
        with self._failing("a table"), self._connection.cursor() as cursor:
            statement = f"COPY ({query}) TO STDOUT (FORMAT BINARY)"
            with cursor.copy(statement.encode(), values or None) as copy:
                copy.set_types(["bytea"] * width)  # text in its binary form is its bytes
                yield from copy.rows()


class AccountDatabase(ManaDatabase):
    """The schema ``auth``: users, spaces, memberships, vaults."""

    def __init__(self, dsn: str, *, with_wrapped_keys: bool = False) -> None:
        """``with_wrapped_keys``: also those that a KEK opens. Raises :class:`SourceError` for what is missing."""
        super().__init__(dsn, "auth")
        self._vault_columns = (*VAULTS, *WRAPPED) if with_wrapped_keys else VAULTS
        try:
            for table, wanted in TABLES.items():
                self.columns("auth", table, wanted if wanted is not VAULTS else self._vault_columns)
        except BaseException:
            self.close()
            raise

    def account(self, who: str) -> ManaAccount:
        """The account of a user, by id or e-mail. Raises :class:`NotFoundError`, :class:`SourceError`."""
        users = self._rows("users", USERS, "id = %s OR lower(email) = lower(%s)", (who, who))
        exact = [row for row in users if row["id"] == who.encode()]
        if not users:
            raise NotFoundError("no user of that id or e-mail address is in the database")
        if len(exact or users) > 1:
            raise SourceError("several users have that e-mail address", hint="name one by id")
        user = (exact or users)[0]
        key = (user["id"] or b"").decode()
        members = self._rows("members", MEMBERS, "user_id = %s", (key,))
        spaces = self._rows(
            "organizations", SPACES, "id IN (SELECT organization_id FROM auth.members WHERE user_id = %s)", (key,)
        )
        vaults = self._rows("encryption_vaults", self._vault_columns, "user_id = %s", (key,))
        return accounts_of([user], spaces, members, vaults)[0]

    def accounts(self) -> list[ManaAccount]:
        """All accounts, by id."""
        return accounts_of(
            self._rows("users", USERS),
            self._rows("organizations", SPACES),
            self._rows("members", MEMBERS),
            self._rows("encryption_vaults", self._vault_columns),
        )

    def _rows(
        self, table: str, columns: Sequence[str], where: LiteralString = "true", values: Sequence[object] = ()
    ) -> list[Values]:
        listed = ", ".join(f"{self.dialect.quoted(name)}::text" for name in columns)
        query = f"SELECT {listed} FROM {self.dialect.table(table)} WHERE {where}"  # noqa: S608 - constants
        return [dict(zip(columns, row, strict=True)) for row in self._copied(query, len(columns), values)]


class ChangeDatabase(ManaDatabase):
    """The table of changes."""

    def __init__(self, dsn: str) -> None:
        """Raises :class:`SourceError` for a table that is not as it should be."""
        super().__init__(dsn, "public")
        try:
            others = [name for name in COLUMNS if name != _FIELD_META]
            there = self.columns("public", "sync_changes", others)
            times = _FIELD_META if _FIELD_META in there else FIELD_TIMES_OF_OLD
            self.columns("public", "sync_changes", [times if times in there else _FIELD_META])
            self._require_places()
            self._times = times
        except BaseException:
            self.close()
            raise

    def _require_places(self) -> None:
        """A row's place in the table is told to those who may read the whole of it."""
        with self._failing("public.sync_changes"):
            row = self._connection.execute(_WHOLE).fetchone()
        if row is None or not row[0]:
            hint = "GRANT SELECT ON public.sync_changes TO …; grants on columns do not do here"
            raise SourceError("the role may not read public.sync_changes as a whole", hint=hint)

    def _before_snapshot(self) -> None:
        self.watermark = self._watermark()

    def identity(self) -> str:
        """Names this database among all, whichever way it is reached."""
        with self._failing("the database"):
            row = self._connection.execute(_IDENTITY).fetchone()
        assert row is not None
        return f"mana-database:{row[0]}:{row[1]}"

    def of_user(self, user: str, spaces: Collection[str], since: int | None) -> Iterator[list[bytes]]:
        """A user's changes and those of others in some spaces, since an instant; many at a time.

        Each is its place in the table, a tab, and the row as :meth:`ChangeRow.of_copied` takes it. Two questions: one
        has an index, and the other reads the table once.
        """
        later, values = "true", list[object]()
        if since is not None:
            later, values = "created_at >= pg_catalog.to_timestamp(0) + %s * interval '1 microsecond'", [since]
        own = self._changes("ctid, ", f"WHERE user_id = %s AND {later}", (user, *values))
        if not spaces:
            return own
        where = f"WHERE space_id = ANY(%s) AND user_id <> %s AND {later}"
        return chain(own, self._changes("ctid, ", where, (sorted(spaces), user, *values)))

    def all(self) -> Iterator[list[bytes]]:
        """Every change, in the order of the table, as :meth:`ChangeRow.of_copied` takes it; many at a time."""
        return self._changes("", "", None)

    def _changes(self, before: str, where: str, values: Sequence[object] | None) -> Iterator[list[bytes]]:
        listed = ", ".join(self.dialect.quoted(self._there(name)) for name in PASSING)
        query = f"COPY (SELECT {before}{listed} FROM public.sync_changes {where}) TO STDOUT"  # noqa: S608 - constants
        with (
            self._failing("public.sync_changes"),
            self._connection.cursor() as cursor,
            cursor.copy(query.encode(), values),
        ):
            for lines in self._coming():
                yield list(map(bytes, lines))

    def _there(self, column: str) -> str:
        return self._times if column == _FIELD_META else column

    def _watermark(self) -> Watermark:
        run = self._connection.execute
        now = _number(run(_NOW).fetchone())
        assert now is not None
        in_view = run(_IN_VIEW).fetchone()
        if in_view is None or not in_view[0]:
            return Watermark(now - OVERLAP, exact=False)
        oldest = _number(run(_UNDER_WAY).fetchone())
        prepared = _number(run(_PREPARED).fetchone())
        times = [now - _MARGIN, *(() if oldest is None else (oldest - _MARGIN,))]
        if prepared is not None:  # nobody knows when it began
            times.append(prepared - OVERLAP)
        return Watermark(min(times), exact=prepared is None)


def _number(row: tuple[str | None] | None) -> int | None:
    return None if row is None or row[0] is None else int(row[0])


@contextmanager
def opened(sync_dsn: str, auth_dsn: str | None, *, kek: bool) -> Iterator[tuple[AccountDatabase, ChangeDatabase]]:
    """Both databases, the account service's first: a membership is never newer than the changes that it shows.

    Without ``auth_dsn`` it is the one that has the changes, where that has both, else the same server's
    ``mana_platform``. With a ``kek`` the keys that it opens are read.
    """
    with (
        closing(AccountDatabase(auth_dsn or _beside(sync_dsn), with_wrapped_keys=kek)) as accounts,
        closing(ChangeDatabase(sync_dsn)) as changes,
    ):
        yield accounts, changes


def _beside(dsn: str) -> str:
    with closing(ManaDatabase(dsn, "auth")) as database:
        return dsn if database.has("auth", "users") else database.beside(_ACCOUNTS)
