"""Audit: what is found in an account, each thing at its place, and nothing else."""

from __future__ import annotations

import os
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.errors import UsageError
from manabackup.limits import MIB
from manabackup.mirror import LossKind
from manabackup.model import registry
from manabackup.model.projection import Record
from manabackup.operations.audit import ciphertexts, references
from manabackup.operations.audit.ciphertexts import Ciphertexts
from manabackup.operations.audit.findings import KINDS, MOST_CASES, Finding, Findings, Severity
from manabackup.operations.audit.vault import VaultState
from manabackup.text import jsontext
from tests.support.audited import (
    ELSEWHERE,
    HOME,
    OTHER_CIPHER,
    OTHER_USER,
    TEAM,
    USER,
    Case,
    Stored,
    T,
    cases,
    delete,
    insert,
    looked_at,
    respelled,
    sealed,
    under_nonce,
    update,
)

JSON = Any
FAR = "2999-01-01T00:00:00.000Z"
EXAMPLES = int(os.environ.get("MANABACKUP_AUDIT_EXAMPLES", "40"))


def only(found: set[Case], kind: str) -> list[tuple[Any, ...]]:
    """The places of a kind."""
    return sorted(case[1:] for case in found if case[0] == kind)


# --- private fields in clear ------------------------------------------------------------------------------------------


def test_a_private_field_in_clear_is_found_by_table_row_and_field_and_its_value_is_nowhere(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            insert("notes", "n1", {"title": "offen-zu-lesen", "content": sealed(), "color": "rot"}),
            insert("notes", "n2", {"title": "", "content": None}),
            insert("tasks", "t1", {"title": sealed(), "subtasks": [{"title": "offen-zu-lesen"}]}),
            insert("userContext", "singleton", {"freeform": "offen-zu-lesen"}),
        ],
    )
    finding = found.finding("plaintextField")
    assert finding is not None
    assert (finding.count, finding.tables) == (4, {"notes": 2, "tasks": 1, "userContext": 1})
    assert finding.cases == [
        {"table": "tasks", "id": "t1", "field": "subtasks"},
        {"table": "notes", "id": "n1", "field": "title"},
        {"table": "notes", "id": "n2", "field": "title"},
        {"table": "userContext", "id": "singleton", "field": "freeform"},
    ]
    assert b"offen-zu-lesen" not in jsontext.dumps(found.to_json())


def test_rows_in_the_bin_count_too_and_rows_that_are_gone_only_in_the_history(tmp_path: Path) -> None:
    found = cases(
        looked_at(
            tmp_path,
            [
                insert("notes", "bin", {"title": "x"}),
                delete("notes", "bin", T[1]),
                insert("notes", "gone", {"title": "x"}),
                delete("notes", "gone", None),
            ],
        )
    )
    assert found == {("plaintextField", "notes", "bin", "title"), ("historyInClear", "notes", "gone", "title")}


def test_S6_ciphertext_that_was_replaced_by_plaintext_is_told_from_what_was_never_encrypted(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            insert("notes", "never", {"title": "x"}),
            insert("notes", "replaced", {"title": sealed()}),
            update("notes", "replaced", {"title": "untergeschoben"}, T[1]),
        ],
    )
    finding = found.finding("plaintextField")
    assert finding is not None
    assert [(case["id"], case.get("reason")) for case in finding.cases] == [
        ("never", None),
        ("replaced", "replacedCiphertext"),
    ]


def test_what_a_later_version_may_have_encrypted_is_marked(tmp_path: Path) -> None:
    finding = looked_at(tmp_path, [insert("notes", "n", {"title": "enc:2:abc"})]).finding("plaintextField")
    assert finding is not None
    assert finding.cases == [{"table": "notes", "id": "n", "field": "title", "reason": "otherVersion"}]


def test_what_was_encrypted_later_is_no_finding_but_a_note_that_the_log_has_it(tmp_path: Path) -> None:
    found = looked_at(tmp_path, [insert("notes", "n", {"title": "x"}), update("notes", "n", {"title": sealed()}, T[1])])
    assert cases(found) == {("historyInClear", "notes", "n", "title")}
    assert found.is_clean


