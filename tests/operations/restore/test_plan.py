"""The table of the plan, cell by cell: what the target has against what is to happen on a conflict."""

from __future__ import annotations

from typing import Any

import pytest

from manabackup.crypto.fields import FieldCipher
from manabackup.operations.restore.decision import Fault, Need, Reason, RowAction
from tests.model.projection.changes import WATCHER, XENIA, T, delete, insert, update

from .rows import CIPHER, HOME, MISSIONS, NOW, archived, held, outline, present, sent, work

JSON = Any

NOTHING: list[JSON] = []
GONE = [insert({"title": "then"}, T[1]), delete(None)]
EQUAL = [insert({"title": "A", "spaceId": HOME}, T[1])]
EQUAL_BUT_SHOWN_OTHERWISE = [insert({"title": "B", "spaceId": HOME}, T[1]), update("", title="A")]
EQUAL_UNSOUND = [insert({"title": "old", "spaceId": HOME}), update(T[2], title="A")]
SOUND = [insert({"title": "B", "spaceId": HOME}, T[1])]
UNSOUND = [insert({"title": "B", "spaceId": HOME}), update(T[9], title="C")]
FUTURE = [insert({"title": "B", "spaceId": HOME}, T[1]), update("2031-01-01T00:00:00.000Z", title="C")]
TOMBSTONE = [*SOUND, delete(T[10])]
UNSOUND_TOMBSTONE = [*UNSOUND, delete(T[10])]

INSERT, REPLACE, REVIVE = "insert update", "delete insert update", "revive"
UNCHANGED, SKIPPED, CONFLICT = ("unchanged", ""), ("skipped", ""), ("conflict", "")

CELLS: list[tuple[str, list[JSON], dict[str, tuple[str, str]]]] = [
    ("nothing", NOTHING, dict.fromkeys(("overwrite", "newer", "skip", "fail"), ("insert", INSERT))),
    ("gone", GONE, dict.fromkeys(("overwrite", "newer", "skip", "fail"), ("insert", REPLACE))),
    ("equal", EQUAL, dict.fromkeys(("overwrite", "newer", "skip", "fail"), UNCHANGED)),
    (
        "equal and shown otherwise, sound",
        EQUAL_BUT_SHOWN_OTHERWISE,
        dict.fromkeys(("overwrite", "newer", "skip", "fail"), UNCHANGED),
    ),
    (
        "equal and shown otherwise, unsound",
        EQUAL_UNSOUND,
        dict.fromkeys(("overwrite", "newer", "skip", "fail"), UNCHANGED),
    ),
    (
        "different, sound",
        SOUND,
        {"overwrite": ("update", "update"), "newer": ("update", "update"), "skip": SKIPPED, "fail": CONFLICT},
    ),
    (
        "different, without a time",
        UNSOUND,
        {"overwrite": ("update", REPLACE), "newer": ("update", REPLACE), "skip": SKIPPED, "fail": CONFLICT},
    ),
    (
        "different, with a time in the future",
        FUTURE,
        {"overwrite": ("update", REPLACE), "newer": SKIPPED, "skip": SKIPPED, "fail": CONFLICT},
    ),
    (
        "tombstone, sound",
        TOMBSTONE,
        {"overwrite": (REVIVE, "update"), "newer": SKIPPED, "skip": SKIPPED, "fail": CONFLICT},
    ),
    (
        "tombstone, unsound",
        UNSOUND_TOMBSTONE,
        {"overwrite": (REVIVE, REPLACE), "newer": SKIPPED, "skip": SKIPPED, "fail": CONFLICT},
    ),
]


@pytest.mark.parametrize(
    ("target", "on_conflict", "expected"),
    [
        pytest.param(target, mode, expected, id=f"{name}-{mode}")
        for name, target, cells in CELLS
        for mode, expected in cells.items()
    ],
)
def test_R1_each_state_of_the_target_has_one_answer(
    target: list[JSON], on_conflict: str, expected: tuple[str, str]
) -> None:
    values = {"title": "A", "createdAt": T[1]}
    if target is EQUAL_UNSOUND:
        del values["createdAt"]
    assert outline(work(archived(values, T[5]), held(*target), on_conflict)) == expected


