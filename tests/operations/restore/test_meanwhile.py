"""Edits at every moment of a restore, and of encrypting in place: each stands in the end, or is told of as lost.

The moments are those before and after each request that the servers deal with, from the first of the plan to the last
of the verification, and those between the steps. What stands is read from the server's log, by the test's own reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.crypto.fields import is_encrypted
from manabackup.errors import ConflictError, ServerError
from manabackup.limits import Limits
from manabackup.mirror import Snapshot
from manabackup.model.projection import fold
from manabackup.operations.restore.decision import OnConflict
from manabackup.operations.restore.encrypt_in_place import EncryptInPlaceJob
from manabackup.operations.restore.job import Job
from manabackup.operations.restore.result import RestoreResult
from manabackup.operations.restore.writing import is_ours
from manabackup.sandbox import Sandbox
from manabackup.text import jsontext
from tests.support.archives import meta_of, ours
from tests.support.line import Line, Spoiled
from tests.support.shares import examples, some

from .bench import CIPHER, REGISTRY, Bench

JSON = Any
THEN, BEFORE, LATER = "2026-04-20T08:15:30.123Z", "2026-04-10T08:00:00.000Z", "2026-04-25T08:00:00.000Z"
MODES = tuple(mode.value for mode in OnConflict)
TABLES = ("tasks", "notes")
TEXT = {"tasks": "priority", "notes": "title"}
"""A field of each table; that of notes is private."""

# --- what the target holds, and what people do ------------------------------------------------------------------------

STATES: dict[str, Callable[[JSON], list[JSON]]] = {
    "absent": lambda scope: [],
    "sound": lambda scope: [inserted({"text": "theirs", "color": "red", "createdAt": BEFORE, **scope})],
    "unsound": lambda scope: [inserted({"text": "theirs", "color": "red", **scope})],
    "written since": lambda scope: [inserted({"text": "old", **scope}), updated({"text": "theirs"}, LATER)],
    "bin": lambda scope: [inserted({"text": "theirs", "createdAt": BEFORE, **scope}), deleted(BEFORE)],
    "gone": lambda scope: [inserted({"text": "theirs", **scope}), deleted(None)],
    "equal": lambda scope: [inserted({"text": "archived", "color": "blue", "createdAt": BEFORE, **scope})],
}
"""What is called ``text`` here is the table's own field."""


def inserted(data: JSON) -> JSON:
    return {"op": "insert", "data": data}


def updated(values: JSON, at: str) -> JSON:
    return {"op": "update", "fields": {name: {"value": value, "at": at} for name, value in values.items()}}


def deleted(at: str | None) -> JSON:
    return {"op": "delete"} if at is None else {"op": "delete", "deletedAt": at}


EDITS: dict[str, Callable[[JSON, str], JSON]] = {
    "text": lambda scope, at: updated({"text": "EDIT"}, at),
    "color": lambda scope, at: updated({"color": "EDIT"}, at),
    "row": lambda scope, at: inserted({"text": "EDIT", "updatedAt": at, **scope}),
    "delete": lambda scope, at: deleted(at),
}


def named(change: JSON, table: str) -> JSON:
    """The change with the table's own field in the place of ``text``."""
    for part in ("data", "fields"):
        if "text" in change.get(part, {}):
            rest = {name: value for name, value in change[part].items() if name != "text"}
            change = {**change, part: {TEXT[table]: change[part]["text"], **rest}}
    return change


def stands(changes: list[JSON], table: str, edit: str) -> bool:
    """Whether the row shows what the edit said."""
    record = fold(REGISTRY.by_name[table], changes)
    if edit == "delete":
        return record.state != "live"
    value = record.values.get(TEXT[table] if edit in ("text", "row") else "color")
    return bool(opened(value) == "EDIT")


def opened(value: JSON) -> JSON:
    return jsontext.parse(CIPHER.decrypt(value)) if is_encrypted(value) else value