@pytest.mark.parametrize(
    ("space", "kind", "clean"),
    [
        (HOME, "plaintextField", False),
        ("_personal:user-a", "plaintextField", False),
        (None, "plaintextField", False),
        (TEAM, "plaintextShared", True),
        (ELSEWHERE, "plaintextUnknownSpace", False),
    ],
)
def test_what_stands_in_clear_counts_by_the_kind_of_space(
    tmp_path: Path, space: str | None, kind: str, clean: bool
) -> None:
    app, collection, change = insert("notes", "n", {"title": "x", "spaceId": space})
    found = looked_at(tmp_path, [(app, collection, {k: v for k, v in change.items() if k != "spaceId" or v})])
    assert (cases(found), found.is_clean) == ({(kind, "notes", "n", "title")}, clean)


def test_a_space_that_somebody_names_as_their_own_is_known(tmp_path: Path) -> None:
    stored = [insert("notes", "n", {"title": "x", "spaceId": ELSEWHERE})]
    found = looked_at(tmp_path, stored, personal_space=ELSEWHERE)
    assert only(cases(found), "plaintextField") == [("notes", "n", "title")]


def test_a_space_that_is_known_to_be_another_is_not_the_users_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is shared"):
        looked_at(tmp_path, [], personal_space=TEAM)
    with pytest.raises(UsageError, match="not a member") as caught:
        looked_at(tmp_path, [], personal_space="space-hame", memberships=frozenset([HOME, TEAM]))
    assert str(caught.value.hint).startswith(f"did you mean {HOME}")


@pytest.mark.parametrize(
    ("space", "author", "kind"),
    [
        (HOME, USER, None),
        (TEAM, USER, None),
        ("_personal:user-a", USER, None),
        (None, USER, None),
        (ELSEWHERE, USER, "strandedRow"),
        (ELSEWHERE, None, "strandedRow"),
        (ELSEWHERE, "user-b", "formerSpaceRow"),
    ],
)
def test_rows_in_spaces_that_the_account_is_no_member_of_are_found(
    tmp_path: Path, space: str | None, author: str | None, kind: str | None
) -> None:
    app, collection, change = insert("notes", "n", {"title": sealed(), "spaceId": space, "authorId": author})
    stored = [(app, collection, {name: value for name, value in change.items() if name != "spaceId" or value})]
    whose = {"strandedRow", "formerSpaceRow"}
    found = looked_at(tmp_path, stored, memberships=frozenset([HOME, TEAM]))
    assert {case for case in cases(found) if case[0] in whose} == ({(kind, "notes", "n", None)} if kind else set())
    # Where the account service did not say, nobody knows.
    assert not any(case[0] in whose for case in cases(looked_at(tmp_path, stored)))


# --- what does not open -----------------------------------------------------------------------------------------------


def test_fields_that_the_key_does_not_open_are_errors_where_they_are_the_users_own(tmp_path: Path) -> None:
    foreign = [sealed(cipher=OTHER_CIPHER) for _ in range(3)]
    found = looked_at(
        tmp_path,
        [
            insert("notes", "mine", {"title": foreign[0]}),
            insert("notes", "theirs", {"title": foreign[1], "spaceId": TEAM}),
            insert("notes", "whose", {"title": foreign[2], "spaceId": ELSEWHERE}),
            insert("notes", "text", {"title": "enc:1:nonsense", "color": "enc:1:", "spaceId": TEAM}),
        ],
    )
    assert cases(found) == {
        ("plaintextShared", "notes", "text", "title"),
        ("likeCiphertext", "notes", "text", "title"),
        ("likeCiphertext", "notes", "text", "color"),
        ("undecryptable", "notes", "mine", "title"),
        ("foreignCiphertext", "notes", "theirs", "title"),
        ("undecryptableUnknownSpace", "notes", "whose", "title"),
    }
    assert (found.opened, found.own_unopened) == (0, 1)


def test_without_the_key_nothing_is_said_of_what_it_would_open_and_all_else_is(tmp_path: Path) -> None:
    stored = [insert("notes", "n", {"title": sealed(cipher=OTHER_CIPHER), "content": "x"})]
    found = looked_at(tmp_path, stored, locked=True)
    assert cases(found) == {("plaintextField", "notes", "n", "content"), ("notOpened", None, None, None)}
    assert found.key_fingerprint is None


def test_where_there_is_no_vault_ciphertext_is_lost_and_everything_else_in_clear(tmp_path: Path) -> None:
    stored = [insert("notes", "n", {"title": sealed(), "content": "x"})]
    found = cases(looked_at(tmp_path, stored, VaultState("none"), cipher=None))
    assert found == {
        ("noVault", None, None, None),
        ("undecryptable", "notes", "n", "title"),
        ("plaintextField", "notes", "n", "content"),
    }