@pytest.mark.parametrize(
    ("target", "on_conflict", "expected"),
    [
        pytest.param(target, mode, written if mode in ("overwrite", "newer") else UNCHANGED, id=f"{name}-{mode}")
        for name, target, written in (
            ("sound", EQUAL_BUT_SHOWN_OTHERWISE, ("repair", "update")),
            ("unsound", EQUAL_UNSOUND, ("repair", REPLACE)),
        )
        for mode in ("overwrite", "newer", "skip", "fail")
    ],
)
def test_equal_rows_that_clients_show_otherwise_are_counted_and_written_only_when_that_is_asked_for(
    target: list[JSON], on_conflict: str, expected: tuple[str, str]
) -> None:
    row = archived({"title": "A", **({"createdAt": T[1]} if target is EQUAL_BUT_SHOWN_OTHERWISE else {})}, T[5])
    left, repaired = (work(row, held(*target), on_conflict, repair=repair) for repair in (False, True))
    assert left.decision.need == repaired.decision.need == Need(Fault.OTHER_VALUES, ("title",))
    assert (outline(left), outline(repaired)) == (UNCHANGED, expected)


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ([insert({"title": "A"}, T[1], actor=None)], Fault.NOT_SHOWN),
        ([insert({"title": "A", "deletedAt": T[9]}), update(T[10], deletedAt=None)], Fault.IN_THE_BIN),
    ],
)
def test_rows_that_some_clients_do_not_show_are_in_need_of_repair(target: list[JSON], fault: Fault) -> None:
    done = work(archived({"title": "A"}, T[5]), held(*target))
    assert (outline(done), done.decision.need) == (UNCHANGED, Need(fault))


def test_a_row_of_ai_in_need_of_repair_is_repaired_only_when_replacing_is_asked_for() -> None:
    row, target = archived({"title": "A"}, T[5], table=MISSIONS), held(*EQUAL_UNSOUND, table=MISSIONS)
    assert outline(work(row, target, table=MISSIONS)) == UNCHANGED
    assert work(row, target, table=MISSIONS, repair=True).decision.reason is Reason.AI_NOT_REPLACED
    assert outline(work(row, target, table=MISSIONS, repair=True, replace_ai=True)) == ("repair", REPLACE)


def test_newer_revives_what_was_deleted_before_it_was_last_written() -> None:
    done = work(archived({"title": "A"}, T[11]), held(*TOMBSTONE), "newer")
    assert outline(done) == ("revive", "update")
    assert present(done.decision.values) == {"title": "A", "createdAt": T[1]}


def test_newer_takes_the_fields_whose_archived_time_is_later_and_leaves_the_others() -> None:
    target = held(insert({"title": "B", "order": 1, "color": "red", "note": "mine"}, T[1]), update(T[9], order=2))
    row = archived({"title": "A", "order": 3, "color": None}, T[5], times={"order": T[8], "color": T[6]})
    done = work(row, target, "newer")
    assert present(done.decision.values) == {"title": "A", "order": 2, "note": "mine", "createdAt": T[1]}


def test_newer_counts_what_was_written_inside_an_object() -> None:
    target = held(insert({"metadata": {"x": 1}}, T[1]), update(T[9], metadata__x=2))
    earlier = archived({"metadata": {"x": 3}}, T[1], times={"metadata.x": T[8]})
    later = archived({"metadata": {"x": 3}}, T[1], times={"metadata.x": T[10]})
    assert outline(work(earlier, target, "newer")) == SKIPPED
    assert outline(work(later, target, "newer")) == ("update", "update")


def test_overwrite_sets_to_null_what_only_the_target_has() -> None:
    done = work(archived({"title": "A"}), held(insert({"title": "A", "note": "mine"}, T[1])))
    fields = sent(done)[0]["fields"]
    assert fields["note"] == {"value": None, "at": NOW}


def test_a_time_that_only_the_target_has_makes_no_difference_and_is_left() -> None:
    times = {"createdAt": T[1], "updatedAt": T[2]}
    assert outline(work(archived({"title": "A"}), held(insert({"title": "A", **times})))) == UNCHANGED
    done = work(archived({"title": "A"}), held(insert({"title": "B", **times})))
    assert {name: done.decision.values[name] for name in times} == times


def test_rows_are_equal_whatever_the_columns_of_identity_say() -> None:
    target = held(insert({"title": "A", "spaceId": HOME, "authorId": "somebody", "visibility": "space"}, T[1]))
    assert outline(work(archived({"title": "A", "createdAt": T[1]}), target)) == UNCHANGED


def test_numbers_count_as_the_server_keeps_them_and_null_as_absent() -> None:
    target = held(insert({"order": 9007199254740992, "color": None}, T[1]))
    assert outline(work(archived({"order": 9007199254740993, "createdAt": T[1]}), target)) == UNCHANGED


def test_with_the_key_ciphertext_is_compared_by_what_it_says() -> None:
    target = held(insert({"title": CIPHER.encrypt(b'"A"')}, T[1]))
    private = frozenset({"title"})
    row = archived({"title": "A"}, private=private, cipher=CIPHER)
    assert outline(work(row, target)) == UNCHANGED
    assert outline(work(archived({"title": "B"}, private=private, cipher=CIPHER), target)) == ("update", "update")
    stranger = archived({"title": "A"}, private=private, cipher=FieldCipher(bytes(32)))
    assert outline(work(stranger, target)) == ("update", "update")


def test_without_the_key_a_ciphertext_equals_itself_alone() -> None:
    here, elsewhere = CIPHER.encrypt(b'"A"'), CIPHER.encrypt(b'"A"')
    target = held(insert({"title": here}, T[1]))
    assert outline(work(archived({"title": here}), target)) == UNCHANGED
    assert outline(work(archived({"title": elsewhere}), target)) == ("update", "update")


