"""After a restore every web client shows the planned rows: whatever it held, however late it comes, and after an edit.

The states of the target are generated: every way of writing a row that occurs on the server, in any order.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.model.projection import fold
from manabackup.operations.restore.decision import Means, RowAction
from tests.model.projection.changes import XENIA, T
from tests.support.reference_client import Client

from .rows import HOME, MISSIONS, NOW, TASKS, archived, held, present, sent, work

JSON = Any
SOON, LATER = "2026-06-01T12:00:01.000Z", "2026-08-30T12:00:00.000Z"
EDITED = "2026-06-02T08:00:00.000Z"
MONTH_AGO = "2026-05-02T12:00:00.000Z"
FUTURE = "2031-01-01T00:00:00.000Z"
SCOPE = {"spaceId": HOME, "authorId": "user-b", "visibility": "space"}
ENVELOPE = {"table": "tasks", "id": "a", "spaceId": HOME}

texts = st.sampled_from(["one", "two", "enc:1:AAAA", ""])
objects = st.dictionaries(st.sampled_from("xy"), st.sampled_from([1, 2, None]), max_size=2)
fields = st.fixed_dictionaries(
    {}, optional={"title": texts, "done": st.booleans() | st.none(), "meta": objects | st.none(), "a.b": texts}
)
times = st.sampled_from([*T[1:30:4], "2026-05-09", "not a time", FUTURE, NOW, ""])
own_times = st.fixed_dictionaries(
    {}, optional={"createdAt": times | st.just(5) | st.none(), "updatedAt": times | st.just(5) | st.none()}
)


@st.composite
def changes(draw: Any) -> JSON:
    """One change of a record, of every kind that the server holds."""
    kind = draw(st.sampled_from(["insert", "insert", "update", "update", "delete", "undelete", "remove", "odd"]))
    at = draw(times)
    if kind == "insert":
        scope = draw(st.sampled_from([SCOPE, SCOPE, {}]))
        return {**ENVELOPE, "op": "insert", "data": {"id": "a", **draw(fields), **draw(own_times), **scope}}
    if kind == "update":
        names = {**draw(fields), **draw(st.fixed_dictionaries({}, optional={"meta.x": st.integers(3, 4)}))}
        names.pop("a.b", None)
        written = {name: {"value": value, "at": at} for name, value in names.items()}
        return {**ENVELOPE, "op": "update", "fields": written, "actor": XENIA}
    if kind == "delete":
        return {**ENVELOPE, "op": "delete", "deletedAt": at or T[9]}
    if kind == "undelete":
        return {**ENVELOPE, "op": "update", "fields": {"deletedAt": {"value": None, "at": at}}}
    if kind == "remove":
        return {**ENVELOPE, "op": "delete"}
    return draw(
        st.sampled_from(
            [
                {**ENVELOPE, "op": "insert"},
                {**ENVELOPE, "op": "update", "fields": {}},
                {**ENVELOPE, "op": "insert", "actor": None, "data": {"title": "unseen", "createdAt": T[3]}},
                {**ENVELOPE, "op": "insert", "data": ["an", "array"]},
                {**ENVELOPE, "op": "update", "fields": {"id": {"value": "b", "at": T[20]}}},
                {**ENVELOPE, "op": "update", "fields": {"title": {"value": "undated"}}},
                {**ENVELOPE, "op": "update", "fields": {"title": {"value": "older", "updatedAt": T[12]}}},
                {**ENVELOPE, "op": "update", "fields": {"__fieldMeta.title.at": {"value": T[5], "at": T[5]}}},
            ]
        )
    )


archives = st.tuples(fields, own_times, st.dictionaries(st.sampled_from(["title", "meta.x", "done"]), times), times)


def clients(before: list[JSON], after: list[JSON], table: str) -> dict[str, Client]:
    """Every device that there may be, once it has pulled the restored changes."""
    fresh, late, holder = Client(), Client(), Client()
    fresh.apply(table, before + after, SOON)
    late.apply(table, before + after, LATER)
    holder.apply(table, before, T[29])
    cleaner = holder.copy()
    cleaner.clean_up(MONTH_AGO)
    holder.apply(table, after, SOON)
    cleaner.apply(table, after, SOON)
    return {"fresh": fresh, "late": late, "holder": holder, "cleaner": cleaner}


def without_scope(row: JSON) -> JSON:
    internal = {"spaceId", "authorId", "userId", "_updatedAtIndex"}
    return {name: value for name, value in present(row).items() if name not in internal and name[:2] != "__"}


@settings(max_examples=400, deadline=None)
@given(st.lists(changes(), max_size=6), archives, st.sampled_from(["overwrite", "overwrite", "newer"]), st.booleans())
def test_every_client_shows_the_planned_row_now_and_after_a_later_edit(
    before: list[JSON], row: Any, on_conflict: str, in_ai: bool
) -> None:
    table = MISSIONS if in_ai else TASKS
    before = [{**change, "table": table.collection} for change in before]
    values, own, field_times, common = row
    target = held(*before, table=table)
    done = work(
        archived({**values, **own}, common, times=field_times, table=table),
        target,
        on_conflict,
        table=table,
        repair=True,
    )
    after = sent(done)
    if done.decision.kind is RowAction.UNCHANGED:
        assert target is not None
        if target.record.state == "live":
            wanted = without_scope(target.record.values)
            fresh = clients(before, [], table.name)
            assert without_scope(fresh["fresh"].shown(table.name)["a"]) == wanted
            assert without_scope(fresh["late"].shown(table.name)["a"]) == wanted
        return
    if done.decision.means is None:
        assert not after
        return
    ours = fold(table, before + after)
    assert ours.state == "live"
    planned = without_scope(fold(table, after).values) | (
        {name: value for name, value in without_scope(ours.values).items() if "." in name}
        if done.decision.means is Means.UPDATE
        else {}
    )
    assert without_scope(ours.values) == planned
    everybody = clients(before, after, table.name)
    for name, client in everybody.items():
        assert without_scope(client.shown(table.name)["a"]) == planned, name
    edit = {
        **ENVELOPE,
        "op": "update",
        "fields": {"title": {"value": "edited", "at": EDITED}, "done": {"value": "yes", "at": EDITED}},
    }
    everybody |= {f"{name} again": client for name, client in clients(before, [*after, edit], table.name).items()}
    for name, client in everybody.items():
        client.apply(table.name, [edit], EDITED)
        assert without_scope(client.shown(table.name)["a"]) == planned | {"title": "edited", "done": "yes"}, name
    assert "delete" not in [change["op"] for change in after] or not in_ai


@settings(max_examples=150, deadline=None)
@given(st.lists(changes(), max_size=6), archives, st.booleans())
def test_a_restored_row_is_sound_and_restoring_it_once_more_changes_nothing(
    before: list[JSON], row: Any, repair: bool
) -> None:
    values, own, field_times, common = row
    archive = archived({**values, **own}, common, times=field_times)
    done = work(archive, held(*before), repair=repair)
    stream = before + sent(done)
    if done.decision.means is not None:
        assert not fold(TASKS, stream).unsound("2026-06-01T12:00:00.001Z")
    again = work(archive, held(*stream), repair=repair)
    assert again.decision.kind is RowAction.UNCHANGED, sent(again)
