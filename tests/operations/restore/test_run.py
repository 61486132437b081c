"""Whole restores against the embedded server: what reaches the target, what does not, and what is told of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import ConflictError, ServerError, UsageError
from manabackup.limits import Limits
from manabackup.operations.rekey import rekey
from manabackup.operations.restore.decision import OnConflict
from manabackup.operations.restore.plan import RestorePlan
from manabackup.sandbox import Sandbox
from manabackup.text import jsontext
from tests.support.archives import ANNA, PERSONAL, TEAM, USER, meta_of, ours, web
from tests.support.line import Line

from .archived_rows import JSON, LATER, SOURCE_KEY, THEN, archive_of, at, spaced
from .bench import CIPHER, Bench

# --- what reaches the target ------------------------------------------------------------------------------------------


def test_R5_nothing_of_the_source_account_but_its_data_reaches_the_target(bench: Bench, tmp_path: Path) -> None:
    task = {"id": "t", "title": "x", "spaceId": PERSONAL, "authorId": USER, "visibilityChangedBy": USER}
    task |= {"visibility": "unlisted", "unlistedToken": "tok_secret"}
    scene = {"id": f"seed-home-{PERSONAL}", "name": "y", "spaceId": PERSONAL}
    settings = {"id": "settings-global", "theme": "dark", "userId": USER}
    path = ours(
        tmp_path / "a.mana",
        {"tasks": [task], "workbenchScenes": [scene], "userSettings": [settings]},
        meta={
            "tasks": [meta_of(task, **at(), space=0)],
            "workbenchScenes": [meta_of(scene, **at(), space=0)],
            "userSettings": [meta_of(settings, **at())],
        },
        account={"data.json": b'{"email":"oma@example.org"}'},
    )
    bench.restore(path)
    assert {change["table"] for change in bench.line.sent} == {"tasks", "workbenchScenes", "userSettings"}
    for pushed in bench.line.pushed:
        text = jsontext.dumps(pushed.json).decode()
        for trace in (USER, PERSONAL, ANNA["displayName"], "tok_secret", "oma@example.org"):
            assert trace not in text
        assert all(change["actor"] is not None for change in pushed.changes)


def test_private_fields_travel_encrypted_those_too_that_a_newer_app_encrypts(bench: Bench, tmp_path: Path) -> None:
    note = {"id": "n", "title": "Geheimnis", "content": None, "color": "gruen-nie-gesehen", "mood": "neu-geheim"}
    meta = [meta_of(note, **at(), space=0, sealed=["mood"])]
    bench.restore(archive_of(tmp_path, "notes", note, meta=meta))
    values = bench.row("notes", "n").values
    assert CIPHER.decrypt(values["title"]) == b'"Geheimnis"'
    assert CIPHER.decrypt(values["mood"]) == b'"neu-geheim"'
    assert (values["content"], values["color"]) == (None, "gruen-nie-gesehen")


def test_a_private_value_keeps_its_own_text(bench: Bench, tmp_path: Path) -> None:
    line = b'{"id":"n","title":{"z":1,"a":1.0,"x":"\\ud83d"}}'
    path = ours(tmp_path / "a.mana", {"notes": [line]}, meta={"notes": [meta_of({"id": "n"}, **at(), space=0)]})
    bench.restore(path)
    assert CIPHER.decrypt(bench.row("notes", "n").values["title"]) == b'{"z":1,"a":1.0,"x":"\\ud83d"}'


def test_what_no_key_opens_is_left_out_and_reported_and_stays_in_the_target(bench: Bench, tmp_path: Path) -> None:
    foreign, another = (FieldCipher(SOURCE_KEY).encrypt(b'"?"') for _ in range(2))
    bench.write({"id": "n2", "data": {"title": another, "color": "old", "createdAt": THEN}}, "notes")
    rows = [{"id": f"n{number}", "title": foreign, "color": "new"} for number in (1, 2)]
    result = bench.restore(archive_of(tmp_path, "notes", *rows))
    assert result.plan.left_out == 2
    assert result.plan.left_out_cases[0] == {"table": "notes", "id": "n1", "field": "title"}
    assert "title" not in bench.row("notes", "n1").values
    assert bench.row("notes", "n2").values["title"] == another
    assert result.losses == 2


def test_nothing_is_left_out_where_the_target_holds_the_same_ciphertext(bench: Bench, tmp_path: Path) -> None:
    foreign = FieldCipher(SOURCE_KEY).encrypt(b'"?"')
    for record, color in (("n1", "new"), ("n2", "old")):
        bench.write({"id": record, "data": {"title": foreign, "color": color, "createdAt": THEN}}, "notes")
    result = bench.restore(
        archive_of(tmp_path, "notes", *({"id": f"n{n}", "title": foreign, "color": "new"} for n in (1, 2)))
    )
    assert (result.updated, result.plan.left_out, result.losses) == (1, 0, 0)
    assert bench.row("notes", "n2").values["title"] == foreign


SECRETS: dict[str, dict[str, JSON]] = {
    "links": {"id": "l", "shortCode": "abc", "password": "sesam"},
    "socialEvents": {"id": "e", "color": "red", "publicToken": "tok"},
    "eventInvitations": {"id": "i", "channel": "link", "token": "tok"},
    "aiMissions": {"id": "m", "state": "active", "grant": {"wrappedKey": "k"}},
}


def with_secrets(path: Path, user: str) -> Path:
    meta = {table: [meta_of(row, **at(), space=0)] for table, row in SECRETS.items()}
    return ours(path, {table: [row] for table, row in SECRETS.items()}, meta=meta, user_id=user)


@pytest.mark.parametrize("by_rekey", [False, True])
def test_R5_secrets_of_another_account_do_not_reach_the_target_and_are_named(
    bench: Bench, tmp_path: Path, by_rekey: bool
) -> None:
    bench.write({"id": "l", "data": {"shortCode": "old", "password": "the target's", "createdAt": THEN}}, "links")
    path = with_secrets(tmp_path / "a.mana", USER)
    if by_rekey:
        source, path = path, tmp_path / "b.mana"
        with open_archive(source) as archive:
            rekey(archive, path, CIPHER)
    result = bench.restore(path)
    fields = {f"{table}.{[*row][-1]}": 1 for table, row in SECRETS.items()}
    assert result.plan.withheld == ({} if by_rekey else fields)
    assert {(case["table"], case["id"]) for case in result.plan.withheld_cases} == (
        set() if by_rekey else {(table, row["id"]) for table, row in SECRETS.items()}
    )
    assert (result.losses, RestorePlan.of_json(result.plan.to_json())) == (0, result.plan)
    for table in SECRETS.keys() - {"links"}:
        assert [*SECRETS[table]][-1] not in bench.row(table, SECRETS[table]["id"]).values
    values = bench.row("links", "l").values
    assert (values["shortCode"], values["password"]) == ("abc", "the target's")
    assert b"sesam" not in jsontext.dumps([pushed.json for pushed in bench.line.pushed])


def test_secrets_come_back_into_the_account_that_they_are_of(bench: Bench, tmp_path: Path) -> None:
    result = bench.restore(with_secrets(tmp_path / "a.mana", bench.user))
    assert not result.plan.withheld
    for table, row in SECRETS.items():
        name = [*row][-1]
        assert bench.row(table, row["id"]).values[name] == row[name]


def test_a_value_that_was_exported_locked_and_is_the_targets_own_travels_as_it_is(bench: Bench, tmp_path: Path) -> None:
    own = CIPHER.encrypt(b'"mine"')
    bench.restore(archive_of(tmp_path, "notes", {"id": "n", "title": own}))
    assert bench.row("notes", "n").values["title"] == own


def test_rows_in_the_bin_are_restored_only_when_that_is_asked_for(bench: Bench, tmp_path: Path) -> None:
    path = archive_of(tmp_path, "tasks", {"id": "t", "order": 1, "deletedAt": LATER})
    assert bench.plan(path).reasons == {"deleted": 1}
    bench.restore(path, include_deleted=True)
    assert bench.row("tasks", "t").state == "tombstone"


def test_links_and_visibility_follow_only_when_that_is_asked_for(bench: Bench, tmp_path: Path) -> None:
    row = {"id": "t", "visibility": "public", "unlistedToken": "tok", "visibilityChangedBy": USER}
    path = archive_of(tmp_path, "tasks", row)
    bench.restore(path)
    assert {**bench.row("tasks", "t").values}.items() >= {"visibility": "space"}.items()
    assert "unlistedToken" not in bench.row("tasks", "t").values
    bench.restore(path, keep_visibility=True)
    assert bench.row("tasks", "t").values["visibility"] == "public"
    assert bench.row("tasks", "t").values["unlistedToken"] == "tok"
    assert "visibilityChangedBy" not in bench.row("tasks", "t").values


def test_field_times_of_the_web_apps_own_archives_survive(bench: Bench, tmp_path: Path) -> None:
    meta = {"order": {"at": LATER, "actor": ANNA, "origin": "user"}, "isCompleted": {"at": THEN}}
    row = {"order": 2, "isCompleted": True, "id": "t", "spaceId": PERSONAL, "__fieldMeta": meta, "_updatedAtIndex": "x"}
    bench.restore(web(tmp_path / "web.mana", {"tasks": [row]}))
    restored = bench.row("tasks", "t")
    assert restored.values["createdAt"] == THEN
    assert (restored.stamps["order"].at, restored.stamps["isCompleted"].at) == (LATER, THEN)
    assert not any(name.startswith("_") for name in restored.values)


def test_rows_in_any_order_are_restored(bench: Bench, tmp_path: Path) -> None:
    rows = [{"id": record, "order": 1, "spaceId": PERSONAL} for record in ("c", "a", "b")]
    assert bench.restore(web(tmp_path / "web.mana", {"tasks": rows})).inserted == 3
    again = bench.plan(tmp_path / "web.mana")
    assert again.tables["tasks"] == {"unchanged": 3}


def test_names_of_the_apps_own_bookkeeping_are_never_sent(bench: Bench, tmp_path: Path) -> None:
    row = {"id": "t", "order": 1, "__fieldMeta": {"order": {}}, "_updatedAtIndex": "x", "__lastActor": {}}
    bench.restore(archive_of(tmp_path, "tasks", row))
    assert not any(name.startswith("_") for change in bench.line.sent for name in change.get("data", {}))


def test_rows_that_the_target_has_already_stay_as_they_are_whatever_clients_show(bench: Bench, tmp_path: Path) -> None:
    scope = {"spaceId": bench.home, "authorId": bench.user, "visibility": "space"}
    bench.write({"id": "t", "data": {"order": 1, **scope}, "spaceId": bench.home})
    bench.write({"id": "t", "op": "update", "fields": {"order": {"value": 2, "at": THEN}}, "spaceId": bench.home})
    path = archive_of(tmp_path, "tasks", {"id": "t", "order": 2})
    report = bench.plan(path)
    assert (report.planned, report.repairable, report.repaired) == (0, 1, 0)
    assert report.repairable_cases == [{"table": "tasks", "id": "t", "reason": "otherValues", "fields": ["order"]}]
    result = bench.restore(path, repair=True)
    assert (result.updated, result.repaired, result.plan.repairable, result.plan.repaired) == (1, 1, 1, 1)
    assert result.plan.tables == {"tasks": {"repair": 1}}
    again = bench.plan(path, repair=True)
    assert (again.planned, again.repairable) == (0, 0)


# --- what is not restored ---------------------------------------------------------------------------------------------


def test_R3_rows_that_the_server_would_refuse_are_reported_and_the_others_go_on(bench: Bench, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "a", "order": 1}, {"id": "b", "note": "x\0y"}, {"id": "c", "order": 3}]
    result = bench.restore(archive_of(tmp_path, "tasks", *rows))
    assert result.inserted == 2
    assert result.plan.cases == [{"table": "tasks", "id": "b", "reason": "nul"}]
    assert not any(b"\\u0000" in jsontext.dumps(pushed.json) for pushed in bench.line.pushed)


def test_tables_that_nobody_knows_are_reported_and_not_sent(bench: Bench, tmp_path: Path) -> None:
    path = ours(tmp_path / "a.mana", {"news.savedArticles": [{"id": "s"}], "tasks": [{"id": "t"}]})
    report = bench.plan(path)
    assert (report.reasons, report.planned) == ({"unknownTable": 1}, 1)
    assert bench.plan(path, apps=("todo",)).reasons == {}
    assert bench.plan(path, apps=("news",)).reasons == {"unknownTable": 1}


def test_a_table_that_the_server_cannot_read_is_not_written_into(bench: Bench, tmp_path: Path) -> None:
    bench.write({"id": "t0", "data": {"order": 9}}, poisoned=True)
    bench.limits = Limits(attempts=1)
    path = spaced(tmp_path, 0)
    assert bench.plan(path).reasons == {"targetUnreadable": 1}


def test_a_conflict_stops_everything_where_that_was_asked_for(bench: Bench, tmp_path: Path) -> None:
    bench.write({"id": "t1", "data": {"order": 9, "createdAt": THEN}})
    with bench.job(spaced(tmp_path, 0, 0), on_conflict=OnConflict.FAIL) as job:
        assert job.plan().tables == {"tasks": {"insert": 1, "conflict": 1}}
        with pytest.raises(ConflictError):
            job.push()
    assert bench.line.pushed == []


@pytest.mark.parametrize(
    ("asked", "words", "hint"),
    [
        ({"tables": ("tasks", "task")}, "no table task", "did you mean tasks?"),
        ({"tables": ("notes",)}, "no table notes", "lists the tables"),
        ({"apps": ("todo", "todoo")}, "no app todoo", "did you mean todo?"),
        ({"ids": ("t0", "t9")}, "no row t9", "manabackup cat"),
        ({"ids": ("t0",), "spaces": (TEAM,)}, "no row t0", "manabackup cat"),
        ({"spaces": (f"{TEAM}s",)}, "no space", f"did you mean {TEAM}"),
        ({"spaces": ("#7",)}, "no space #7", "`personal` and"),
        ({"map_space": ("elsewhere=personal",)}, "no space elsewhere", PERSONAL),
    ],
)
def test_what_the_archive_does_not_have_is_a_mistake(
    bench: Bench, tmp_path: Path, asked: dict[str, Any], words: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        bench.plan(spaced(tmp_path, 0, 1), **asked)
    assert hint in str(caught.value.hint)
    assert bench.line.pushed == []


def test_of_rows_that_were_named_no_other_is_counted(bench: Bench, tmp_path: Path) -> None:
    rows = {"tasks": [{"id": "t"}], "later.things": [{"id": "x"}, {"id": "y"}]}
    web(tmp_path / "web.mana", rows)
    assert bench.plan(tmp_path / "web.mana", ids=("t",)).reasons == {}
    assert bench.plan(tmp_path / "web.mana", ids=("t", "y")).reasons == {"unknownTable": 1}


# --- afterwards -------------------------------------------------------------------------------------------------------


def test_an_edit_between_push_and_verification_is_told_and_no_failure(bench: Bench, tmp_path: Path) -> None:
    with bench.job(spaced(tmp_path, 0, 0)) as job:
        job.plan()
        job.push()
        bench.write({"id": "t1", "op": "update", "fields": {"order": {"value": 7, "at": "2099-01-01T00:00:00.000Z"}}})
        found = job.verify()
        assert (found.rows, found.ok, found.cases) == (2, True, [])
        result = job.result(found)
        assert (result.edits, result.losses) == ([{"table": "tasks", "id": "t1", "outcome": "kept"}], 0)


def test_what_clients_would_show_otherwise_is_told(bench: Bench, tmp_path: Path) -> None:
    bench.write({"id": "t0", "data": {"order": 5}})
    with bench.job(spaced(tmp_path, 0)) as job:
        job.plan()
        job.push()
        # An insert without data: a client makes a row of its envelope.
        stray = {"table": "tasks", "id": "t0", "op": "insert"}
        bench.box.log.append(bench.user, "phone", "todo", stray)
        assert job.verify().cases == [{"table": "tasks", "id": "t0", "rule": "webApp"}]


@pytest.mark.parametrize("days", [2, 400])
def test_S10_nothing_is_stamped_by_a_clock_that_is_days_ahead(tmp_path: Path, days: int) -> None:
    line = Line()
    with Sandbox(clock=lambda: time.time_ns() + days * 86_400 * 10**9, middleware=[line]) as box:
        bench = Bench(box, line, tmp_path)
        with pytest.raises(ServerError, match="clock"):
            bench.restore(archive_of(tmp_path, "tasks", {"id": "t", "order": 1}))
        assert line.pushed == []


def test_a_clock_that_is_behind_loses_no_edit(tmp_path: Path) -> None:
    line = Line()
    with Sandbox(clock=lambda: time.time_ns() - 150 * 86_400 * 10**9, middleware=[line]) as box:
        bench = Bench(box, line, tmp_path)
        bench.write({"id": "t", "data": {"id": "t", "order": 7, "updatedAt": LATER}})
        result = bench.restore(archive_of(tmp_path, "tasks", {"id": "t", "order": 1}))
        assert (result.updated, result.failed) == (1, 0)
        assert bench.row("tasks", "t").values["order"] == 1


def test_what_was_only_planned_is_forgotten(bench: Bench, tmp_path: Path) -> None:
    bench.plan(spaced(tmp_path, 0))
    assert not (bench.folder / "restore").exists()


def test_apps_of_which_a_device_could_miss_changes_are_named() -> None:
    report = RestorePlan()
    report.changes.update({"todo": 5_000, "notes": 5_001})
    assert report.large_apps == {"notes": 5_001}


def test_a_plan_is_read_back_as_it_was_written(bench: Bench, tmp_path: Path) -> None:
    report = bench.plan(spaced(tmp_path, 0, 1, 2))
    assert RestorePlan.of_json(jsontext.parse(jsontext.dumps(report.to_json()))) == report


@pytest.mark.parametrize("known", [False, True])
def test_a_scene_out_of_a_rekeyed_archive_is_the_home_of_the_space_that_it_goes_to(
    bench: Bench, tmp_path: Path, known: bool
) -> None:
    scenes = [{"id": f"seed-home-{space}", "name": space} for space in (PERSONAL, TEAM)]
    path, encrypted = tmp_path / "a.mana", tmp_path / "b.mana"
    ours(
        path,
        {"workbenchScenes": scenes},
        meta={"workbenchScenes": [meta_of(s, **at(), space=n) for n, s in enumerate(scenes)]},
    )
    with open_archive(path) as archive:
        rekey(archive, encrypted, CIPHER, home="another-one" if known else None)
    other = bench.box.accounts.create_space(bench.user, "zweiter", "personal", bootstrap=False)
    bench.types = {**(bench.types or {}), other: "personal"}
    bench.restore(encrypted, map_space=(f"#1={other}",))
    for space, name in ((bench.home, PERSONAL), (other, TEAM)):
        assert CIPHER.decrypt(bench.row("workbenchScenes", f"seed-home-{space}").values["name"]) == jsontext.dumps(name)