def test_unchanged_private_fields_go_with_the_ciphertext_that_the_target_has() -> None:
    here = CIPHER.encrypt(b'"A"')
    target = held(insert({"title": here, "order": 1}, T[1]))
    done = work(archived({"title": "A", "order": 2}, private=frozenset({"title"}), cipher=CIPHER), target)
    assert done.decision.values["title"] == here


def test_a_private_field_that_the_target_holds_in_clear_is_encrypted_when_its_row_is_written() -> None:
    target = held(insert({"title": "A", "order": 1}, T[1]))
    done = work(archived({"title": "A", "order": 2}, private=frozenset({"title"}), cipher=CIPHER), target)
    assert CIPHER.decrypt(done.decision.values["title"]) == b'"A"'


def test_what_the_archive_knows_nothing_of_stays_as_the_target_has_it() -> None:
    target = held(insert({"title": "enc:1:somebody's", "order": 1}, T[1]))
    unknown = frozenset({"title"})
    assert outline(work(archived({"order": 1}, unknown=unknown), target)) == UNCHANGED
    done = work(archived({"order": 2}, unknown=unknown), target)
    assert done.decision.values["title"] == "enc:1:somebody's"


def test_rows_of_ai_are_replaced_only_when_that_is_asked_for() -> None:
    row = archived({"title": "A"}, table=MISSIONS)
    target = held(*UNSOUND, table=MISSIONS)
    done = work(row, target, table=MISSIONS)
    assert (done.decision.kind, done.decision.reason) == (RowAction.SKIPPED, Reason.AI_NOT_REPLACED)
    assert outline(work(row, target, table=MISSIONS, replace_ai=True)) == ("update", REPLACE)


def test_a_row_of_ai_that_was_deleted_without_a_trace_is_inserted_without_another_delete() -> None:
    row = archived({"title": "A"}, table=MISSIONS)
    assert outline(work(row, held(*GONE, table=MISSIONS), table=MISSIONS)) == ("insert", "insert update")
    assert outline(work(row, held(*GONE, table=MISSIONS), table=MISSIONS, replace_ai=True)) == ("insert", REPLACE)


@pytest.mark.parametrize(
    ("values", "target"),
    [
        ({"a.b": 1}, SOUND),
        ({}, [insert({"a.b": 1}, T[1])]),
        ({"a.b": 2}, [insert({"a.b": 1}, T[1])]),
        ({"a.b": 1}, [insert({"a.b": 1}, T[1]), delete(T[3])]),
    ],
    ids=["new", "only the target's", "different", "in the bin"],
)
def test_a_key_with_a_dot_changes_by_a_replace_alone(values: JSON, target: list[JSON]) -> None:
    assert sent(work(archived({"title": "A", **values}), held(*target)))[0]["op"] == "delete"


def test_archived_tombstones_put_a_live_row_into_the_bin() -> None:
    done = work(archived({"title": "B", "deletedAt": T[8]}, T[8]), held(*SOUND))
    assert outline(done) == ("update", "update")
    assert sent(done)[0]["fields"]["deletedAt"] == {"value": T[8], "at": NOW}


def test_newer_leaves_a_row_that_was_written_after_the_archive_saw_it_deleted() -> None:
    target = held(*SOUND, update(T[9], title="since"))
    assert outline(work(archived({"title": "B", "deletedAt": T[8]}, T[8]), target, "newer")) == SKIPPED


def test_an_equal_tombstone_is_left_alone() -> None:
    row = archived({"title": "B", "deletedAt": T[10], "createdAt": T[1]}, T[10])
    assert outline(work(row, held(*TOMBSTONE))) == UNCHANGED


@pytest.mark.parametrize(("actor", "typed"), [(XENIA, True), (WATCHER, False)])
def test_the_plan_knows_where_a_client_will_show_a_conflict(actor: JSON, typed: bool) -> None:
    target = held(insert({"title": "B", "order": 1}, T[1], actor=WATCHER), update(T[2], {"actor": actor}, title="C"))
    assert work(archived({"title": "A", "order": 1}), target).decision.typed_over is typed


def test_a_typed_value_that_stays_is_no_conflict() -> None:
    target = held(insert({"title": "B", "order": 1}, T[1], actor=WATCHER), update(T[2], {"actor": XENIA}, title="C"))
    assert not work(archived({"title": "C", "order": 2}), target).decision.typed_over


def test_a_link_does_not_outlive_the_visibility_that_it_belonged_to() -> None:
    target = held(insert({"visibility": "unlisted", "unlistedToken": "x", "visibilityChangedBy": "u"}, T[1]))
    done = work(archived({"visibility": "private"}), target)
    assert present(done.decision.values) == {"visibility": "private", "createdAt": T[1]}
    done = work(archived({"title": "A"}, unknown=frozenset({"visibility", "unlistedToken"})), target)
    assert done.decision.values["unlistedToken"] == "x"
