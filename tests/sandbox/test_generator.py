"""The generated account: deterministic, complete, plausible, and right about what its user sees in the end."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.crypto.fields import FieldCipher, is_encrypted
from manabackup.errors import FieldDecryptionError
from manabackup.model import projection
from manabackup.sandbox.changelog import Asked, ChangeLog, StoredChange
from manabackup.sandbox.draft import microseconds
from manabackup.sandbox.plan import Generated, Plan, Truth
from manabackup.text import jsontext
from manabackup.text.jsontext import JSON

from .generated import HOME, KEY, REGISTRY, TEAM, USER, Rows, account, digest, with_truth

# --- the same for the same seed


def test_the_same_plan_gives_the_same_bytes_whatever_the_process_hashes_by() -> None:
    plan = "Plan(seed=3, rows=400, oddities=True)"
    here = digest(account(Plan(seed=3, rows=400, oddities=True)))
    root = Path(__file__).parents[2]
    for hash_seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", f"from tests.sandbox.generated import *; print(digest(account({plan})))"],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


def test_another_seed_gives_another_account() -> None:
    assert digest(account(Plan(seed=1, rows=50))) != digest(account(Plan(seed=2, rows=50)))


def test_asking_for_the_truth_changes_nothing() -> None:
    plan = Plan(seed=4, rows=300, oddities=True)
    assert digest(account(plan)) == digest(account(plan, Truth()))


# --- complete


@pytest.mark.parametrize("rows", [0, 1, 7, 202, 203, 204, 1_000])
def test_there_are_exactly_as_many_records_as_planned(rows: int) -> None:
    _, truth = with_truth(Plan(rows=rows))
    assert len(truth.all_rows) == rows


def test_every_table_of_the_registry_is_filled(plain_account: tuple[list[Generated], Truth]) -> None:
    _, truth = plain_account
    assert {row.table.name for row in truth.all_rows} == set(REGISTRY.by_name)


def test_only_the_named_tables_are_filled() -> None:
    generated, truth = with_truth(Plan(rows=40, tables=["notes", "todoProjects"]))
    assert {row.table.name for row in truth.all_rows} == {"notes", "todoProjects"}
    assert {(one.app, one.change["table"]) for one in generated} == {("notes", "notes"), ("todo", "projects")}


def test_singletons_have_one_row_and_their_known_id(plain_account: tuple[list[Generated], Truth]) -> None:
    ids = defaultdict(set)
    for row in plain_account[1].all_rows:
        ids[row.table.name].add(row.id)
    assert ids["userSettings"] == {"settings-global"}
    assert ids["userContext"] == {"singleton"}
    assert "self-contact" in ids["contacts"]
    assert len(ids["kontextDoc"]) == 2  # one for each space
    assert all(len(ids[table.name]) == 1 for table in REGISTRY.tables if table.scope == "user")


def test_registered_private_fields_all_occur_and_hold_something() -> None:
    _, truth = with_truth(Plan(rows=20_000, edits=0, deletions=0))
    held = {(row.table.name, name) for row in truth.all_rows for name, value in row.values.items() if value is not None}
    assert {(table.name, name) for table in REGISTRY.tables for name in table.encrypted} <= held


# --- in the server's order


def test_times_of_receipt_rise_strictly_and_stay_in_the_planned_span(
    odd_account: tuple[list[Generated], Truth],
) -> None:
    times = [one.created_at_us for one in odd_account[0]]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert microseconds(Plan().start) <= times[0]
    assert times[-1] <= microseconds(Plan().end)


def test_a_plan_of_one_afternoon_is_filled_in_one_afternoon() -> None:
    start, end = datetime(2026, 3, 1, 14, tzinfo=UTC), datetime(2026, 3, 1, 18, tzinfo=UTC)
    times = [one.created_at_us for one in account(Plan(rows=300, start=start, end=end))]
    assert microseconds(start) <= times[0]
    assert times[-1] <= microseconds(end)


def test_a_large_account_is_streamed() -> None:
    plan = Plan(rows=6_000, row_bytes=3_000)
    tracemalloc.start()
    try:
        for _ in account(plan):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000  # all rows together: 18 MB of plaintext, half as much again encrypted


# --- right about itself


def seen_through_the_server(
    generated: Iterable[Generated], key: bytes = KEY
) -> tuple[Rows, Rows, dict[str, Counter[str]]]:
    """Live rows, tombstones and oddities, as a client finds them that pulls, folds and decrypts."""
    log = ChangeLog()
    log.append_many(
        StoredChange(one.user_id, one.client_id, one.app, one.change, one.created_at_us) for one in generated
    )
    cipher = FieldCipher(key)
    live: Rows = defaultdict(dict)
    deleted: Rows = defaultdict(dict)
    oddities: dict[str, Counter[str]] = defaultdict(Counter)
    for app in REGISTRY.apps:
        streams: dict[tuple[str, str], list[JSON]] = defaultdict(list)
        for stored in log.read_app(app, Asked(USER, [HOME, TEAM], "reader", -1, 10**6)):
            change = jsontext.parse(stored.wire())
            known = REGISTRY.by_collection.get((app, change["table"]))
            streams[known.name if known else f"{app}.{change['table']}", change["id"]].append(change)
        for (name, row_id), changes in streams.items():
            record = projection.fold(REGISTRY.by_name.get(name), changes)
            assert not record.malformed
            oddities[name].update(oddity.kind for oddity in record.oddities)
            if record.state == "absent":
                continue
            values = {field: opened(cipher, value) for field, value in record.values.items()}
            (live if record.state == "live" else deleted)[name][row_id] = values
    log.close()
    return dict(live), dict(deleted), oddities


def opened(cipher: FieldCipher, value: JSON) -> JSON:
    if not is_encrypted(value):
        return value
    try:
        return jsontext.parse(cipher.decrypt(value))
    except FieldDecryptionError:
        return value


def assert_truth_holds(generated: list[Generated], truth: Truth) -> None:
    live, deleted, _ = seen_through_the_server(generated)
    unknown = {f"{app}.{collection}": rows for (app, collection), rows in truth.unknown.items()}
    assert live == truth.rows | unknown
    assert deleted == truth.tombstones


@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("oddities", [False, True])
def test_pulling_and_folding_gives_what_the_generator_says_the_user_sees(seed: int, oddities: bool) -> None:
    assert_truth_holds(*with_truth(Plan(seed=seed, rows=1_500, edits=1.5, deletions=0.2, oddities=oddities)))


@given(
    seed=st.integers(0, 2**64),
    rows=st.integers(0, 60),
    edits=st.floats(0, 5),
    deletions=st.floats(0, 1),
    plaintext=st.floats(0, 1),
    tables=st.none() | st.lists(st.sampled_from(sorted(REGISTRY.by_name)), unique=True, min_size=1, max_size=5),
    row_bytes=st.none() | st.integers(0, 4_000),
    oddities=st.booleans(),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_generator_is_right_about_any_small_account(
    seed: int,
    rows: int,
    edits: float,
    deletions: float,
    plaintext: float,
    tables: list[str] | None,
    row_bytes: int | None,
    oddities: bool,
) -> None:
    plan = Plan(seed, rows, edits, deletions, 1, plaintext, row_bytes, tables, oddities=oddities)
    assert_truth_holds(*with_truth(plan))


def test_without_oddities_a_fold_finds_none_that_a_user_could_not_have_made(
    plain_account: tuple[list[Generated], Truth],
) -> None:
    _, _, oddities = seen_through_the_server(plain_account[0])
    assert not sum(oddities.values(), Counter())


def test_with_oddities_a_fold_finds_many_kinds(odd_account: tuple[list[Generated], Truth]) -> None:
    _, _, oddities = seen_through_the_server(odd_account[0])
    assert set(sum(oddities.values(), Counter())) >= {
        "untimedUpdate",
        "untimedDelete",
        "retriedInsert",
        "insertOnTombstone",
        "deleteBeforeInsert",
        "rename",
    }
