"""The generated account: deterministic, complete, plausible, and right about what its user sees in the end."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.crypto.fields import PREFIX, FieldCipher, is_encrypted
from manabackup.errors import FieldDecryptionError
from manabackup.model import projection, registry
from manabackup.sandbox.changelog import Asked, ChangeLog, StoredChange
from manabackup.sandbox.draft import microseconds
from manabackup.sandbox.generator import generate
from manabackup.sandbox.plan import Generated, Plan, Truth
from manabackup.text import jsontext
from manabackup.text.jsontext import JSON

REGISTRY = registry.load()
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
USER = "k3Vb7TzQ1mWcX9sRfL2dYpHn6JgA8eUo"
HOME = "Q7rTn2LxPz5VbKd0HsYwM"
TEAM = "WFc3MI9ygHBT-rxo0gag7"
Rows = dict[str, dict[str, dict[str, JSON]]]


def account(plan: Plan, truth: Truth | None = None, *, bootstrap: bool = True) -> Iterator[Generated]:
    return generate(
        plan,
        user_id=USER,
        display_name="Anna Beispiel",
        personal_space=HOME,
        master_key=KEY,
        shared_spaces=[TEAM],
        other_key=OTHER_KEY,
        bootstrap=bootstrap,
        truth=truth,
    )


def with_truth(plan: Plan) -> tuple[list[Generated], Truth]:
    truth = Truth()
    return list(account(plan, truth)), truth


def digest(generated: Iterable[Generated]) -> str:
    found = sha256()
    for one in generated:
        found.update(jsontext.dumps([one.app, one.user_id, one.client_id, one.change, one.created_at_us]))
    return found.hexdigest()


@pytest.fixture(scope="module")
def plain_account() -> tuple[list[Generated], Truth]:
    return with_truth(Plan(seed=7, rows=3_000))


@pytest.fixture(scope="module")
def odd_account() -> tuple[list[Generated], Truth]:
    return with_truth(Plan(seed=8, rows=6_000, edits=1.2, deletions=0.15, oddities=True))


# --- the same for the same seed


def test_the_same_plan_gives_the_same_bytes_whatever_the_process_hashes_by() -> None:
    plan = "Plan(seed=3, rows=400, oddities=True)"
    here = digest(account(Plan(seed=3, rows=400, oddities=True)))
    root = Path(__file__).parents[2]
    for hash_seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", f"from tests.sandbox.test_generator import *; print(digest(account({plan})))"],
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


# --- private fields


def test_the_other_members_ciphertext_opens_under_their_key_only(plain_account: tuple[list[Generated], Truth]) -> None:
    _, truth = plain_account
    assert truth.foreign
    rows = truth.rows
    cipher, other = FieldCipher(KEY), FieldCipher(OTHER_KEY)
    for table, row_id, name in truth.foreign:
        value = rows.get(table, truth.tombstones.get(table, {}))
        if row_id in value:
            ciphertext = value[row_id][name]
            other.decrypt(ciphertext)
            with pytest.raises(FieldDecryptionError):
                cipher.decrypt(ciphertext)


def test_no_two_values_share_an_iv(odd_account: tuple[list[Generated], Truth]) -> None:
    retried = Counter(id(one.change) for one in odd_account[0])
    seen: set[str] = set()
    for one in odd_account[0]:
        if retried.pop(id(one.change), 0):
            for value in written(one.change).values():
                if is_encrypted(value):
                    iv = value[len(PREFIX) :].partition(".")[0]
                    assert iv not in seen
                    seen.add(iv)
    assert len(seen) > 1_000


def written(change: dict[str, JSON]) -> dict[str, JSON]:
    return {
        **change.get("data", {}),
        **{name: entry.get("value") for name, entry in change.get("fields", {}).items()},
    }


def test_without_plaintext_every_private_value_is_encrypted() -> None:
    plan = Plan(rows=800, plaintext=0, shared_spaces=0)
    for one in account(plan, bootstrap=False):
        table = REGISTRY.by_collection[one.app, one.change["table"]]
        for name, value in written(one.change).items():
            assert name not in table.encrypted or value is None or is_encrypted(value)


def test_plaintext_is_recorded_where_it_stands(plain_account: tuple[list[Generated], Truth]) -> None:
    generated, truth = plain_account
    share = sum(1 for row in truth.all_rows if row.plain) / len(truth.all_rows)
    assert 0.02 < share < 0.08
    on_server: dict[tuple[str, str, str], JSON] = {}
    for one in generated:
        table = REGISTRY.by_collection[one.app, one.change["table"]]
        for name in table.encrypted & written(one.change).keys():
            on_server[table.name, one.change["id"], name] = written(one.change)[name]
    in_clear = {place for place, value in on_server.items() if value is not None and not is_encrypted(value)}
    assert in_clear == truth.plaintext


def test_some_texts_end_in_half_an_emoji_and_only_behind_encryption(odd_account: tuple[list[Generated], Truth]) -> None:
    generated, truth = odd_account
    assert any(lone(value) for row in truth.all_rows for value in row.values.values())
    for one in generated:
        assert rb"\ud83d" not in jsontext.dumps(one.change)


def lone(value: JSON) -> bool:
    return isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value)


# --- shaped by the plan


def test_edits_and_deletions_come_as_often_as_planned() -> None:
    few = Counter(one.change["op"] for one in account(Plan(rows=2_000, edits=0, deletions=0)))
    many = Counter(one.change["op"] for one in account(Plan(rows=2_000, edits=2, deletions=0.5)))
    assert few["delete"] == 0
    assert few["update"] < 120  # saves of the bootstrap rows, and the app's own reconciliation
    assert 2_800 < many["update"] < 5_000
    assert 850 < many["delete"] < 1_150


def test_rows_are_filled_up_to_about_the_size_asked_for() -> None:
    _, truth = with_truth(Plan(rows=1_000, row_bytes=3_000, edits=0))
    sizes = sorted(len(jsontext.dumps(row.values)) for row in truth.all_rows)
    assert 2_600 < sizes[len(sizes) // 2] < 3_400


def test_people_write_umlauts_quotes_line_breaks_and_emoji(plain_account: tuple[list[Generated], Truth]) -> None:
    text = "".join(
        value for row in plain_account[1].all_rows for value in row.values.values() if isinstance(value, str)
    )
    for piece in ("ü", "ß", "„", "»", '"', "\n", "\t", "👩‍👧‍👦", "a\u0308", "<", "&", "\u2028", "C:\\"):
        assert piece in text
    diary = [row.values["content"] for row in plain_account[1].all_rows if row.table.name == "journalEntries"]
    assert len(set(map(str, diary))) > 0.95 * len(diary)


# --- as the web app and the servers write


def test_two_thirds_of_the_tables_write_no_creation_time() -> None:
    _, truth = with_truth(Plan(rows=203, edits=0, plaintext=0, oddities=False))
    without = {row.table.name for row in truth.all_rows if "createdAt" not in row.values}
    assert 0.5 < len(without) / 203 < 0.7
    assert {"tasks", "notes", "contacts", "journalEntries", "messages", "invoices"} <= without
    (weather,) = (row for row in truth.all_rows if row.table.name == "wetterLocations")
    assert isinstance(weather.values["createdAt"], int)
    (tag,) = (row for row in truth.all_rows if row.table.name == "noteTags")
    assert tag.values["createdAt"] == tag.values["updatedAt"]


def test_bootstrap_rows_have_no_times_and_their_space_beside_the_data(
    plain_account: tuple[list[Generated], Truth],
) -> None:
    first = [one for one in plain_account[0] if one.client_id == "system:bootstrap"]
    assert [one.change["table"] for one in first] == ["kontextDoc", "kontextDoc", "userContext"]
    assert first == plain_account[0][:3]
    assert {one.change.get("spaceId") for one in first} == {HOME, TEAM, None}
    assert all(not {"createdAt", "updatedAt", "spaceId"} & one.change["data"].keys() for one in first)


def test_scope_columns_follow_the_table_and_its_writer(plain_account: tuple[list[Generated], Truth]) -> None:
    for one in plain_account[0]:
        change, table = one.change, REGISTRY.by_collection[one.app, one.change["table"]]
        browser = one.change["actor"]["kind"] == "user"
        if change["op"] != "insert" or not browser:
            continue
        data = change["data"]
        if table.scope == "user":
            assert data["userId"] == USER
            assert "spaceId" not in change
        else:
            assert data["spaceId"] == change["spaceId"]
            assert data["authorId"] == one.user_id
            assert data["spaceId"] in {HOME, TEAM, f"_personal:{USER}"}


def test_other_members_write_in_shared_spaces_only(odd_account: tuple[list[Generated], Truth]) -> None:
    others = [one for one in odd_account[0] if one.user_id != USER]
    assert len(others) > 100
    assert {one.change["spaceId"] for one in others} == {TEAM}


def test_nested_plain_objects_change_by_dotted_names(plain_account: tuple[list[Generated], Truth]) -> None:
    dotted = {name for one in plain_account[0] for name in one.change.get("fields", {}) if "." in name}
    assert {name.partition(".")[0] for name in dotted} >= {"nutrition", "totals", "settings", "config"}
    assert any(name.count(".") > 1 for name in dotted)


def test_references_mostly_point_at_rows(plain_account: tuple[list[Generated], Truth]) -> None:
    ids = defaultdict(set)
    for row in plain_account[1].all_rows:
        ids[row.table.name].add(row.id)
    kept = dangling = 0
    for row in plain_account[1].all_rows:
        for path, target in row.table.references.items():
            value = row.values.get(path.removesuffix("[]"))
            for reference in value if isinstance(value, list) else [value]:
                if reference is not None:
                    kept += reference in ids[target]
                    dangling += reference not in ids[target]
    assert kept > 1_000
    assert 0 < dangling < 0.1 * kept


def test_ai_system_and_older_actors_occur(odd_account: tuple[list[Generated], Truth]) -> None:
    actors = [one.change["actor"] for one in odd_account[0]]
    assert {actor["kind"] for actor in actors} == {"user", "ai", "system"}
    assert any(actor.get("principalId") == "legacy:user" for actor in actors)
    assert any("source" in actor and "principalId" not in actor for actor in actors)
    assert all({"missionId", "iterationId", "rationale"} <= actor.keys() for actor in actors if actor["kind"] == "ai")


def test_the_older_engine_sends_its_times_under_another_name(odd_account: tuple[list[Generated], Truth]) -> None:
    older = [
        entry
        for one in odd_account[0]
        if one.change["actor"].get("principalId") == "legacy:user"
        for entry in one.change.get("fields", {}).values()
        if "updatedAt" in entry
    ]
    assert older
    assert all("at" not in entry for entry in older)


def test_oddities_bring_collections_outside_the_registry(odd_account: tuple[list[Generated], Truth]) -> None:
    generated, truth = odd_account
    collections = {(one.app, one.change["table"]) for one in generated}
    assert ("news", "savedArticles") in collections
    assert ("articles", "articleImportJobs") in collections
    assert len(truth.unknown["news", "savedArticles"]) > 20


def test_oddities_bring_retries_leaked_names_late_edits_and_wrong_clocks(
    odd_account: tuple[list[Generated], Truth],
) -> None:
    generated, truth = odd_account
    assert truth.changes == len(generated)
    assert truth.retries > 100
    names = {name for one in generated for name in one.change.get("fields", {})}
    assert {"__fieldMeta", "__fieldMeta.title.at", "_updatedAtIndex", "id"} <= names
    stamps = [
        (entry["at"], one) for one in generated for entry in one.change.get("fields", {}).values() if "at" in entry
    ]
    assert any(at > "2030" for at, _ in stamps)
    assert truth.sealed


def test_a_plan_can_be_varied(plain_account: tuple[list[Generated], Truth]) -> None:
    plan = replace(Plan(), rows=20, shared_spaces=0)
    assert {one.user_id for one in account(plan)} == {USER}
