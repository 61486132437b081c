"""An account as somebody could have filled it over years, out of one seed.

:func:`generate` gives the changes one after another, in the order in which the server would have received them, without
holding the account in memory. A :class:`~manabackup.sandbox.plan.Truth` handed to it learns what the user sees in the
end, by the generator's own model of every row and not by folding changes: it can judge what folds.

Everything follows from the seed: the same plan gives the same bytes. That includes the IVs of encrypted values, which
must never be so in earnest: **what comes from here is test data**, under keys that protect nothing.

What such a log holds: browsers that encrypt and stamp (two thirds of the tables never write a ``createdAt``), bootstrap
rows, servers that write plaintext and no scope, rows whose personal space was not known yet, other members' ciphertext
in shared spaces. With ``oddities`` come retried pushes, the older engine for tags and links, deletes without a time,
imports onto tombstones, leaked names, offline edits that come late, clocks that are wrong, and collections that no
registry knows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..model.registry import Table, load
from ..model.spaces import SENTINEL
from ..text.jsontext import JSON
from .draft import Draft, Shape, microseconds, opaque_id, timestamp, uuid4
from .lifelike import companions, lifelike_shapes
from .lives import Change, Pen, Row, Writer, assistant, person
from .plan import SAVED_ARTICLES, Generated, Plan, Truth
from .prose import Prose
from .shapes import shapes

_FIRST_IDS: Final[Mapping[str, str]] = {
    "userSettings": "settings-global",
    "dashboardConfigs": "dashboard-default",
    "newsPreferences": "singleton",
    "userContext": "singleton",
    "invoiceSettings": "invoice-settings",
    "broadcastSettings": "broadcast-settings",
    "agents": "legacy:ai-default",
    "contacts": "self-contact",
    "calendars": "personal-calendar",
}
"""The id of a table's first row, where it is the same in every account (registry, ``wellKnownIds``)."""
_EMPTY_CONTEXT: Final[Mapping[str, JSON]] = {
    **{name: {} for name in ("about", "routine", "nutrition", "leisure", "social")},
    **{name: [] for name in ("interests", "goals")},
    "freeform": "",
    "interview": {"answeredIds": [], "skippedIds": []},
}
"""``profile/userContext`` as the account service writes it."""
_SHARING: Final = frozenset({"tasks", "events", "places", "recipes", "libraryEntries", "habits", "quizzes", "notes"})
_PICKUP: Final = frozenset({"articleImportJobs", "articleImportItems"})
"""Tables that a worker feeds under the table's own name instead of the registered collection's."""
_LAST: Final = 0.95
"""Share of the time span in which rows are made; afterwards they are only edited and deleted."""
_MEAN_DELAY: Final = 300.0
_LONGEST_DELAY: Final = 2_000.0
"""How many rows later a row is touched again: it bounds how many are remembered."""


def generate(
    plan: Plan,
    *,
    user_id: str,
    display_name: str,
    personal_space: str,
    master_key: bytes,
    shared_spaces: Sequence[str] = (),
    other_member: str | None = None,
    other_key: bytes | None = None,
    bootstrap: bool = True,
    truth: Truth | None = None,
) -> Iterator[Generated]:
    """The account's changes in the order of their ``created_at_us``, which are strictly ascending.

    ``shared_spaces`` are the ids for ``plan.shared_spaces``; missing ones are made up. ``other_member`` is the user who
    writes in them too, under ``other_key``. ``bootstrap``: include what the account service writes at registration.
    """
    account = _Account(
        plan,
        user_id=user_id,
        display_name=display_name,
        personal_space=personal_space,
        master_key=master_key,
        shared_spaces=shared_spaces,
        other_member=other_member,
        other_key=other_key,
        truth=truth,
    )
    return account.changes(bootstrap=bootstrap)


