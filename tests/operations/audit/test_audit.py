"""Audit: what is found in an account, each thing at its place, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from manabackup.errors import UsageError
from manabackup.operations.audit.findings import KINDS, MOST_CASES, Finding, Severity
from manabackup.operations.audit.vault import VaultState
from manabackup.text import jsontext
from tests.support.audited import ELSEWHERE, HOME, TEAM, USER, T, cases, delete, insert, looked_at, only, sealed, update

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