# --- ciphertexts and nonces -------------------------------------------------------------------------------------------


def test_S6_a_ciphertext_that_was_moved_is_found_at_both_places(tmp_path: Path) -> None:
    value = sealed()
    found = looked_at(
        tmp_path,
        [
            insert("notes", "n", {"title": value}),
            insert("journalEntries", "j", {"content": respelled(value)}),
            insert("notes", "other", {"title": sealed()}),
        ],
    )
    assert cases(found) == {
        ("ciphertextRepeated", "journalEntries", "j", "content"),
        ("ciphertextRepeated", "notes", "n", "title"),
    }


def test_a_value_that_was_moved_from_where_it_no_longer_stands_is_found_too(tmp_path: Path) -> None:
    value = sealed()
    stored = [
        insert("notes", "was", {"title": value}),
        update("notes", "was", {"title": sealed("neu")}, T[1]),
        insert("tasks", "holds", {"title": value}),
    ]
    assert cases(looked_at(tmp_path, stored)) == {("ciphertextRepeated", "tasks", "holds", "title")}
    mended = [*stored, update("tasks", "holds", {"title": sealed("richtig")}, T[2])]
    assert cases(looked_at(tmp_path, mended)) == set()


def test_one_ciphertext_in_two_fields_of_a_row_and_inside_an_object_is_found(tmp_path: Path) -> None:
    value = sealed()
    stored = [
        insert("notes", "n", {"title": value, "content": value, "look": {}}),
        update("notes", "n", {"look.paper": value}, T[1]),
    ]
    assert only(cases(looked_at(tmp_path, stored)), "ciphertextRepeated") == [
        ("notes", "n", "content"),
        ("notes", "n", "look.paper"),
        ("notes", "n", "title"),
    ]


def test_retried_pushes_and_fields_that_ride_along_are_no_finding(tmp_path: Path) -> None:
    first, second = sealed("a"), sealed("b")
    once = [
        insert("notes", "n", {"title": first, "content": second}),
        update("notes", "n", {"content": sealed("c")}, T[1]),
        update("notes", "n", {"title": first, "deletedAt": None}, T[2]),
    ]
    assert cases(looked_at(tmp_path, [*once, *once])) == set()


def test_a_nonce_that_was_used_twice_is_found_wherever_in_the_history(tmp_path: Path) -> None:
    nonce = bytes(12)
    found = looked_at(
        tmp_path,
        [
            insert("notes", "n", {"title": under_nonce(nonce, "a")}),
            update("notes", "n", {"title": sealed()}, T[1]),
            insert("tasks", "t", {"title": under_nonce(nonce, "b")}),
            insert("tasks", "gone", {"title": under_nonce(nonce, "c")}),
            delete("tasks", "gone", None),
            (
                "mystery",
                "things",
                {"table": "things", "id": "x", "op": "insert", "data": {"v": under_nonce(nonce, "d")}},
            ),
        ],
    )
    assert only(cases(found), "nonceReused") == [
        ("mystery.things", "x", "v"),
        ("notes", "n", "title"),
        ("tasks", "gone", "title"),
        ("tasks", "t", "title"),
    ]


def test_a_nonce_that_was_used_twice_in_one_field_is_found(tmp_path: Path) -> None:
    values = [under_nonce(bytes(12), text) for text in "ab"]
    stored = [insert("notes", "n", {"title": values[0]}), update("notes", "n", {"title": values[1]}, T[1])]
    finding = looked_at(tmp_path, stored).finding("nonceReused")
    assert finding is not None
    assert (finding.count, finding.tables) == (2, {"notes": 2})


def test_S6_an_old_ciphertext_that_comes_back_is_found(tmp_path: Path) -> None:
    old, new = sealed("alt"), sealed("neu")
    stored = [
        insert("notes", "n", {"title": old}),
        update("notes", "n", {"title": new}, T[1]),
        update("notes", "n", {"title": old}, T[2]),
    ]
    assert cases(looked_at(tmp_path, stored)) == {("ciphertextReplayed", "notes", "n", "title")}
    # With its old time it changes nothing, as a push that was tried again.
    late = [*stored[:2], update("notes", "n", {"title": old}, T[0])]
    assert cases(looked_at(tmp_path, late)) == set()


