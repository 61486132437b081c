"""The ledger: one SQLite file that knows of every item whether it is done, and what came of it.

It is the truth: what is not noted here as done is not done, whatever a worker or a scheduler believes. One fleet at a
time works with it, and holds a lock meanwhile (``LEDGER.lock``); whatever a run that died has left as running is then
nobody's any more. Anybody may read it at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from ...about import __version__
from ...errors import LockedError, NotFoundError, OutputError, UsageError
from ...host.output import writing_to
from ...text import jsontext
from ...text.printable import printable
from .items import UNREAD, Listed
from .ledger_file import complaints, kept, made, opened, told
from .outcome import BAD_PAGE, Outcome, State

if TYPE_CHECKING:
    from ..account.state import Lock

COLUMNS: Final = (
    "name", "state", "attempts", "exit_code", "error", "message", "rows", "data_sha256", "losses", "seconds", "cpu",
    "peak", "version", "output", "size", "done", "before_exit_code", "before_error", "before_rows",
    "before_data_sha256",
)  # fmt: skip
"""What is told of an item outside of this module."""

_LONGEST: Final = 3_600.0
"""Seconds; nobody puts an item off by more."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item that is to be done now."""

    id: int
    name: str
    folder: str
    size: int
    attempts: int
    """Times that it was begun, with this one."""
    blamed: int
    """Times that its process was lost."""
    output: str | None
    free: bool
    """The place of its output was free when it was begun first: what stands there is of an attempt that was cut off."""