# --- the scene --------------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """A target with a row for each state and each edit, and somebody with a phone."""

    bench: Bench
    mode: str = "overwrite"
    edited: bool = False
    seen: frozenset[str] = frozenset()
    """The events that the plan saw: what they say may be overwritten, as was shown and agreed to."""
    events: dict[tuple[str, str], str] = field(default_factory=dict)
    """Row → the event of its edit."""
    behind: timedelta = timedelta()
    """By so much the phone's clock is behind."""

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Table, id, state, edit."""
        states = [state for state in STATES if self.mode != "fail" or state in ("absent", "gone", "equal")]
        for table in TABLES:
            for number, (state, edit) in enumerate((state, edit) for state in states for edit in EDITS):
                yield table, f"{table}-{number:02}", state, edit

    def fill(self) -> None:
        for table, record, state, _ in self.rows():
            for change in STATES[state](self.scope):
                self.bench.write({"id": record, "spaceId": self.bench.home, **named(change, table)}, table)

    @property
    def scope(self) -> JSON:
        return {"spaceId": self.bench.home, "authorId": self.bench.user, "visibility": "space"}

    def archive(self, folder: Path) -> Path:
        values = {
            table: [
                {"id": record, TEXT[table]: "archived", "color": "blue", "createdAt": BEFORE}
                for of_table, record, *_ in self.rows()
                if of_table == table
            ]
            for table in TABLES
        }
        meta = {
            table: [meta_of(row, at=THEN, actor=0, origin="user", space=0) for row in rows]
            for table, rows in values.items()
        }
        return ours(folder / "archive.mana", values, meta=meta)

    def edit(self) -> None:
        """Every row is edited, once."""
        if self.edited:
            return
        self.edited = True
        now = datetime.now(UTC) - self.behind
        at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for table, record, _, edit in self.rows():
            stored = REGISTRY.by_name[table]
            change = {"table": stored.collection, "id": record, **named(EDITS[edit](self.scope, at), table)}
            change |= {"spaceId": self.bench.home, "actor": {"kind": "user", "principalId": "u", "displayName": "U"}}
            self.events[table, record] = self.bench.box.log.append(self.bench.user, "phone", stored.app, change)

    def planned(self) -> None:
        """The plan is made, and nobody has said yes yet."""
        with Snapshot(self.bench.folder / "restore" / "target.sqlite") as held:
            self.seen = frozenset(
                jsontext.parse(line)["eventId"]
                for collection in held.collections()
                for page in held.read(collection.app, collection.name)
                for line in page.lines()
            )

    def check(self, result: RestoreResult) -> set[tuple[str, str]]:
        """Gives the rows whose edit is lost; each of them must have been told of."""
        assert self.edited
        told = {(case["table"], case["id"]) for case in result.edits if case["outcome"] != "kept"}
        lost = set()
        for table, record, state, edit in self.rows():
            changes = self.bench.changes(table, record)
            theirs = [change for change in changes if (change.get("actor") or {}).get("kind") != "system"]
            if self.events[table, record] in self.seen:
                continue
            if not stands(changes, table, edit) and stands(theirs, table, edit):
                lost.add((table, record))
                assert (table, record) in told, (table, record, state, edit, changes)
        assert not told or result.losses
        assert result.verification is None or result.verification.differing == 0, result.verification.cases
        return lost


def scene_of(bench: Bench, mode: str = "overwrite", **more: Any) -> Scene:
    scene = Scene(bench, mode, **more)
    scene.fill()
    return scene


@dataclass
class Moments:
    """Counts the moments of each step, and lets the edits come at one of them."""

    scene: Scene
    chosen: tuple[str, int] | None = None
    step: str = "plan"
    passed: Counter[str] = field(default_factory=Counter)

    def __call__(self) -> None:
        if (self.step, self.passed[self.step]) == self.chosen:
            # What comes once the verification has read, with a clock that is behind, is lost to it: nobody can tell.
            if self.step == "verify" and self.passed["verify"]:
                self.scene.behind = timedelta()
            self.scene.edit()
        self.passed[self.step] += 1

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        self.step = step
        self.scene.bench.line.moment = self
        try:
            self()
            yield
        finally:
            self.scene.bench.line.moment = lambda: None


MOST_FAULTS = 4
"""One after the other."""


def carried_out(job: Job, plan: Callable[[], Any], moments: Moments) -> RestoreResult:
    """All steps of a task. Where conflicts stop it, what was sent by then is told of by the next one."""
    if job.resumed() is None:
        with moments.of("plan"):
            plan()
        moments.scene.planned()
    try:
        with moments.of("push"):
            job.push()
    except ConflictError:
        for _ in range(MOST_FAULTS):
            try:
                job.abandon()
                break
            except ServerError:  # the same command again goes on from there
                continue
        else:
            job.abandon()
        plan()
        return job.result(None)
    with moments.of("verify"):
        result = job.result(job.verify())
    job.forget()
    return result


PUSHING = 10
MOMENTS = [*(("plan", n) for n in range(6)), *(("push", n) for n in range(PUSHING)), *(("verify", n) for n in range(4))]
"""Of the plan and the verification the first ones; their requests are all alike."""


BETWEEN = [("push", 2), ("push", 3), ("push", 6), ("push", 7)]
"""Between the answer to a look and the storing of what was looked at: here alone anything can be lost."""


def test_the_moments_that_are_tried_are_all_that_there_are(bench: Bench, tmp_path: Path) -> None:
    scene = scene_of(bench)
    moments = Moments(scene)
    with bench.job(scene.archive(tmp_path)) as job:
        carried_out(job, job.plan, moments)
    assert moments.passed["push"] == PUSHING - 1
    assert moments.passed["plan"] >= 6
    assert moments.passed["verify"] >= 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("moment", some(MOMENTS, of=3), ids=lambda moment: f"{moment[0]}-{moment[1]}")
def test_an_edit_at_any_moment_stands_in_the_end_or_is_told_of(
    bench: Bench, tmp_path: Path, mode: str, moment: tuple[str, int]
) -> None:
    scene = scene_of(bench, mode)
    with bench.job(scene.archive(tmp_path), on_conflict=OnConflict(mode)) as job:
        result = carried_out(job, job.plan, Moments(scene, moment))
    scene.edit()  # later than everything
    lost = scene.check(result)
    assert not lost or moment in BETWEEN


@pytest.mark.parametrize("moment", some(MOMENTS, of=3), ids=lambda moment: f"{moment[0]}-{moment[1]}")
def test_an_edit_while_fields_are_encrypted_stands_in_the_end_or_is_told_of(
    bench: Bench, tmp_path: Path, moment: tuple[str, int]
) -> None:
    scene = scene_of(bench)
    with bench.account() as account, EncryptInPlaceJob(account, bench.folder / "restore") as job:
        result = carried_out(job, lambda: job.plan(TABLES), Moments(scene, moment))
    scene.edit()
    lost = scene.check(result)
    assert not lost or moment in BETWEEN


# --- interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [0, 1, 2, 40, None])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("resume", [True, False], ids=["resumed", "given up"])
def test_an_edit_between_an_interruption_and_the_next_run_stands_or_is_told_of(
    bench: Bench, tmp_path: Path, mode: str, stored: int | None, resume: bool
) -> None:
    scene = scene_of(bench, mode)
    archive = scene.archive(tmp_path)
    bench.limits = Limits(attempts=1)
    faults = iter([Spoiled(stored, None)])
    bench.line.push_fault = lambda pushed: next(faults, Spoiled(0, 503))
    with bench.job(archive, on_conflict=OnConflict(mode)) as job:
        job.plan()
        scene.planned()
        with pytest.raises(ServerError):
            job.push()
    bench.line.push_fault = lambda pushed: None
    scene.edit()
    with bench.job(archive, on_conflict=OnConflict(mode)) as job:
        if not resume:
            job.abandon()
            scene.seen = frozenset()
            job.plan()
            scene.check(job.result(None))
            return
        result = carried_out(job, job.plan, Moments(scene))
    scene.check(result)
    sent = [jsontext.dumps(change) for pushed in bench.line.pushed for change in pushed.changes]
    stored_of_ours = [change for table in TABLES for change in bench.changes(table) if is_ours(change)]
    assert len(stored_of_ours) == len({jsontext.dumps({**change, "eventId": ""}) for change in stored_of_ours})
    assert sent


def test_an_edit_under_a_row_that_the_server_takes_in_part_alone_is_told_of(bench: Bench, tmp_path: Path) -> None:
    scene = scene_of(bench, behind=timedelta(days=400))
    # Of the third row the first change comes through, and never the other.
    bench.line.faults(Spoiled(5, None), *[Spoiled(0, 500)] * 3)
    with bench.job(scene.archive(tmp_path)) as job:
        result = carried_out(job, job.plan, Moments(scene, ("push", 2)))
    assert [(table, record) for table, record, _ in result.failures] == [("tasks", "tasks-02")]
    assert ("tasks", "tasks-02") in scene.check(result)


# --- anything at any time ---------------------------------------------------------------------------------------------


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(MODES),
    st.sampled_from(MOMENTS),
    st.sampled_from([timedelta(), timedelta(), timedelta(hours=1), timedelta(days=400)]),
    st.lists(
        st.sampled_from([None, None, Spoiled(0, 500), Spoiled(5, None), Spoiled(None, 502), Spoiled(30, 500)]),
        max_size=MOST_FAULTS,
    ),
)
def test_whatever_somebody_does_at_whatever_time_is_not_lost_without_a_word(
    box: Sandbox,
    line: Line,
    tmp_path_factory: pytest.TempPathFactory,
    mode: str,
    moment: tuple[str, int],
    behind: timedelta,
    faults: list[Spoiled | None],
) -> None:
    folder = tmp_path_factory.mktemp("scene")
    bench = Bench(box, line, folder)
    scene = scene_of(bench, mode, behind=behind)
    line.faults(*faults)
    with bench.job(scene.archive(folder), on_conflict=OnConflict(mode)) as job:
        result = carried_out(job, job.plan, Moments(scene, moment))
    scene.behind = timedelta()
    scene.edit()
    scene.check(result)
