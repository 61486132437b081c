"""Ciphertexts that do not open, stand where they do not belong, or share a nonce."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import pytest

from manabackup.limits import MIB
from manabackup.operations.audit import ciphertexts
from manabackup.operations.audit.ciphertexts import Ciphertexts
from manabackup.operations.audit.findings import MOST_CASES, Findings
from manabackup.operations.audit.vault import VaultState
from tests.support.audited import (
    ELSEWHERE,
    OTHER_CIPHER,
    TEAM,
    T,
    cases,
    delete,
    insert,
    looked_at,
    only,
    respelled,
    sealed,
    under_nonce,
    update,
)

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