class Ledger:
    """One ledger file, open. A context manager; what SQLite complains of comes out as errors of ours."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: Lock | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self.run = 0
        """The number of the run that writes."""

    @classmethod
    def to_write(cls, path: Path, *, wait: float = 0.0) -> Ledger:
        """For a fleet; made where it is not there.

        Raises :class:`LockedError` while another fleet works with it, :class:`UsageError` for a file that is none.
        """
        from ..account.state import Lock  # and the servers' clients, which whoever looks has no use for

        lock = Lock(path.with_name(f"{path.name}.lock"), wait=wait)
        try:
            with writing_to(path):
                lock.__enter__()
        except LockedError:
            message = f"another fleet works with {printable(str(path))}"
            raise LockedError(message, hint="--wait lets this one wait for it") from None
        try:
            with complaints(path):
                connection = made(path)
        except BaseException:
            lock.__exit__(None, None, None)
            raise
        return cls(path, connection, lock)

    @classmethod
    def to_read(cls, path: Path) -> Ledger:
        """For whoever looks. Raises :class:`NotFoundError`, and :class:`UsageError` for a file that is none."""
        if not path.exists():
            raise NotFoundError(f"{printable(str(path))} does not exist")
        with complaints(path):
            connection = opened(path)
        found = cls(path, connection, None)
        found.run = found._one("SELECT coalesce(max(id), 0) FROM runs")[0]
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with complaints(self.path):
                self._connection.close()
        except OutputError:
            if kind is None:
                raise
        finally:
            if self._lock is not None:
                self._lock.__exit__(None, None, None)

    # --- a run begins and ends

    def last_run(self) -> dict[str, Any] | None:
        """The last run as it is kept, and None before the first."""
        found = self._rows("SELECT * FROM runs ORDER BY id DESC LIMIT 1")
        return dict(found[0]) if found else None

    def begin(self, command: str, words: Sequence[str], *, engine: str, workers: int, now: float) -> int:
        """Notes a new run, takes back what is still running, and gives how many items that were.

        Raises :class:`UsageError` where the ledger is another command's.
        """
        last = self.last_run()
        if last is not None and last["command"] != command:
            whose = f"{printable(str(self.path))} is the ledger of `fleet {last['command']}`"
            raise UsageError(whose, hint="a ledger is one command's: give this one another name")
        with self._writing() as write:
            taken = write.execute(
                "UPDATE items SET state = 'waiting', worker = NULL, since = NULL WHERE state = 'running'"
            ).rowcount
            self.run = (
                write.execute(
                    """
                    INSERT INTO runs (began, command, words, engine, workers, version, taken_over)
                    VALUES (?,?,?,?,?,?,?)
                    """,
                    (now, command, jsontext.dumps(list(words)).decode(), engine, workers, __version__, taken),
                ).lastrowid
                or 0
            )
        return taken

    def take_stock(self, items: Iterable[Listed], *, again: bool = False, older_than: float | None = None) -> None:
        """Notes which items there are. Those that are new, have changed, or failed last time are to be done.

        ``again``: all are; ``older_than``: those too that were done before this time.
        """
        with self._writing() as write:
            write.executemany(
                """
                INSERT INTO items (name, folder, size, stamp, listed, first)
                VALUES (:name, :folder, :size, :stamp, :run, :run)
                ON CONFLICT (name) DO UPDATE SET
                    listed = :run, folder = :folder, size = :size, stamp = :stamp,
                    state = CASE WHEN stamp != :stamp OR stamp = :unread OR :again OR state = 'failed' OR done < :older
                        THEN 'waiting' ELSE state END
                """,
                (
                    {
                        "name": kept(item.name),
                        "folder": kept(item.folder),
                        "size": item.size,
                        "stamp": item.stamp,
                        "unread": UNREAD,
                        "run": self.run,
                        "again": again,
                        "older": older_than,
                    }
                    for item in items
                ),
            )
            # What was begun and not done keeps what is known of its output's place.
            write.execute(
                """
                UPDATE items SET attempts = 0, blamed = 0, not_before = 0, free = free AND done IS NULL
                WHERE state = 'waiting' AND listed = ?
                """,
                (self.run,),
            )

    def end(self, ending: str, *, now: float) -> None:
        """Notes how the run ended: ``done``, ``interrupted`` or ``error``. What is running is given back."""
        with self._writing() as write:
            write.execute("UPDATE items SET state = 'waiting', worker = NULL, since = NULL WHERE state = 'running'")
            write.execute("UPDATE runs SET ended = ?, ending = ? WHERE id = ?", (now, ending, self.run))

    # --- items

    def listed(self) -> Iterator[tuple[int, str, str]]:
        """(id, name, folder) of the items of this run, done or not."""
        for row in self._connection.execute("SELECT id, name, folder FROM items WHERE listed = ?", (self.run,)):
            yield row["id"], told(row["name"]), told(row["folder"])

    def claim(self, most: int, *, now: float, worker: str, blamed: bool = False) -> list[Claimed]:
        """Takes at most so many items that are to be done, the largest first; ``blamed`` ones, or all but these.

        What is put off by longer than anything is has been due for long: the computer's clock was ahead, and went back.
        """
        which = "blamed > 0" if blamed else "blamed = 0"  # as the index has them, by size
        with self._writing() as write:
            found = write.execute(
                f"""
                UPDATE items SET state = 'running', attempts = attempts + 1, worker = :worker, since = :now
                WHERE id IN (
                    SELECT id FROM items
                    WHERE state = 'waiting' AND {which} AND listed = :run
                        AND (not_before <= :now OR not_before > :now + :longest)
                    ORDER BY size DESC LIMIT :most
                )
                RETURNING id, name, folder, size, attempts, blamed, output, free
                """,  # noqa: S608 # a condition of ours
                {"worker": worker, "now": now, "run": self.run, "most": most, "longest": _LONGEST},
            ).fetchall()
        claimed = [
            Claimed(
                row["id"],
                told(row["name"]),
                told(row["folder"]),
                row["size"],
                row["attempts"],
                row["blamed"],
                None if row["output"] is None else told(row["output"]),
                bool(row["free"]),
            )
            for row in found
        ]
        return sorted(claimed, key=lambda item: -item.size)

    def places(self, places: Iterable[tuple[int, str, bool]]) -> None:
        """Notes (item, place of its output, whether that is free)."""
        with self._writing() as write:
            write.executemany(
                "UPDATE items SET output = ?, free = ? WHERE id = ?",
                ((kept(place), free, item) for item, place, free in places),
            )

    def note(self, outcomes: Mapping[int, Outcome], *, now: float) -> None:
        """What came of items. It counts as a change where it is another than before."""
        self._note(((item, outcome, outcome.state) for item, outcome in outcomes.items()), now)

    def note_bad(self, item: int, message: str, *, now: float) -> None:
        """An item ended its process when it was tried alone, too."""
        self._note([(item, Outcome(1, BAD_PAGE, message, version=__version__), State.BAD)], now)

    def put_off(self, item: int, outcome: Outcome, until: float) -> None:
        """An item is to be tried again at a time. What came of it this time is kept until then."""
        with self._writing() as write:
            write.execute(
                """
                UPDATE items SET state = 'waiting', worker = NULL, since = NULL, not_before = ?, message = ?
                WHERE id = ?
                """,
                (until, outcome.message, item),
            )

    def blame(self, item: int) -> None:
        """The process that did an item was lost: it is to be tried alone."""
        self._give_back(item, blamed=1)

    def give_back(self, item: int) -> None:
        """An item was not begun after all."""
        self._give_back(item, blamed=0)

    def next_due(self) -> float | None:
        """When the first of those is due that wait; None where none does."""
        found = self._one("SELECT min(not_before) FROM items WHERE state = 'waiting' AND listed = ?", self.run)[0]
        return None if found is None else float(found)

    # --- what there is to tell

    def counts(self) -> list[dict[str, Any]]:
        """Of the last run's items, by state and exit code: how many, and their rows and seconds."""
        return [
            dict(row)
            for row in self._rows(
                """
                SELECT state, exit_code, error, count(*) AS items, sum(rows) AS rows, sum(seconds) AS seconds,
                    sum(cpu) AS cpu, sum(run = :run) AS tried, sum(changed = :run) AS changed, sum(first = :run) AS new,
                    sum(attempts > 1 AND run = :run) AS again
                FROM items WHERE listed = :run GROUP BY state, exit_code, error
                """,
                {"run": self.run},
            )
        ]

    def changed(self) -> int:
        """How many items have another outcome since the last run, that had one before."""
        query = "SELECT count(*) FROM items WHERE changed = :run AND listed = :run AND first < :run"
        return int(self._rows(query, {"run": self.run})[0][0])

    def gone(self) -> int:
        """How many items there were once, and not in the last run."""
        return int(self._one("SELECT count(*) FROM items WHERE listed < ?", self.run)[0])

    def gone_now(self) -> int:
        """How many of these the run before the last one had."""
        return int(self._one("SELECT count(*) FROM items WHERE listed = ? - 1", self.run)[0])

    def gone_items(self, *, most: int = -1) -> Iterator[dict[str, Any]]:
        """Those that the run before the last one had, by name."""
        yield from self._items("listed = :run - 1", "name", most)

    def items(self, *, changed: bool = False, failing: bool = False, most: int = -1) -> Iterator[dict[str, Any]]:
        """Items of the last run, what has changed in it first, then what is worse than done, then by name."""
        where = "listed = :run"
        where += " AND changed = :run" if changed else ""
        where += " AND (state != 'done' OR exit_code != 0)" if failing else ""
        order = "changed = :run AND first < :run DESC, coalesce(exit_code, -1) DESC, name"
        yield from self._items(where, order, most)

    def losses(self) -> dict[str, int]:
        """Kind → how many, of all items of the last run."""
        found: dict[str, int] = {}
        for (text,) in self._rows(
            "SELECT losses FROM items WHERE listed = ? AND losses IS NOT NULL AND losses != '{}'", (self.run,)
        ):
            for kind, count in jsontext.parse(text).items():
                found[kind] = found.get(kind, 0) + count
        return found

    # ---

    def _note(self, outcomes: Iterable[tuple[int, Outcome, State]], now: float) -> None:
        with self._writing() as write:
            write.executemany(
                """
                UPDATE items SET
                    changed = CASE WHEN done IS NULL OR exit_code IS NOT :code OR error IS NOT :error
                        OR rows IS NOT :rows OR data_sha256 IS NOT :sum THEN :run ELSE changed END,
                    before_exit_code = exit_code, before_error = error, before_rows = rows,
                    before_data_sha256 = data_sha256,
                    state = :state, worker = NULL, since = NULL, exit_code = :code, error = :error, message = :message,
                    rows = :rows, data_sha256 = :sum, losses = :losses, seconds = :seconds, cpu = :cpu, peak = :peak,
                    version = :version, done = :now, run = :run
                WHERE id = :item
                """,
                (
                    {
                        "item": item,
                        "state": state.value,
                        "code": outcome.exit_code,
                        "error": outcome.error,
                        "message": outcome.message,
                        "rows": outcome.rows,
                        "sum": outcome.data_sha256,
                        "losses": jsontext.dumps(dict(outcome.losses)).decode(),
                        "seconds": outcome.seconds,
                        "cpu": outcome.cpu,
                        "peak": outcome.peak,
                        "version": outcome.version,
                        "now": now,
                        "run": self.run,
                    }
                    for item, outcome, state in outcomes
                ),
            )

    def _give_back(self, item: int, *, blamed: int) -> None:
        with self._writing() as write:
            write.execute(
                """
                UPDATE items SET state = 'waiting', worker = NULL, since = NULL, blamed = blamed + :blamed,
                    attempts = attempts - 1 + :blamed WHERE id = :item AND state = 'running'
                """,
                {"item": item, "blamed": blamed},
            )

    def _items(self, where: str, order: str, most: int) -> Iterator[dict[str, Any]]:
        for row in self._connection.execute(
            f"""
            SELECT {", ".join(COLUMNS)}, first = :run AS new, changed = :run AND run = :run AS has_changed FROM items
            WHERE {where} ORDER BY {order} LIMIT :most
            """,  # noqa: S608 # columns and conditions of ours
            {"run": self.run, "most": most},
        ):
            item = dict(row)
            item["name"] = told(item["name"])
            item["output"] = None if item["output"] is None else told(item["output"])
            item["losses"] = {} if item["losses"] is None else jsontext.parse(item["losses"])
            yield item

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with complaints(self.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    def _rows(self, query: str, parameters: Any = ()) -> Sequence[sqlite3.Row]:
        with complaints(self.path):
            return self._connection.execute(query, parameters).fetchall()

    def _one(self, query: str, *parameters: Any) -> sqlite3.Row:
        return self._rows(query, parameters)[0]