def test_one_nonce_everywhere_costs_no_memory_and_all_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ciphertexts, "_BUDGET", MIB)
    places, value = 8_000, sealed()
    search = Ciphertexts(tempfile.TemporaryFile)
    tracemalloc.start()
    try:
        for number in range(places):
            search.add("notes", f"note-{number}-{'x' * 1_200}", [("title", value, True)])
        findings = Findings()
        search.find(findings)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    finding = findings.of("ciphertextRepeated")
    assert (finding.count, len(finding.cases), finding.tables) == (places, MOST_CASES, {"notes": places})
    assert peak < 6 * MIB  # of more than 10


# --- whose rows -------------------------------------------------------------------------------------------------------


def test_rows_with_two_owners_and_rows_of_others_are_found(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            insert("tasks", "both", {"userId": USER}),
            insert("userSettings", "settings-global", {"theme": "dark"}, spaceId=TEAM),
            insert("spaceMembers", "data", {"userId": OTHER_USER}),
            insert("tasks", "pushed", {"authorId": OTHER_USER}),
            insert("tasks", "theirs", {"authorId": OTHER_USER, "spaceId": TEAM}),
            insert("tasks", "mine", {"authorId": USER}),
        ],
    )
    assert cases(found) == {
        ("twoOwners", "tasks", "both", None),
        ("twoOwners", "userSettings", "settings-global", None),
        ("strangeAuthor", "tasks", "pushed", None),
        ("memberRow", "tasks", "theirs", None),
    }


def test_S10_times_beyond_tomorrow_are_found_in_whatever_form_they_win(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            insert("tasks", "years", {"order": 1}, "2031-01-01T00:00:00.000Z"),
            insert("tasks", "today", {"order": 1}, "2026-06-02T11:59:59.999Z"),
            insert("tasks", "field", {"order": 1}),
            update("tasks", "field", {"order": 2}, "2026-06-02T12:00:00.001Z"),
            insert("tasks", "words", {"order": 1}, "morgen"),
            insert("tasks", "digits", {"order": 1}, "1780000000000"),
        ],
    )
    assert only(cases(found), "futureTime") == [
        ("tasks", "field", None),
        ("tasks", "words", None),
        ("tasks", "years", None),
    ]


# --- references -------------------------------------------------------------------------------------------------------


def test_references_are_followed_through_fields_lists_and_junctions(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            insert("notes", "n", {"title": sealed()}),
            insert("noteTags", "whole", {"noteId": "n", "tagId": "tag"}),
            insert("noteTags", "broken", {"noteId": "nowhere", "tagId": "no-tag"}),
            insert("globalTags", "tag", {"name": sealed()}),
            insert("reminders", "r", {"taskId": "elsewhere"}),
            insert("bodyRoutines", "b", {"exerciseIds": ["e1", "e2", "e3", 7, None]}),
            insert("bodyExercises", "e1", {}),
            insert("events", "e", {"calendarId": "personal-calendar", "timeBlockId": None, "tagIds": ["tag", "?"]}),
            insert("tasks", "t", {"projectId": "p"}),
            insert("todoProjects", "p", {}),
            delete("todoProjects", "p", T[1]),
            insert("reminders", "in the bin", {"taskId": "elsewhere"}),
            delete("reminders", "in the bin", T[1]),
        ],
    )
    assert only(cases(found), "danglingReference") == [
        ("bodyRoutines", "b", "exerciseIds"),
        ("noteTags", "broken", "noteId"),
        ("reminders", "r", "taskId"),
    ]
    assert only(cases(found), "danglingTag") == [("events", "e", "tagIds"), ("noteTags", "broken", "tagId")]
    assert only(cases(found), "referenceToDeleted") == [("tasks", "t", "projectId")]
    finding = found.finding("danglingReference")
    assert finding is not None
    assert finding.tables == {"bodyRoutines": 2, "noteTags": 1, "reminders": 1}
    assert {case["reason"] for case in finding.cases} == {"bodyExercises", "notes", "tasks"}


def test_a_reference_that_a_newer_app_encrypts_is_followed_with_the_key(tmp_path: Path) -> None:
    stored = [
        insert("reminders", "leads", {"taskId": sealed("t")}),
        insert("reminders", "leads nowhere", {"taskId": sealed("?")}),
        insert("tasks", "t", {}),
    ]
    assert cases(looked_at(tmp_path, stored)) == {("danglingReference", "reminders", "leads nowhere", "taskId")}
    assert only(cases(looked_at(tmp_path, stored, locked=True)), "danglingReference") == []


