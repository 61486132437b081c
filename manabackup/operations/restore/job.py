"""One task that writes into an account: planned, carried out, verified, each step able to go on where it stopped.

What is to be written differs from task to task (:meth:`Job.plan` is theirs); how it reaches the account does not. An
account has one outbox: a task that is not finished stands in the way of every other.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self
from uuid import uuid4

from ...errors import ConflictError, ServerError, UnfinishedError
from ...host.interrupts import uninterrupted
from ...host.output import writing_to
from ...host.spooling import spool_files
from ...mirror import Mirror
from ...model import registry
from ...model.registry import Registry, Table
from ...remote.sync import PushClient, SyncClient
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import counted, one_line, printable
from ...text.timestamps import SECOND, app_time, parse_timestamp
from .. import pull as pulling
from ..progress import Step, Tell, Watch, pull_teller, teller
from ..pull.reading import TellSteps as PullProgress
from .check import EditOutcome, Verification, verify
from .decision import Reason, RowAction, TargetRow, skipped
from .edits import Edits
from .lookout import Lookout
from .outbox import Item, Outbox, Stage, State
from .plan import MOST_CASES, RestorePlan
from .push import CLOCK, Push, PushLine
from .result import RestoreResult
from .target import RestoreTarget
from .target_account import TargetAccount
from .writing import Work, item_of

_MOST_AHEAD = 86_400
"""Seconds between two clocks that are both right, somehow."""
_END = parse_timestamp("9999-12-31T23:59:59.999Z")
_KNOWS = 1
"""The outbox has of each item which events of its row the plan saw."""
_NAMED = 5
_OUTBOX, _PLANNED, _VERIFIED = "outbox.sqlite", "target.sqlite", "verified.sqlite"


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRow:
    """What is to become of one row."""

    archive_id: str
    work: Work
    target: TargetRow | None = None
    """What the account holds of it."""
    record: str = ""
    """Its id in the account; empty for the one that it had in the plan before."""
    space: str | None = None
    """What a report calls its space."""

    def left(self) -> PlannedRow:
        """The same, left as it is in the account."""
        return replace(self, work=Work(skipped(Reason.EDITED_MEANWHILE)))


class Job:
    """One task for an account, with a ``folder`` of its own. Use as a context manager.

    What was only planned is forgotten at the end; what was begun to be sent stays until it is done.

    Everything raises :class:`OutputError`, :class:`LockedError`.
    """

    def __init__(self, account: TargetAccount, folder: Path) -> None:
        self._account = account
        self._folder = folder
        self._registry: Registry = registry.load()
        with writing_to(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_file = spool_files(folder / _OUTBOX)
        self._outbox = Outbox(folder / _OUTBOX)
        self._overwritten: list[JSON] = []
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._closed:
            return
        if self._outbox.stage in (None, Stage.PLANNING):
            self.forget()
        else:
            self._outbox.close()

    # --- what a task says of itself

    def _command(self) -> str:
        """What tells whether a command is the same: the account, and all that was asked for."""
        raise NotImplementedError

    def _called(self) -> str:
        """What the task is called where another one is told of it."""
        raise NotImplementedError

    def _prepare(self, progress: Watch | None) -> None:
        """What there is to be done after the question, and before the first change is sent.

        Ends it early, it is done again: the next run plans anew, and asks again.
        """

    # --- what was begun before

    def resumed(self) -> RestorePlan | None:
        """The plan of the same command that did not come to its end; None when there is none.

        Raises :class:`UnfinishedError` when it was another command.
        """
        if self._outbox.stage in (None, Stage.PLANNING):
            return None
        if self._outbox.recall("knows") != _KNOWS:
            raise UnfinishedError(
                "an earlier version of this tool began to write into this account, and did not keep what the plan saw",
                hint="--no-resume, which finishes the rows that are half written and plans anew",
            )
        if self._outbox.recall("command") != self._command():
            raise UnfinishedError(f"{printable(str(self._outbox.recall('called')))} is not finished")
        plan = RestorePlan.of_json(self._outbox.recall("report"))
        plan.resumed = True
        return plan

    @property
    def overwritten(self) -> Sequence[JSON]:
        """Table and id of rows of which an edit was overwritten by what was given up."""
        return self._overwritten

    def abandon(self) -> None:
        """Gives up what another command had still to send. What may be half done is finished first.

        What it had sent is verified, so that edits that it wrote over are told of by the next one.

        Raises :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`.
        """
        if self._outbox.stage is Stage.PUSHING:
            self._push().finish_begun()
        if self._outbox.stage in (Stage.PUSHING, Stage.VERIFYING) and self._outbox.recall("knows") == _KNOWS:
            before = self._outbox.recall("overwritten") or []
            found = (
                self.verify().edits.get(EditOutcome.OVERWRITTEN, [])
                if self._outbox.tables(State.DONE, State.FAILED)
                else []
            )
            self._overwritten = [*before, *found]
        self._begin_anew()

    # --- the steps after the plan

    def push(self, progress: Watch | None = None) -> None:
        """Sends what was planned, or what is left of it.

        What others did to the rows since the plan is looked at just before they are sent, and planned for.

        Raises :class:`ConflictError` when rows are in the way that were to stop it, :class:`ServerError`,
        :class:`SignInError`, :class:`SubscriptionError`; the same command goes on from there.
        """
        conflicts = RestorePlan.of_json(self._outbox.recall("report")).count(RowAction.CONFLICT)
        if conflicts:
            raise ConflictError(f"{conflicts:,} rows differ from those of the target; nothing was sent")
        if self._outbox.stage is Stage.VERIFYING:
            return
        if self._outbox.stage is Stage.PLANNING:
            self._prepare(progress)
        self._outbox.reach(Stage.PUSHING)
        self._push(teller(progress, Step.PUSH)).run()
        self._outbox.reach(Stage.VERIFYING)
        self._remove(_PLANNED)

    def verify(self, progress: Watch | None = None) -> Verification:
        """Reads the account once more, as a device that it has never seen, and compares.

        Raises :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`.
        """
        self._remove(_VERIFIED)
        with self._mirror(_VERIFIED) as mirror:
            pulled = self._pull(mirror, self._outbox.tables(), pull_teller(progress, Step.READ_AGAIN))
            with mirror.snapshot() as snapshot:
                target = RestoreTarget(snapshot, self._registry, self._make_file)
                now = _milliseconds(pulled.started_at)
                return verify(self._outbox, target, now, self._account.cipher)

    def planned(self, plan: RestorePlan, *, dry_run: bool = False) -> RestoreResult:
        """The end of a task of which nothing was sent."""
        return RestoreResult(plan, self._account, dry_run=dry_run)

    def result(self, verification: Verification | None) -> RestoreResult:
        """What the outbox says of the end; ``verification`` is None when nothing was sent."""
        counts = self._outbox.counts()
        done = {kind: count for (kind, state), count in counts.items() if state is State.DONE}
        inserted = done.pop(RowAction.INSERT.value, 0)
        return RestoreResult(
            RestorePlan.of_json(self._outbox.recall("report")),
            self._account,
            inserted=inserted,
            updated=sum(done.values()),
            repaired=done.get(RowAction.REPAIR.value, 0),
            failed=sum(count for (_, state), count in counts.items() if state is State.FAILED),
            failures=self._outbox.failures(MOST_CASES),
            verification=verification,
            overwritten_before=self._outbox.recall("overwritten") or (),
        )

    def forget(self) -> None:
        """The task is done: nothing of it is kept."""
        self._closed = True
        self._outbox.close()
        with writing_to(self._folder):
            shutil.rmtree(self._folder)

    # --- for plans

    @contextmanager
    def _planning(self, tables: Sequence[str], progress: Watch | None) -> Iterator[tuple[RestoreTarget, str]]:
        """What the account holds in the apps of some tables, and the time of the plan by the server's clock.

        The outbox is empty then. What was put into it within the block counts when the block ends.
        """
        self._begin_anew()
        self._outbox.reach(Stage.PLANNING)
        with self._mirror(_PLANNED) as mirror:
            pulled = self._pull(mirror, tables, pull_teller(progress, Step.READ_TARGET))
            _check_clock(pulled.started_at)
            with mirror.snapshot() as snapshot:
                yield RestoreTarget(snapshot, self._registry, self._make_file), _milliseconds(pulled.started_at)
        self._outbox.remember(CLOCK, pulled.started_at)
        self._outbox.remember("knows", _KNOWS)
        self._outbox.remember("overwritten", self._overwritten)

    def _remember(self, report: RestorePlan) -> None:
        """Keeps the plan, and whose it is."""
        for key, value in (
            ("report", report.to_json()),
            ("command", self._command()),
            ("called", self._called()),
        ):
            self._outbox.remember(key, value)

    # --- planning anew

    def _again(
        self, table: Table, stale: Mapping[str, Item], target: RestoreTarget, now: str
    ) -> Iterator[tuple[Item, PlannedRow]]:
        """What is to become of rows of a table that others touched (by their ids here), as far as it is known now."""
        raise NotImplementedError

    def _plan_rows_anew(self, report: RestorePlan, rows: Mapping[str, Sequence[str]]) -> None:
        """Plans rows once more of which nothing was sent (table → ids here), and keeps a report of before."""
        self._outbox.remember("report", report.to_json())
        for table, records in rows.items():
            self._outbox.overtake(self._outbox.unsent(table, records))
        if self._outbox.has_stale:
            self._plan_anew(last=False)

    @property
    def _stops_at_conflicts(self) -> bool:
        """Whether nothing more is to be sent once a row is in the way."""
        return False

    def _plan_anew(self, last: bool) -> None:
        """Plans the stale items of the outbox once more, from what the account holds now; not any more at the last.

        What undoes an edit that came since the plan is not done: nobody has seen it and said yes. Raises
        :class:`ConflictError`, with nothing changed.
        """
        report = RestorePlan.of_json(self._outbox.recall("report"))
        stale = {item.id: item for item in self._outbox.stale()}
        found = {} if last else self._planned_again(stale.values())
        conflicts = [stale[number] for number, one in found.items() if one.work.decision.kind is RowAction.CONFLICT]
        if conflicts:
            named = ", ".join(f"{item.table} {one_line(item.record)}" for item in conflicts[:_NAMED])
            raise ConflictError(
                f"{counted(len(conflicts), 'row')} came into the way after the plan ({named}); nothing more was sent",
                hint="--no-resume plans anew",
            )
        renewed: list[Item] = []
        for number, item in stale.items():
            one = found.get(number) or PlannedRow(item.record, Work(skipped(Reason.EDITED_MEANWHILE)))
            report.move(item.table, one.archive_id, item, one.work, space=one.space)
            if one.work.changes:
                renewed.append(item_of(item.app, item.table, one.record or item.record, one.work, number=number))
        kept = {item.id for item in renewed}
        self._outbox.plan_anew(renewed, [item for item in stale.values() if item.id not in kept], report.to_json())

    def _planned_again(self, items: Iterable[Item]) -> dict[int, PlannedRow]:
        """Item → what is to become of it."""
        by_table: dict[str, dict[str, Item]] = {}
        for item in items:
            by_table.setdefault(item.table, {})[item.record] = item
        found: dict[int, PlannedRow] = {}
        with self._mirror(_PLANNED) as mirror:
            pulled = self._pull(mirror, list(by_table), None)
            now = _milliseconds(pulled.started_at)
            with mirror.snapshot() as snapshot:
                target = RestoreTarget(snapshot, self._registry, self._make_file)
                for name, stale in by_table.items():
                    table = self._registry.by_name[name]
                    for item, one in self._again(table, stale, target, now):
                        found[item.id] = one if not self._undoes(table, item, one, now) else one.left()
        return found

    def _undoes(self, table: Table, item: Item, planned: PlannedRow, now: str) -> bool:
        """Whether what is planned now undoes an edit that came since ``item`` was planned."""
        if not planned.work.changes or planned.target is None:
            return False
        edits = Edits.of(planned.target.changes, {*item.earlier})
        whole = [*planned.target.changes, *map(jsontext.parse, planned.work.changes)]
        return edits.are_undone(table, whole, now, self._account.cipher)

    # --- below

    def _begin_anew(self) -> None:
        with uninterrupted():  # whoever ends this job looks into the outbox
            self._outbox.close()
            for name in (_OUTBOX, _PLANNED, _VERIFIED):
                self._remove(name)
            self._outbox = Outbox(self._folder / _OUTBOX)

    def _remove(self, name: str) -> None:
        with writing_to(self._folder):
            for suffix in ("", "-wal", "-shm"):
                (self._folder / f"{name}{suffix}").unlink(missing_ok=True)

    def _mirror(self, name: str) -> Mirror:
        connection = self._account.connection
        return Mirror(self._folder / name, sync_url=connection.sync.base_url, user_id=connection.user_id, guarded=False)

    def _pull(self, mirror: Mirror, names: Sequence[str], progress: PullProgress | None) -> pulling.PullResult:
        """Everything that the server holds of the apps of some tables."""
        apps = {table.app for table in self._registry.tables if table.name in names}
        tables = [table for table in self._registry.tables if table.app in apps] or self._registry.tables[:1]
        wanted = tuple(replace(table, collection=name) for table in tables for name in table.collections)
        connection = self._account.connection
        client = SyncClient(connection.sync, connection.tokens, mirror.client_id)
        return pulling.run(mirror, client, replace(self._registry, tables=wanted), search=False, progress=progress)

    def _push(self, tell: Tell | None = None) -> Push:
        connection = self._account.connection
        client_id = self._outbox.client_id
        others = SyncClient(connection.sync, connection.tokens, client_id)  # it is not shown what we pushed
        line = PushLine(
            PushClient(connection.sync, connection.tokens, client_id),
            SyncClient(connection.sync, connection.tokens, str(uuid4())),
            Lookout(self._outbox, others, self._registry, parse_timestamp(str(self._outbox.recall(CLOCK)))),
        )
        return Push(self._outbox, line, self._plan_anew, at_once=self._stops_at_conflicts, progress=tell)


def _check_clock(text: str) -> None:
    """What is restored is stamped with the server's time: one that is years ahead would win over every later edit."""
    if parse_timestamp(text) / SECOND - time.time() > _MOST_AHEAD:
        raise ServerError(
            f"the sync server's clock says {text}, which is more than a day ahead of this computer's",
            hint="set the clock that is wrong; what is restored would be stamped with a time that never was",
        )


def _milliseconds(text: str) -> str:
    """A time of the server as clients write it, rounded up."""
    micros = min(parse_timestamp(text), _END)
    return app_time(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=-(-micros // 1_000)))
