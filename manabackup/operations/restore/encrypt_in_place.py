"""Private fields of an account that stand in clear on the server, encrypted where they stand.

Nothing else in a row changes, neither values nor times (:mod:`.in_place`). Rows that belong to others as well are left
as they are: those of shared spaces, whose members are to read them, and those of spaces of which nobody knows whether
they are shared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import UsageError
from ...model.registry import Table
from ...rows.private_fields import fields_in_clear, is_of_other_version
from ...text import jsontext
from ...text.jsontext import JSON
from ..progress import Step, Watch, teller
from .decision import Decision, OnConflict, Reason, RowAction, Rules, TargetRow, skipped
from .job import Job, PlannedRow
from .outbox import Item
from .plan import RestorePlan
from .target import RestoreTarget
from .target_account import TargetAccount
from .writing import Work, Writer, item_of

_BATCH = 500


class EncryptInPlaceJob(Job):
    """One run of encrypting what stands in clear; ``folder`` is that of restores into the account.

    ``replace_ai``: also rows of ``ai`` that only a replace reaches, which a runner on the server takes as deleted.
    """

    def __init__(self, account: TargetAccount, folder: Path, *, replace_ai: bool = False) -> None:
        super().__init__(account, folder)
        self._replace_ai = replace_ai

    def plan(self, tables: Sequence[str], progress: Watch | None = None) -> RestorePlan:
        """Reads the apps of some tables and fills the outbox with every row that can be mended. Nothing is sent.

        Raises :class:`UsageError` for an account without a key, :class:`ServerError`, :class:`SignInError`,
        :class:`SubscriptionError`.
        """
        if self._account.cipher is None:
            raise UsageError("without the account's key nothing can be encrypted")
        plan = RestorePlan()
        apps = {self._registry.by_name[name].app for name in tables}
        chosen = [table for table in self._registry.tables if table.app in apps and table.encrypted]
        with self._planning(tables, progress) as (target, now):
            rules = Rules(now, OnConflict.OVERWRITE, self._replace_ai)
            writer = Writer(self._account.spaces, rules)
            tell = teller(progress, Step.PLAN)
            for done, table in enumerate(chosen):
                items: list[Item] = []
                for item in self._table(table, target, writer, plan):
                    items.append(item)
                    if len(items) >= _BATCH:
                        self._outbox.add(items)
                        items = []
                self._outbox.add(items)
                tell(done + 1, len(chosen))
        self._remember(plan)
        return plan

    def _table(self, table: Table, target: RestoreTarget, writer: Writer, plan: RestorePlan) -> Iterator[Item]:
        unreadable = target.is_unreadable(table)
        for record_id, lines in target.records(table):
            held = target.row(table, lines)
            clear, known = self._in_clear(table, held)
            for name in clear:
                if name not in known:
                    plan.leave_out(table.name, record_id, name)
            if not known:
                continue
            work = self._work(table, held, known, writer, unreadable=unreadable)
            plan.add(table.name, record_id, work, app=table.app, space=held.record.space)
            if work.changes:
                yield item_of(table.app, table.name, record_id, work)

    def _again(
        self, table: Table, stale: Mapping[str, Item], target: RestoreTarget, now: str
    ) -> Iterator[tuple[Item, PlannedRow]]:
        unreadable = target.is_unreadable(table)
        writer = Writer(self._account.spaces, Rules(now, OnConflict.OVERWRITE, self._replace_ai))
        for record_id, lines in target.records(table):
            if record_id not in stale:
                continue
            held = target.row(table, lines)
            _, known = self._in_clear(table, held)
            work = Work(Decision(RowAction.UNCHANGED))
            if known:
                work = self._work(table, held, known, writer, unreadable=unreadable)
            yield stale[record_id], PlannedRow(record_id, work, held, space=held.record.space)

    def _in_clear(self, table: Table, held: TargetRow) -> tuple[list[str], list[str]]:
        """The private fields in clear of a row that is the user's own, and those of them that can be encrypted."""
        values = held.record.values
        if held.record.state == "absent" or self._is_shared(held.record.space):
            return [], []
        clear = fields_in_clear(table, values, self._account.cipher)
        return clear, [name for name in clear if not is_of_other_version(values[name])]

    def _work(self, table: Table, held: TargetRow, names: Sequence[str], writer: Writer, *, unreadable: bool) -> Work:
        reason = Reason.TARGET_UNREADABLE if unreadable else self._whose(held)
        if reason is not None:
            return Work(skipped(reason))
        cipher = self._account.cipher
        assert cipher is not None
        values = held.record.values
        return writer.encrypt(held, {name: cipher.encrypt(jsontext.dumps(values[name])) for name in names}, table)

    def _whose(self, held: TargetRow) -> Reason | None:
        """Why a row is not the user's alone, as far as anybody knows. One change that others see is enough."""
        spaces = self._account.spaces
        named = {change.get("spaceId") for change in held.changes if type(change) is dict}
        named |= {held.record.values.get("spaceId"), held.record.space}
        others = [space for space in named if type(space) is str and space and not spaces.is_personal(space)]
        if not others:
            return None
        return Reason.OTHER_SPACE if any(map(self._is_shared, others)) else Reason.UNKNOWN_SPACE

    def _is_shared(self, space: str | None) -> bool:
        """Whether a space is known to be another than a personal one."""
        spaces = self._account.spaces
        return space is not None and not spaces.is_personal(space) and space in (spaces.types or {})

    def _command(self) -> str:
        cipher = self._account.cipher
        key = cipher.fingerprint if cipher is not None else None
        # The first word stands in outboxes that were begun.
        asked: list[JSON] = ["seal", self._account.spaces.home, key, self._replace_ai]
        return hashlib.sha256(jsontext.dumps(asked)).hexdigest()

    def _called(self) -> str:
        return "`audit --fix-plaintext` of this account"
