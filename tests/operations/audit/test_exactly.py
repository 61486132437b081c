"""An account with faults of any kind yields exactly these cases."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.operations.audit.findings import KINDS, Severity
from tests.support.audited import (
    ELSEWHERE,
    FAR,
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
    sealed,
    under_nonce,
    update,
)

JSON = Any
EXAMPLES = int(os.environ.get("MANABACKUP_AUDIT_EXAMPLES", "40"))


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