def test_what_leads_into_a_table_that_the_server_cannot_read_is_not_judged(tmp_path: Path) -> None:
    stored = [insert("reminders", "r", {"taskId": "unread"})]
    found = looked_at(tmp_path, stored, losses=[(LossKind.UNREADABLE_PAGE, "todo", "tasks")])
    assert cases(found) == {("unreadablePage", "tasks", None, None)}


def test_many_references_to_one_row_cost_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "_BUDGET", MIB)
    known = registry.load()
    search = references.References(known, tempfile.TemporaryFile)
    table, count = known.by_name["reminders"], 30_000
    tracemalloc.start()
    try:
        for number in range(count):
            record = Record(f"r{number}", values={"taskId": "nowhere"})
            search.add(table, record, record.values)
        findings = Findings()
        search.find(findings)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert findings.of("danglingReference").count == count
    assert peak < 6 * MIB  # of more than 10


# --- the account ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vault", "kinds"),
    [
        (VaultState("zero-knowledge", recovery_code=True), set()),
        (VaultState("zero-knowledge", recovery_code=False), {"lockedOut"}),
        (VaultState("standard", recovery_code=True), {"standardVault"}),
        (VaultState("standard", recovery_code=False), {"standardVault", "noRecoveryCode"}),
        (VaultState("standard"), {"standardVault"}),
        (VaultState("none"), {"noVault"}),
        (VaultState(), {"vaultUnknown"}),
    ],
)
def test_the_vault_is_judged(tmp_path: Path, vault: VaultState, kinds: set[str]) -> None:
    found = looked_at(tmp_path, [], vault)
    assert {case[0] for case in cases(found)} == kinds
    assert found.is_clean == all(KINDS[kind].severity is Severity.NOTE for kind in kinds)


def test_unknown_collections_and_changes_that_make_no_sense_are_found(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            ("todo", "novelties", {"table": "novelties", "id": "x", "op": "insert", "data": {"a": 1}}),
            ("todo", "tasks", {"table": "tasks", "id": "t", "op": "explode"}),
            ("todo", "tasks", {"table": "tasks", "op": "insert"}),
        ],
    )
    assert cases(found) == {
        ("unknownCollection", "todo.novelties", None, None),
        ("malformedChange", "tasks", "t", None),
        ("malformedChange", "tasks", None, None),
    }


def test_what_was_not_to_be_had_is_told(tmp_path: Path) -> None:
    notices = [("spaceTypesUnknown", "an access token does not tell them"), ("accountDataMissing", "not ours")]
    found = looked_at(tmp_path, [], notices=notices)
    assert cases(found) == {("spaceTypesUnknown", None, None, None)}


def test_the_gravest_comes_first_and_every_kind_says_what_to_do() -> None:
    severities = [kind.severity for kind in KINDS.values()]
    assert severities == sorted(severities, key=list(Severity).index)
    for kind in KINDS.values():
        assert kind.explanation.endswith(".")
        assert kind.advice.endswith(".")
        assert not kind.title.endswith(".")


def test_the_first_thousand_cases_are_named_and_all_are_counted() -> None:
    finding = Finding(KINDS["futureTime"])
    for number in range(MOST_CASES + 5):
        finding.add("tasks", f"t{number}" + "x" * 500)
    assert (finding.count, len(finding.cases)) == (MOST_CASES + 5, MOST_CASES)
    assert all(len(case["id"]) <= 200 for case in finding.cases)
    more = Finding(KINDS["futureTime"])
    more.add("notes", "n")
    more.take(finding)
    assert (more.count, len(more.cases), more.tables["tasks"]) == (MOST_CASES + 6, MOST_CASES, MOST_CASES + 5)


# --- all together -----------------------------------------------------------------------------------------------------

Fault = Callable[[str], tuple[Sequence[Stored], Sequence[Case]]]


def _note(kind: str | None, *values: str, space: str = HOME, field: str = "title") -> Fault:
    """A note whose title had these values, one after the other."""

    def fault(name: str) -> tuple[Sequence[Stored], Sequence[Case]]:
        stored = [insert("notes", name, {"title": values[0], "spaceId": space})]
        stored += [update("notes", name, {"title": value}, T[day]) for day, value in enumerate(values[1:], 1)]
        return stored, [(kind, "notes", name, field)] if kind is not None else []

    return fault


def _fresh(kind: str | None, *makers: Callable[[], str], space: str = HOME) -> Fault:
    return lambda name: _note(kind, *(make() for make in makers), space=space)(name)


