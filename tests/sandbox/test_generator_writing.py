"""What the generator writes: as its plan says, and as the web app and the servers write."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from manabackup.crypto.fields import PREFIX, FieldCipher, is_encrypted
from manabackup.errors import FieldDecryptionError
from manabackup.sandbox.plan import Generated, Plan, Truth
from manabackup.text import jsontext
from manabackup.text.jsontext import JSON

from .generated import HOME, KEY, OTHER_KEY, REGISTRY, TEAM, USER, account, with_truth

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
