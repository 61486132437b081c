"""Encrypting fields where they stand: afterwards every client shows what it showed before, and no time is another.

The states of the rows are generated, as for whole restores: every way of writing a row that occurs on the server.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.model.projection import fold
from manabackup.model.registry import Table
from manabackup.operations.restore.decision import Means, OnConflict, Reason, Rules, TargetRow
from manabackup.operations.restore.web_rule import LATEST_CLOCK, replay
from manabackup.operations.restore.writing import Work, Writer
from manabackup.rows.private_fields import is_clear
from manabackup.text import jsontext
from tests.model.projection.changes import T, delete, insert, update

from .rows import CIPHER, HOME, MISSIONS, NOW, SPACES, TASKS, held, present, sent
from .test_clients import EDITED, ENVELOPE, LATER, changes, clients, without_scope

JSON = Any
FUTURE = "2031-01-01T00:00:00.000Z"
PRIVATE = ("title", "meta")


def encrypted(target: TargetRow, table: Table = TASKS, *, replace_ai: bool = False) -> Work | None:
    """What is to be done about a row; None where nothing of it stands in clear."""
    values = target.record.values
    clear = [name for name in PRIVATE if is_clear(values.get(name))]
    if not clear or target.record.state == "absent":
        return None
    writer = Writer(SPACES, Rules(NOW, OnConflict.OVERWRITE, replace_ai))
    return writer.encrypt(target, {name: CIPHER.encrypt(jsontext.dumps(values[name])) for name in clear}, table)


def opened(values: JSON, clear: set[str]) -> JSON:
    """A row with the fields that stood in clear opened again, where they are ciphertext now."""
    return {
        name: jsontext.parse(CIPHER.decrypt(value)) if name in clear and not is_clear(value) else value
        for name, value in present(values).items()
    }


def outline(target: TargetRow | None) -> str:
    assert target is not None
    done = encrypted(target)
    assert done is not None
    return " ".join(
        f"{change['op']}({' '.join(sorted(change.get('fields', change.get('data', {}))))})" for change in sent(done)
    )


# --- the means --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ([insert({"title": "A", "order": 1}, T[1])], "update(title)"),
        ([insert({"title": "A", "order": 1})], "insert(title)"),
        ([insert({"order": 1}), update(T[3], title="A")], "update(title)"),
        ([insert({"title": "B", "order": 1}), update(T[3], title="A")], "insert(title)"),
        ([insert({"title": "B"}, T[1]), update(FUTURE, title="A")], "update(title)"),
        ([insert({"title": "B"}), update(FUTURE, title="A")], "insert(title) update(title)"),
        ([insert({"title": "A"}, T[1]), delete(T[4])], "update(deletedAt title)"),
        ([insert({"title": "A"}), delete(T[4])], "insert(title) update(deletedAt)"),
        ([insert({"title": "A", "createdAt": 5})], "delete() insert(createdAt title updatedAt) update(updatedAt)"),
        ([insert({"title": "A"}, T[1], actor=None)], "delete() insert(createdAt title)"),
    ],
    ids=[
        "with a time",
        "without a time",
        "field with a time, row without",
        "written twice, row without a time",
        "from the future",
        "from the future, row without a time",
        "in the bin",
        "in the bin, row without a time",
        "a number in the place of the time",
        "a row that no client shows",
    ],
)
def test_the_smallest_change_that_reaches_every_client_is_made(stream: list[JSON], expected: str) -> None:
    assert outline(held(*stream)) == expected


def test_a_field_keeps_its_time_so_that_any_later_edit_wins_whichever_comes_first() -> None:
    target = held(insert({"title": "A"}, T[1]), update(T[3], title="B"))
    assert target is not None
    done = encrypted(target)
    assert done is not None
    (change,) = sent(done)
    assert change["fields"]["title"]["at"] == T[3]
    edit = update(T[4], title="C")
    for stream in ([*target.changes, change, edit], [*target.changes, edit, change]):
        assert fold(TASKS, stream).values["title"] == "C"


def test_the_envelope_names_the_space_of_the_row_and_no_column_is_added() -> None:
    for scope in ({"spaceId": HOME}, {}):
        target = held(insert({"title": "A", **scope}, spaceId=HOME))
        assert target is not None
        done = encrypted(target)
        assert done is not None
        (change,) = sent(done)
        assert (change["spaceId"], list(change["data"])) == (HOME, ["title"])


def test_rows_of_ai_are_replaced_only_when_that_is_asked_for_and_hardly_ever_need_it() -> None:
    plain = held(insert({"title": "A"}), table=MISSIONS)
    stuck = held(insert({"title": "A", "createdAt": 5}), table=MISSIONS)
    assert plain is not None
    assert stuck is not None
    done = encrypted(plain, MISSIONS)
    assert done is not None
    assert [change["op"] for change in sent(done)] == ["insert"]
    refused, agreed = encrypted(stuck, MISSIONS), encrypted(stuck, MISSIONS, replace_ai=True)
    assert refused is not None
    assert agreed is not None
    assert refused.decision.reason is Reason.AI_NOT_REPLACED
    assert agreed.decision.means is Means.REPLACE


# --- all states -------------------------------------------------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(st.lists(changes(), min_size=1, max_size=6))
def test_nothing_but_the_encryption_differs_for_the_fold_and_for_every_client(before: list[JSON]) -> None:
    target = held(*before)
    assert target is not None
    done = encrypted(target)
    if done is None:
        return
    clear = set(done.decision.values)
    stream = before + sent(done)
    record = fold(TASKS, stream)
    assert record.state == target.record.state
    assert opened(record.values, clear) == present(target.record.values)
    assert not any(is_clear(record.values[name]) for name in clear)
    times = {name: stamp.at for name, stamp in target.record.stamps.items() if stamp.at}
    if done.decision.means is Means.REPLACE:
        kept = {name: at for name, at in times.items() if name in record.values and "." not in name and at <= NOW}
        assert all(record.stamps[name].at >= at for name, at in kept.items() if record.values[name] is not None)
        return
    assert {name: stamp.at for name, stamp in record.stamps.items() if stamp.at} == times
    for clock in (NOW, LATER, LATEST_CLOCK):
        one, other = replay(before, clock), replay(stream, clock)
        assert one is not None
        assert other is not None
        assert one.deleted == other.deleted
        kept = {name: value for name, value in present(one.values).items() if name not in clear}
        assert {name: value for name, value in present(other.values).items() if name not in clear} == kept
        assert opened({name: other.values[name] for name in clear}, clear) == present(
            {name: target.record.values[name] for name in clear}
        )
    earlier, later = clients(before, [], "tasks"), clients(before, sent(done), "tasks")
    for name in earlier:
        shown, afterwards = (who[name].shown("tasks").get("a") for who in (earlier, later))
        if name == "cleaner" and target.record.state == "tombstone":
            assert afterwards is None or shown is not None, name
            continue
        assert (shown is None) == (afterwards is None), name
        if shown is None or afterwards is None:
            continue
        rest = {field: value for field, value in without_scope(shown).items() if field not in clear}
        assert {field: value for field, value in without_scope(afterwards).items() if field not in clear} == rest, name
        for field in clear:
            told = opened({field: afterwards.get(field)}, {field}).get(field)
            assert told in (target.record.values[field], shown.get(field)), name


@settings(max_examples=200, deadline=None)
@given(st.lists(changes(), min_size=1, max_size=6))
def test_a_second_run_finds_nothing_to_do_and_later_edits_win(before: list[JSON]) -> None:
    target = held(*before)
    assert target is not None
    done = encrypted(target)
    if done is None:
        return
    stream = before + sent(done)
    again = held(*stream)
    assert again is not None
    assert encrypted(again) is None
    if max([stamp.at for stamp in target.record.stamps.values()], default="") < EDITED:
        edit = {**ENVELOPE, "op": "update", "fields": {"title": {"value": "edited", "at": EDITED}}}
        assert fold(TASKS, [*stream, edit]).values["title"] == "edited"