def _moved(name: str) -> tuple[Sequence[Stored], Sequence[Case]]:
    value = sealed()
    stored = [insert("notes", name, {"title": value}), insert("tasks", name, {"title": value})]
    return stored, [("ciphertextRepeated", table, name, "title") for table in ("notes", "tasks")]


def _same_nonce(name: str) -> tuple[Sequence[Stored], Sequence[Case]]:
    nonce = os.urandom(12)
    stored = [insert(table, name, {"title": under_nonce(nonce, table)}) for table in ("notes", "tasks")]
    return stored, [("nonceReused", table, name, "title") for table in ("notes", "tasks")]


def _replayed(name: str) -> tuple[Sequence[Stored], Sequence[Case]]:
    old = sealed()
    return _note("ciphertextReplayed", old, sealed(), old)(name)


def _row(kind: str, table: str, data: JSON, field: str | None = None, **more: Any) -> Fault:
    return lambda name: ([insert(table, name, data, **more)], [(kind, table, name, field)])


def _unknown(name: str) -> tuple[Sequence[Stored], Sequence[Case]]:
    change = {"table": name, "id": "x", "op": "insert", "data": {"secret": sealed()}}
    return [("todo", name, change)], [("unknownCollection", f"todo.{name}", None, None)]


def _leads_into_the_bin(name: str) -> tuple[Sequence[Stored], Sequence[Case]]:
    stored = [insert("tasks", name, {}), delete("tasks", name, T[1]), insert("reminders", name, {"taskId": name})]
    return stored, [("referenceToDeleted", "reminders", name, "taskId")]


FAULTS: dict[str, Fault] = {
    "sound": _fresh(None, sealed, sealed),
    "in clear": _note("plaintextField", "x"),
    "replaced": _fresh("plaintextField", sealed, lambda: "x"),
    "once in clear": _fresh("historyInClear", lambda: "x", sealed),
    "shared in clear": _note("plaintextShared", "x", space=TEAM),
    "in clear elsewhere": _note("plaintextUnknownSpace", "x", space=ELSEWHERE),
    "other key": _fresh("undecryptable", lambda: sealed(cipher=OTHER_CIPHER)),
    "member's": _fresh("foreignCiphertext", lambda: sealed(cipher=OTHER_CIPHER), space=TEAM),
    "whose": _fresh("undecryptableUnknownSpace", lambda: sealed(cipher=OTHER_CIPHER), space=ELSEWHERE),
    "moved": _moved,
    "same nonce": _same_nonce,
    "replayed": _replayed,
    "future": _row("futureTime", "tasks", {}, at=FAR),
    "two owners": _row("twoOwners", "tasks", {"userId": USER}),
    "stranger": _row("strangeAuthor", "tasks", {"authorId": OTHER_USER}),
    "member": _row("memberRow", "tasks", {"authorId": OTHER_USER, "spaceId": TEAM}),
    "leads nowhere": _row("danglingReference", "reminders", {"taskId": "nowhere"}, "taskId"),
    "no tag": _row("danglingTag", "noteTags", {"tagId": "nowhere"}, "tagId"),
    "in the bin": _leads_into_the_bin,
    "unknown": _unknown,
    "capability": _row("capability", "links", {"password": "x", "shortCode": "public"}, "password"),
    "token": _row("capability", "tasks", {"unlistedToken": "x"}, "unlistedToken"),
    "text like ciphertext": _row("likeCiphertext", "tasks", {"note": "enc:1: it begins"}, "note"),
}


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(FAULTS)), max_size=25), st.booleans(), st.randoms(use_true_random=False))
def test_an_account_with_faults_yields_exactly_these_cases(
    tmp_path: Path, faults: list[str], retried: bool, random: Any
) -> None:
    histories: list[list[Stored]] = []
    wanted: list[Case] = []
    for number, fault in enumerate(faults):
        stored, expected = FAULTS[fault](f"x{number}")
        by_row: dict[JSON, list[Stored]] = {}
        for one in stored:
            by_row.setdefault((one[1], one[2]["id"]), []).append(one)
        # A push whose answer was lost is sent again as a whole, with nothing between.
        histories += [history * 2 if retried else history for history in by_row.values()]
        wanted += expected
    random.shuffle(histories)
    found = looked_at(tmp_path, [change for history in histories for change in history])
    assert cases(found) == set(wanted)
    assert sum(finding.count for finding in found.findings) == len(wanted)
    assert found.is_clean == all(KINDS[kind].severity is Severity.NOTE for kind, *_ in wanted)
