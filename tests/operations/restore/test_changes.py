"""The changes that are sent, and where they belong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.model.projection import fold
from manabackup.operations.restore.decision import Reason
from manabackup.operations.restore.identity import RowDestination, TargetSpaces
from manabackup.operations.restore.writing import event_of
from manabackup.text import jsontext
from manabackup.text.jsontext import Number
from tests.model.projection.changes import XENIA, T, delete, insert, update
from tests.support.reference_client import Client

from .rows import (
    CLUB,
    HOME,
    MISSIONS,
    NOW,
    REGISTRY,
    SETTINGS,
    SPACES,
    TASKS,
    USER,
    archived,
    held,
    outline,
    present,
    sent,
    work,
)

JSON = Any
FUTURE = "2031-01-01T00:00:00.000Z"
SCOPE = {"spaceId": HOME, "authorId": USER, "visibility": "space"}


def only(changes: list[JSON]) -> JSON:
    (change,) = changes
    return change


# --- inserts ----------------------------------------------------------------------------------------------------------


def test_a_row_with_a_time_of_its_own_is_inserted_as_it_is() -> None:
    row = archived({"title": "A", "createdAt": T[1], "updatedAt": T[2]}, T[2])
    assert only(sent(work(row, None)))["data"] == {"title": "A", "createdAt": T[1], "updatedAt": T[2], **SCOPE}


def test_a_row_without_a_time_gets_the_earliest_that_the_archive_knows() -> None:
    row = archived({"title": "A", "order": 1}, T[7], times={"order": T[4]})
    first, second = sent(work(row, None))
    assert first["data"]["createdAt"] == T[4]
    assert second["fields"] == {name: {"value": first["data"][name], "at": T[7]} for name in ("title", "visibility")}


@pytest.mark.parametrize("at", ["", FUTURE, "no time"])
def test_a_row_of_which_no_usable_time_is_known_is_inserted_as_of_now(at: str) -> None:
    changes = sent(work(archived({"title": "A"}, at), None))
    assert changes[0]["data"]["createdAt"] == NOW


def test_beside_a_creation_time_that_is_a_number_stands_an_update_time() -> None:
    change = only(sent(work(archived({"createdAt": 1_777_000_000_000}, T[3]), None)))
    assert change["data"] == {"createdAt": 1_777_000_000_000, "updatedAt": T[3], **SCOPE}


@pytest.mark.parametrize(
    ("own", "put_back"),
    [
        ({"createdAt": FUTURE}, None),
        ({"createdAt": "yesterday"}, None),
        ({"createdAt": T[1], "updatedAt": FUTURE}, FUTURE),
        ({"createdAt": T[1], "updatedAt": 5}, 5),
        ({"updatedAt": ""}, ""),
    ],
    ids=["future", "no ISO time", "future update", "number", "empty"],
)
def test_a_time_that_no_client_takes_is_put_back_by_an_update(own: JSON, put_back: JSON) -> None:
    first, second = sent(work(archived({"title": "A", **own}, T[2]), None))
    assert first["data"] == {"title": "A", **own, "updatedAt": T[2], **SCOPE}
    assert second["fields"] == {"updatedAt": {"value": put_back, "at": NOW}}


def test_later_field_times_of_the_archive_survive_exactly() -> None:
    row = archived({"title": "A", "order": 1, "createdAt": T[1]}, T[1], times={"title": T[5], "order": FUTURE})
    _, second = sent(work(row, None))
    assert second["fields"] == {"title": {"value": "A", "at": T[5]}, "order": {"value": 1, "at": NOW}}


def test_the_time_of_something_within_an_object_is_that_of_the_object() -> None:
    row = archived({"metadata": {"x": 1}, "createdAt": T[1]}, T[1], times={"metadata.x": T[6]})
    _, second = sent(work(row, None))
    assert second["fields"] == {"metadata": {"value": {"x": 1}, "at": T[6]}}


def test_a_key_with_a_dot_stands_in_the_insert_alone() -> None:
    row = archived({"a.b": 1, "title": "A", "createdAt": T[1]}, T[5])
    first, second = sent(work(row, None))
    assert first["data"]["a.b"] == 1
    assert "a.b" not in second["fields"]


# --- updates ----------------------------------------------------------------------------------------------------------


def test_an_update_is_later_than_every_stamp_of_the_row() -> None:
    target = held(insert({"title": "B"}, T[1]), update(NOW, title="C"))
    fields = only(sent(work(archived({"title": "A"}), target)))["fields"]
    assert {field["at"] for field in fields.values()} == {"2026-06-01T12:00:00.001Z"}


def test_an_update_says_that_the_row_is_not_deleted_so_that_a_stale_delete_loses() -> None:
    target = held(insert({"title": "B"}, T[1]))
    change = only(sent(work(archived({"title": "A"}), target)))
    assert change["fields"]["deletedAt"] == {"value": None, "at": NOW}
    client = Client()
    client.apply("tasks", [*target.changes, change, delete(T[29])] if target else [], "2026-06-01T12:00:01.000Z")
    assert client.shown("tasks")["a"]["title"] == "A"


def test_an_update_keeps_the_rows_own_identity_and_restates_it_for_clients_that_have_forgotten_it() -> None:
    target = held(insert({"title": "B", "spaceId": HOME, "authorId": "author", "visibility": "private"}, T[1]))
    change = only(sent(work(archived({"title": "A", "visibility": "space"}), target)))
    values = {name: field["value"] for name, field in change["fields"].items()}
    assert (values["spaceId"], values["authorId"], values["visibility"]) == (HOME, "author", "space")
    assert change["spaceId"] == HOME


def test_an_update_gives_a_row_no_identity_that_it_did_not_have() -> None:
    change = only(sent(work(archived({"title": "A"}), held(insert({"title": "B"}, T[1], spaceId=HOME)))))
    assert not change["fields"].keys() & {"spaceId", "authorId", "userId"}


def test_an_update_names_no_key_with_a_dot() -> None:
    target = held(insert({"title": "B", "a.b": 1}, T[1]))
    change = only(sent(work(archived({"title": "A", "a.b": 1}), target)))
    assert "a.b" not in change["fields"]


# --- replaces ---------------------------------------------------------------------------------------------------------


def test_a_replace_is_a_delete_without_a_time_an_insert_with_one_and_an_update_of_all_fields() -> None:
    row = archived({"title": "A", "a.b": 1}, T[3])
    removal, first, second = sent(work(row, held(insert({"title": "B"}))))
    assert "deletedAt" not in removal
    assert first["data"] == {"title": "A", "a.b": 1, "createdAt": T[3], **SCOPE}
    written = {name: field["value"] for name, field in second["fields"].items()}
    assert written == {"title": "A", "createdAt": T[3], "deletedAt": None, **SCOPE}
    assert {field["at"] for field in second["fields"].values()} == {NOW}


def test_a_replace_puts_an_unusable_time_back() -> None:
    row = archived({"title": "A", "createdAt": FUTURE}, T[3])
    _, first, second = sent(work(row, held(insert({"title": "B"}))))
    assert (first["data"]["createdAt"], first["data"]["updatedAt"]) == (FUTURE, T[3])
    assert (second["fields"]["createdAt"]["value"], second["fields"]["updatedAt"]["value"]) == (FUTURE, None)


def test_bootstrapped_rows_are_replaced_with_their_scope() -> None:
    bootstrap = {"id": "a", "content": ""}
    table = REGISTRY.by_name["kontextDoc"]
    target = held({"table": "kontextDoc", "id": "a", "op": "insert", "data": bootstrap, "spaceId": HOME}, table=table)
    changes = sent(work(archived({"content": "mine"}, T[3], table=table), target, table=table))
    assert [change["op"] for change in changes] == ["delete", "insert", "update"]
    assert {name: changes[1]["data"][name] for name in SCOPE} == SCOPE


# --- whose it is ------------------------------------------------------------------------------------------------------


def test_every_change_says_who_restored() -> None:
    for change in sent(work(archived({"title": "A"}), held(insert({"title": "B"})))):
        assert change["actor"] == {"kind": "system", "principalId": "system:migration", "displayName": "manabackup"}
        assert change["origin"] == "migration"


def test_every_change_of_a_row_in_a_space_names_the_space_deletes_too() -> None:
    changes = sent(work(archived({"title": "A"}), held(insert({"title": "B"}))))
    assert [change["spaceId"] for change in changes] == [HOME] * 3


def test_rows_of_the_user_carry_the_user_and_no_space() -> None:
    change = only(sent(work(archived({"theme": "dark"}, table=SETTINGS), None, table=SETTINGS)))
    assert "spaceId" not in change
    assert present(change["data"]) == {"theme": "dark", "createdAt": NOW, "userId": USER}


def test_visibility_is_kept_where_the_row_has_one() -> None:
    change = only(sent(work(archived({"visibility": "guild", "createdAt": T[1]}), None)))
    assert change["data"]["visibility"] == "guild"


@given(st.sampled_from(REGISTRY.tables), st.booleans())
def test_no_row_belongs_to_a_user_and_a_space(table: Any, exists: bool) -> None:
    values = {"title": "A"}
    target = held(insert({"title": "B"}), table=table) if exists else None
    done = work(archived(values, table=table), target, table=table, replace_ai=True)
    for change in sent(done):
        owned = change.get("data", change.get("fields", {})).keys() & {"userId", "spaceId"}
        assert owned == ({"spaceId"} if table.scope == "space" else {"userId"}) or change["op"] == "delete"


def test_a_row_in_another_space_of_the_target_is_not_moved() -> None:
    target = held(insert({"title": "B", "spaceId": CLUB}, T[1]))
    done = work(archived({"title": "A"}), target)
    assert done.decision.reason is Reason.IN_ANOTHER_SPACE
    mine = held(insert({"title": "B", "spaceId": HOME}, T[1]))
    done = work(archived({"title": "A"}), mine, destination=RowDestination(CLUB, shared=True))
    assert done.decision.reason is Reason.IN_ANOTHER_SPACE


def test_a_space_of_the_target_that_nobody_knows_is_not_written_into() -> None:
    spaces = TargetSpaces(USER)
    done = work(archived({"title": "A"}), held(insert({"title": "B", "spaceId": "?"}, T[1])), spaces=spaces)
    assert done.decision.reason is Reason.UNKNOWN_SPACE


def test_a_row_under_the_stand_in_of_the_personal_space_moves_into_it_when_it_is_replaced() -> None:
    stand_in = f"_personal:{USER}"
    data = {"title": "B", "spaceId": stand_in}
    replaced = sent(work(archived({"title": "A"}), held(insert(data, spaceId=stand_in))))
    assert [change["spaceId"] for change in replaced] == [HOME] * 3
    updated = only(sent(work(archived({"title": "A"}), held(insert(data, T[1], spaceId=stand_in)))))
    assert (updated["spaceId"], updated["fields"]["spaceId"]["value"]) == (stand_in, stand_in)


def test_a_row_whose_space_is_out_of_bounds_is_reported_unless_it_is_there_already() -> None:
    row = archived({"title": "A"})
    assert work(row, None, destination=Reason.OTHER_SPACE).decision.reason is Reason.OTHER_SPACE
    equal = held(insert({"title": "A"}, T[1]))
    assert outline(work(row, equal, destination=Reason.OTHER_SPACE)) == ("unchanged", "")


def test_changes_go_to_the_collection_whose_stream_is_read_last() -> None:
    table = REGISTRY.by_name["articleImportJobs"]
    stray = {**insert({"state": "B"}, T[1]), "table": "articleImportJobs"}
    row = archived({"state": "A"}, table=table)
    assert work(row, None, table=table).collection == "importJobs"
    assert work(row, held(stray, table=table), table=table).collection == "articleImportJobs"


def test_what_the_plan_saw_of_a_row_is_known_by_its_events() -> None:
    ours = sent(work(archived({"title": "A", "createdAt": T[1]}), None))[0] | {"eventId": "e-1"}
    theirs = update(T[9], {"eventId": "e-2", "actor": XENIA}, title="B")
    assert work(archived({"title": "C"}), held(ours, theirs)).earlier == [event_of(ours), event_of(theirs)]


# --- what the server refuses ------------------------------------------------------------------------------------------

DEEP: JSON = None
for _ in range(9_990):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"title": "a\0b"}, Reason.NUL),
        ({"a\0b": 1}, Reason.NUL),
        ({"order": Number("1e309")}, Reason.NUMBER),
        ({"order": Number("9" * 400)}, Reason.NUMBER),
        ({"deep": DEEP}, Reason.NESTING),
        ({"title": "x" * 11_000_000}, Reason.TOO_LARGE),
    ],
    ids=["NUL", "NUL in a name", "exponent", "digits", "nesting", "size"],
)
def test_what_the_server_would_refuse_is_found_before_anything_is_deleted(values: JSON, reason: Reason) -> None:
    done = work(archived(values), held(insert({"title": "B"})))
    assert (done.decision.reason, done.changes) == (reason, ())


def test_text_that_only_looks_like_a_nul_is_none() -> None:
    assert len(work(archived({"title": "\\u0000", "createdAt": T[1]}), None).changes) == 1


@pytest.mark.parametrize("row_id", ["", "\ud83d"])
def test_a_row_whose_id_the_server_would_change_is_not_sent(row_id: str) -> None:
    assert work(archived({"title": "A"}, row_id=row_id), None).decision.reason is Reason.BAD_ID


def test_a_row_too_large_to_be_sent_twice_is_inserted_without_its_history() -> None:
    row = archived({"title": "x" * 6_000_000, "createdAt": T[1]}, T[5])
    assert outline(work(row, None)) == ("insert", "insert")


def test_halves_of_surrogate_pairs_go_as_the_server_would_keep_them() -> None:
    done = work(archived({"title": "\ud83d", "path": "\\ud83d", "createdAt": T[1]}), None)
    data = sent(done)[0]["data"]
    assert (data["title"], data["path"]) == ("\ufffd", "\\ud83d")


@given(st.lists(st.sampled_from(["insert", "update", "delete"])))
def test_a_deletion_survives_as_one_for_every_target(operations: list[str]) -> None:
    made = {"insert": insert({"title": "B"}), "update": update(T[4], title="C"), "delete": delete(T[6])}
    before = [made[operation] for operation in operations]
    row = archived({"title": "A", "deletedAt": T[8]}, T[8])
    after = [*before, *sent(work(row, held(*before)))]
    assert fold(TASKS, after).state == "tombstone"


def test_spaces_of_the_target_are_told_apart() -> None:
    assert SPACES.is_personal(HOME)
    assert SPACES.is_personal("_personal:guest")
    assert not SPACES.is_personal(CLUB)
    assert not SPACES.is_personal("elsewhere")


def test_changes_are_canonical_json() -> None:
    for text in work(archived({"title": "A"}), held(insert({"title": "B"}))).changes:
        assert jsontext.dumps(jsontext.parse(text)) == text


def test_missions_are_rows_of_a_space() -> None:
    assert only(sent(work(archived({"createdAt": T[1]}, table=MISSIONS), None, table=MISSIONS)))["spaceId"] == HOME