class _Account:
    """The simulation: a clock that runs over ``plan.rows`` steps, and a queue of what is still to happen to rows."""

    def __init__(
        self,
        plan: Plan,
        *,
        user_id: str,
        display_name: str,
        personal_space: str,
        master_key: bytes,
        shared_spaces: Sequence[str],
        other_member: str | None,
        other_key: bytes | None,
        truth: Truth | None,
    ) -> None:
        self._plan = plan
        self._rng = rng = Random(plan.seed)  # noqa: S311 - test data, and the same for the same seed
        self._draft = Draft(rng, Prose(rng))
        self._shapes = lifelike_shapes() if plan.lifelike else shapes()
        self._pen = Pen(self._draft, row_bytes=plan.row_bytes)
        self._truth = truth
        self._personal = personal_space
        made_up = [opaque_id(rng, 21) for _ in range(plan.shared_spaces)]
        self._shared = [*shared_spaces, *made_up[len(shared_spaces) :]][: plan.shared_spaces]
        other_id = other_member or opaque_id(rng, 32)
        self._owner = Writer(user_id, (uuid4(rng), uuid4(rng)), person(user_id, display_name), AESGCM(master_key))
        self._other = Writer(
            other_id, (uuid4(rng),), person(other_id, "Jörg Weiß"), AESGCM(other_key or rng.randbytes(32)), own=False
        )
        self._older = Writer(user_id, (uuid4(rng),), person("legacy:user", "Du"))
        self._bootstrap = _service(user_id, "system:bootstrap", "Bootstrap", origin="system")
        self._services = (
            _service(user_id, "mcp-server", "MCP", principal="system:mcp"),
            _service(user_id, "mana-ai-runner", "Mission Runner", principal="system:mission-runner"),
            Writer(user_id, ("mana-projector",), {"kind": "system", "source": "projection"}, origin="system"),
        )
        self._worker = _service(user_id, "articles-import-worker", "Import", principal="system:articles-import-worker")
        self._used_first_ids: set[str] = set()
        self._homes = [personal_space, *self._shared]
        self._queue: list[tuple[float, int, Row, str]] = []
        self._queued = 0
        self._position = 0.0
        self._clock = microseconds(plan.start)
        self._horizon = max(1.0, plan.rows / _LAST)
        self._span = microseconds(plan.end) - self._clock

    def changes(self, *, bootstrap: bool) -> Iterator[Generated]:
        """All of them. A second call would go on where the first one ended: call once."""
        quotas = _quotas(self._plan, len(self._homes))
        if bootstrap:
            for name in ("kontextDoc", "userContext"):
                yield from self._registration(load().by_name[name], quotas.pop(name, 0))
        for index, table in enumerate(_order(self._rng, quotas)):
            at = index + self._rng.random()
            yield from self._happen(at)
            self._advance(at)
            yield from self._create(table)
        if self._plan.oddities:
            for _ in range(1 + self._plan.rows // 200):
                yield from self._save_article()
        yield from self._happen(self._horizon)

    # --- time

    def _advance(self, position: float) -> None:
        """To a place on the time line, and at least a millisecond on: no two changes share a time."""
        self._position = max(position, self._position)
        instant = microseconds(self._plan.start) + int(self._span * min(1.0, self._position / self._horizon))
        self._clock = max(instant, self._clock + 1_000)
        self._draft.now = self._clock

    def _later(self, row: Row, what: str) -> None:
        """Something will happen to ``row``: mostly soon, sometimes long after."""
        mean = min(_MEAN_DELAY, max(1.0, self._plan.rows / 6))
        due = self._position + min(self._rng.expovariate(1.0) * mean, _LONGEST_DELAY)
        if due > self._horizon:
            due = self._position + (self._horizon - self._position) * self._rng.random()
        self._queued += 1
        heapq.heappush(self._queue, (due, self._queued, row, what))

    def _happen(self, until: float) -> Iterator[Generated]:
        """All that is due."""
        while self._queue and self._queue[0][0] <= until:
            at, _, row, what = heapq.heappop(self._queue)
            self._advance(at)
            yield from self._touch(row, what)

    # --- rows

    def _registration(self, table: Table, count: int) -> Iterator[Generated]:
        """The singletons that the account service writes: no times, plaintext, the document's space beside the data."""
        writer = self._bootstrap
        for space in self._homes[:count]:
            self._advance(0)
            if table.name == "userContext":
                row = Row(table, table.collection, "singleton", writer, self._shapes[table.name], None)
                row.values = {**_EMPTY_CONTEXT, "userId": self._owner.user_id}
            else:
                row = Row(table, table.collection, self._draft.id(), writer, self._shapes[table.name], space)
                row.values = {"content": ""}
            row.plain = set(row.values) & row.table.encrypted
            self._keep(row)
            yield self._given(row, writer, self._pen.bootstrap(row, writer))
            if row.envelope is not None:
                row.values["spaceId"] = space
            row.author, row.envelope = self._owner, None
            for _ in range(3):
                self._later(row, "save")

    def _create(self, table: Table) -> Iterator[Generated]:
        rng, d, plan = self._rng, self._draft, self._plan
        collection, author, sealed = table.collection, self._owner, True
        space: str | None = None
        scope: dict[str, JSON] = {"userId": self._owner.user_id}
        private: set[str] = set()
        older = plan.oddities and table.name in ("globalTags", "tagGroups", "manaLinks") and rng.random() < 0.3
        served = rng.random() < plan.plaintext / 2
        if older:
            author, sealed = self._older, False
        elif plan.oddities and table.name in _PICKUP and rng.random() < 0.5:
            collection, author, sealed, scope = table.name, self._worker, False, {}
        elif served:
            author, sealed = d.pick(self._services), False
            scope = {} if table.scope == "space" else scope
        else:
            sealed = rng.random() >= plan.plaintext / 2
            if table.scope == "space":
                space, author, sealed = self._place(table, sealed)
                scope = self._columns(table, author, space)
        if plan.oddities and author is self._owner and table.encrypted and rng.random() < 0.01:
            private = {"aiSummary"}
        row_id = self._new_id(table, space)
        row = Row(table, collection, row_id, author, self._shapes[table.name], space, private=private, older=older)
        self._keep(row)
        if plan.oddities and author is self._owner and rng.random() < 0.004:
            yield from self._push(row, author, self._pen.delete(row, author))
        yield from self._push(row, author, self._pen.insert(row, scope, sealed=sealed))
        d.remember(table.name, row_id)
        if plan.lifelike:
            yield from self._accompany(row, scope, sealed=sealed)
        if space is not None and space.startswith(SENTINEL) and rng.random() < 0.6:
            yield from self._push(row, author, self._pen.reconcile(row, self._personal))
        if rng.random() < plan.edits / (1 + plan.edits):
            self._later(row, "edit")
        else:
            self._perhaps_delete(row)

    def _accompany(self, row: Row, scope: Mapping[str, JSON], *, sealed: bool) -> Iterator[Generated]:
        """The rows that the app writes together with another one, in the same space."""
        author = row.author
        for name, identifier, values in companions(row.table.name, row.id, row.values, self._draft):
            table = load().by_name[name]
            shape = Shape(lambda _, values=values: dict(values), edits=((),))  # type: ignore[misc]
            companion = Row(table, table.collection, identifier, author, shape, row.envelope)
            self._keep(companion)
            yield from self._push(companion, author, self._pen.insert(companion, scope, sealed=sealed))
            self._draft.remember(name, identifier)

    def _save_article(self) -> Iterator[Generated]:
        self._advance(self._position)
        shape = Shape(self._shapes["articles"].make, "created")
        row = Row(SAVED_ARTICLES, SAVED_ARTICLES.collection, self._draft.id(), self._worker, shape, None)
        self._keep(row)
        yield from self._push(row, self._worker, self._pen.insert(row, {}, sealed=False))

    def _place(self, table: Table, sealed: bool) -> tuple[str, Writer, bool]:
        """Space, author and whether private fields are encrypted."""
        rng = self._rng
        if self._shared and rng.random() < 0.15 and table.name not in _FIRST_IDS:
            author = self._owner if rng.random() < 0.55 else self._other
            return self._draft.pick(self._shared), author, rng.random() < 0.8
        if self._position < self._plan.rows * 0.02 or rng.random() < 0.005:
            return f"{SENTINEL}{self._owner.user_id}", self._owner, sealed
        return self._personal, self._owner, sealed

    def _columns(self, table: Table, author: Writer, space: str) -> dict[str, JSON]:
        visibility = "space"
        more: dict[str, JSON] = {}
        if table.name in ("timeProjects", "timeEntries"):
            visibility = self._draft.pick(("private", "guild"))
        elif table.name in _SHARING and self._rng.random() < 0.06:
            visibility = self._draft.pick(("private", "unlisted", "public"))
            more = {"visibilityChangedAt": timestamp(self._clock), "visibilityChangedBy": author.user_id}
            if visibility == "unlisted":
                more["unlistedToken"] = f"tok_{opaque_id(self._rng, 16)}"
        return {**more, "spaceId": space, "authorId": author.user_id, "visibility": visibility}

    def _new_id(self, table: Table, space: str | None) -> str:
        first = _FIRST_IDS.get(table.name)
        if table.name == "workbenchScenes" and space == self._personal:
            first = f"seed-home-{space}"
        if table.name == "lastsCooldown":
            return f"places:{self._draft.id()}"
        if first is not None and table.name not in self._used_first_ids:
            self._used_first_ids.add(table.name)
            return first
        return self._draft.id()

    # --- what happens to them

    def _touch(self, row: Row, what: str) -> Iterator[Generated]:
        pen, rng = self._pen, self._rng
        if what == "delete":
            yield from self._delete(row)
        elif what == "undelete":
            yield from self._push(row, row.author, pen.undelete(row, row.author))
        elif what == "future":
            yield from self._push(row, self._owner, pen.from_the_future(row, self._owner))
        elif what == "revive":
            row.state = "live"
            scope = self._columns(row.table, row.author, self._personal)
            row.envelope = self._personal
            yield from self._push(row, row.author, pen.insert(row, scope, sealed=True))
        else:
            yield from self._edit(row)
            if what == "edit":
                if rng.random() < self._plan.edits / (1 + self._plan.edits):
                    self._later(row, "edit")
                else:
                    self._perhaps_delete(row)

    def _edit(self, row: Row) -> Iterator[Generated]:
        pen, rng, oddities = self._pen, self._rng, self._plan.oddities
        if row.older and rng.random() < 0.7:
            yield from self._push(row, self._older, pen.older_edit(row, self._older))
            return
        author = self._owner if row.author.seal is None else row.author
        actor = None
        if row.envelope in self._shared and rng.random() < 0.3:
            author = self._other if author is self._owner else self._owner
        elif rng.random() < 0.08:
            actor = assistant(self._draft)
        yield from self._push(row, author, pen.edit(row, author, actor=actor))
        if oddities and author is self._owner:
            chance = rng.random()
            if chance < 0.02:
                yield from self._push(row, author, pen.late(row, author))
            elif chance < 0.03:
                yield from self._push(row, author, pen.leaked(row, author))
            elif chance < 0.035:
                yield from self._push(row, author, pen.renamed(row, author))

    def _perhaps_delete(self, row: Row) -> None:
        if row.state == "live" and self._rng.random() < self._plan.deletions:
            self._later(row, "delete")
        elif self._plan.oddities and row.state == "live" and row.author is self._owner and self._rng.random() < 0.003:
            self._later(row, "future")

    def _delete(self, row: Row) -> Iterator[Generated]:
        pen, rng = self._pen, self._rng
        author = self._owner if row.author.seal is None and not row.older else row.author
        odd = self._plan.oddities and author is self._owner and row.author is self._owner
        if odd and rng.random() < 0.1:
            yield from self._push(row, author, pen.remove(row, author))
            if row.table.scope == "space" and rng.random() < 0.3:
                self._later(row, "revive")
            return
        yield from self._push(row, author, pen.delete(row, author))
        if rng.random() < 0.125:
            self._later(row, "undelete")
        elif odd and row.values.get("spaceId", self._personal) == self._personal and rng.random() < 0.2:
            yield from self._push(row, author, pen.imported_again(row, author))

    # --- on the wire

    def _keep(self, row: Row) -> None:
        if self._truth is not None:
            self._truth.all_rows.append(row)

    def _push(self, row: Row, writer: Writer, change: Change | None) -> Iterator[Generated]:
        if change is None:
            return
        yield self._given(row, writer, change)
        if self._plan.oddities and self._rng.random() < 0.02:
            if self._truth is not None:
                self._truth.retries += 1
            yield self._given(row, writer, change)

    def _given(self, row: Row, writer: Writer, change: Change) -> Generated:
        created = self._clock
        self._clock += 1_000
        self._draft.now = self._clock
        if self._truth is not None:
            self._truth.changes += 1
        return Generated(row.table.app, writer.user_id, self._draft.pick(writer.clients), change, created)


def _service(user_id: str, client_id: str, name: str, *, principal: str | None = None, origin: str = "agent") -> Writer:
    actor = {"kind": "system", "principalId": principal or client_id, "displayName": name}
    return Writer(user_id, (client_id,), actor, origin=origin)


def _quotas(plan: Plan, spaces: int) -> dict[str, int]:
    """Table → number of rows: one each while there are enough, the others by weight; singletons never more."""
    registry = load()
    tables = [table for table in registry.tables if plan.tables is None or table.name in plan.tables]
    if plan.tables is None and plan.row_bytes is not None:
        tables = [table for table in tables if table.scope == "space" and len(table.encrypted) > 1]
    most = {table.name: 1 for table in tables if table.scope == "user"}
    most |= {table.name: spaces for table in tables if table.name == "kontextDoc"}
    weight = {table.name: shapes()[table.name].weight for table in tables}
    if plan.rows < len(tables):
        chosen = set(sorted(weight, key=lambda name: -weight[name])[: plan.rows])
        return {table.name: 1 for table in tables if table.name in chosen}
    quotas = dict.fromkeys(weight, 1)
    if "kontextDoc" in quotas:
        quotas["kontextDoc"] = min(spaces, 1 + plan.rows - len(tables))
    rest = plan.rows - sum(quotas.values())
    growing = {name: share for name, share in weight.items() if name not in most}
    total = sum(growing.values())
    for name, share in growing.items():
        quotas[name] += int(rest * share / total)
    missing = plan.rows - sum(quotas.values())
    for name in sorted(growing, key=lambda name: -growing[name])[:missing]:
        quotas[name] += 1
    return quotas


def _order(rng: Random, quotas: Mapping[str, int]) -> Iterator[Table]:
    """One row of each table in the registry's order, so that there is something to refer to; then as life has it."""
    by_name = load().by_name
    names = list(quotas)
    yield from (by_name[name] for name in names)
    more = [index for index, name in enumerate(names) for _ in range(quotas[name] - 1)]
    rng.shuffle(more)
    for index in more:
        yield by_name[names[index]]
