"""Private fields in clear, encrypted where they stand: which rows, by which means, and what stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from manabackup.errors import ServerError, UnfinishedError, UsageError
from manabackup.limits import Limits
from manabackup.operations.restore.encrypt_in_place import EncryptInPlaceJob
from manabackup.operations.restore.plan import RestorePlan
from manabackup.operations.restore.result import RestoreResult
from manabackup.text import jsontext
from tests.support.archives import meta_of, ours
from tests.support.line import Spoiled
from tests.support.reference_client import Client

from .bench import CIPHER, REGISTRY, STORED, Bench

JSON = Any
THEN, LATER, FAR = "2026-04-20T08:15:30.123Z", "2026-04-21T09:00:00.000Z", "2999-01-01T00:00:00.000Z"
TABLES = ("tasks", "notes", "kontextDoc", "userContext", "aiMissions", "contacts")


@contextmanager
def job(bench: Bench, **options: Any) -> Iterator[EncryptInPlaceJob]:
    """One that is not begun yet."""
    with bench.account() as account, EncryptInPlaceJob(account, bench.folder / "restore", **options) as job:
        yield job


def encrypted(bench: Bench, tables: Sequence[str] = TABLES, **options: Any) -> RestoreResult:
    """From the plan to the verification."""
    with job(bench, **options) as running:
        running.plan(tables)
        running.push()
        result = running.result(running.verify())
        running.forget()
    assert result.verification is not None
    assert result.verification.ok, result.verification.cases
    return result


def planned(bench: Bench, **options: Any) -> RestorePlan:
    """The plan alone."""
    with job(bench, **options) as running:
        return running.plan(TABLES)


def note(bench: Bench, record: str = "n", *, at: str | None = THEN, table: str = "notes", **data: JSON) -> None:
    """A note of the personal space, with a time unless there is to be none."""
    space = {"spaceId": data.get("spaceId", bench.home)} if REGISTRY.by_name[table].scope == "space" else {}
    times = {} if at is None else {"createdAt": at}
    bench.write({"id": record, "data": {**space, **times, **data}, **space}, table)


def operations(bench: Bench, record: str, table: str = "notes") -> list[str]:
    return [change["op"] for change in bench.changes(table, record)]


def opened(value: str) -> JSON:
    return jsontext.parse(CIPHER.decrypt(value))


# --- what is written --------------------------------------------------------------------------------------------------


def test_what_stands_in_clear_is_encrypted_and_everything_else_stays_byte_for_byte(bench: Bench) -> None:
    kept = CIPHER.encrypt(b'"schon verschluesselt"')
    note(bench, title="offen", content=kept, color="rot", nothing=None)
    before = bench.row("notes", "n")
    result = encrypted(bench)
    after = bench.row("notes", "n")
    assert (result.updated, result.failed, result.losses) == (1, 0, 0)
    assert opened(after.values.pop("title")) == "offen"
    assert after.values["content"] == kept
    assert {name: value for name, value in after.values.items() if name != "deletedAt"} == {
        name: value for name, value in before.values.items() if name != "title"
    }
    assert operations(bench, "n") == ["insert", "update"]


def test_values_of_every_type_are_encrypted_as_they_are(bench: Bench) -> None:
    subtasks = [{"title": "Umlaute: äöü", "done": False, "n": 1.5}]
    note(bench, "t", table="tasks", title="", subtasks=subtasks, metadata={"labelIds": ["a"]}, description=None)
    encrypted(bench)
    values = bench.row("tasks", "t").values
    assert opened(values["title"]) == ""
    assert CIPHER.decrypt(values["subtasks"]) == jsontext.dumps(subtasks)
    assert CIPHER.decrypt(values["metadata"]) == b'{"labelIds":["a"]}'
    assert values["description"] is None


def test_no_row_gets_a_time_a_visibility_or_a_column_that_it_did_not_have(bench: Bench) -> None:
    note(bench, "timed", title="a")
    note(bench, "untimed", at=None, title="b")
    note(bench, "future", at=FAR, title="c")
    bench.write({"id": "bare", "data": {"title": "d"}, "spaceId": bench.home}, "notes")
    before = {record: bench.row("notes", record) for record in ("timed", "untimed", "future", "bare")}
    result = encrypted(bench)
    assert (result.plan.replaced, result.updated) == (0, 4)
    for record, row in before.items():
        after = bench.row("notes", record)
        assert opened(after.values.pop("title")) == row.values.pop("title")
        assert after.values == row.values
        assert {name: stamp.at for name, stamp in after.stamps.items()} == {
            name: stamp.at for name, stamp in row.stamps.items()
        }


def test_a_row_whose_time_is_a_number_is_replaced_and_its_times_taken_away_again(bench: Bench) -> None:
    note(bench, at=None, title="a", createdAt=1_700_000_000_000)
    result = encrypted(bench)
    assert operations(bench, "n") == ["insert", "delete", "insert", "update"]
    values = {name: value for name, value in bench.row("notes", "n").values.items() if value is not None}
    assert opened(values.pop("title")) == "a"
    assert values == {"spaceId": bench.home, "createdAt": 1_700_000_000_000}
    assert result.plan.replaced == 1


def test_every_client_shows_ciphertext_afterwards_whenever_it_syncs(bench: Bench) -> None:
    note(bench, "untimed", at=None, title="a")
    note(bench, "timed", title="b")
    encrypted(bench)
    for clock in ("2026-11-30T00:00:00.000Z", "2099-01-01T00:00:00.000Z"):
        client = Client()
        client.apply("notes", bench.changes("notes"), clock)
        assert {opened(row["title"]) for row in client.shown("notes").values()} == {"a", "b"}


def test_documents_and_settings_that_the_service_wrote_are_encrypted_and_stay_whose_they_are(bench: Bench) -> None:
    bench.write({"id": "doc", "data": {"content": "# Ich"}, "spaceId": bench.home}, "kontextDoc")
    bench.write({"id": "singleton", "data": {"userId": bench.user, "freeform": "ich"}}, "userContext")
    encrypted(bench)
    document, context = bench.row("kontextDoc", "doc"), bench.row("userContext", "singleton")
    assert (opened(document.values["content"]), document.values["spaceId"]) == ("# Ich", bench.home)
    assert (opened(context.values["freeform"]), context.values["userId"]) == ("ich", bench.user)
    assert "spaceId" not in context.values
    assert all("spaceId" not in change for change in bench.changes("userContext", "singleton"))


def test_rows_in_the_bin_are_encrypted_and_stay_there(bench: Bench) -> None:
    note(bench, "timed", title="a")
    note(bench, "untimed", at=None, title="b")
    for record in ("timed", "untimed"):
        bench.write({"id": record, "op": "delete", "deletedAt": LATER}, "notes")
    encrypted(bench)
    for record, text in (("timed", "a"), ("untimed", "b")):
        row = bench.row("notes", record)
        assert (row.state, row.values["deletedAt"], opened(row.values["title"])) == ("tombstone", LATER, text)


def test_a_row_that_names_no_space_gets_none_by_an_update(bench: Bench) -> None:
    bench.write({"id": "n", "data": {"title": "x", "createdAt": THEN, "userId": bench.user}}, "notes")
    encrypted(bench)
    assert bench.row("notes", "n").space is None
    assert bench.row("notes", "n").values["userId"] == bench.user


def test_a_row_under_the_stand_in_of_the_personal_space_stays_visible(bench: Bench) -> None:
    stand_in = f"_personal:{bench.user}"
    note(bench, title="x", spaceId=stand_in)
    encrypted(bench)
    assert bench.row("notes", "n").values["spaceId"] == stand_in


def test_ai_rows_are_replaced_only_when_that_is_asked_for(bench: Bench) -> None:
    note(bench, "timed", table="aiMissions", title="x", at=THEN)
    note(bench, "untimed", table="aiMissions", title="x", at=None)
    note(bench, "numbered", table="aiMissions", title="x", at=None, createdAt=5)
    result = encrypted(bench)
    assert (result.updated, result.plan.reasons, result.losses) == (2, {"aiNotReplaced": 1}, 1)
    assert operations(bench, "untimed", "aiMissions") == ["insert", "insert"]
    assert operations(bench, "numbered", "aiMissions") == ["insert"]
    assert encrypted(bench, replace_ai=True).updated == 1
    for record in ("timed", "untimed", "numbered"):
        assert opened(bench.row("aiMissions", record).values["title"]) == "x"


# --- what is left -----------------------------------------------------------------------------------------------------


def test_rows_of_shared_spaces_are_never_touched(bench: Bench) -> None:
    note(bench, title="lesbar", spaceId=bench.club)
    report = planned(bench)
    assert (report.planned, report.reasons) == (0, {})
    assert bench.line.pushed == []


def test_rows_of_spaces_of_unknown_type_are_left_and_reported(bench: Bench) -> None:
    note(bench, "home", title="x")
    note(bench, "club", title="x", spaceId=bench.club)
    note(bench, "nowhere", title="x", spaceId="a-space-of-nobody")
    assert planned(bench).reasons == {"unknownSpace": 1}
    bench.types = bench.personal = None
    report = planned(bench)
    assert (report.planned, report.reasons) == (0, {"unknownSpace": 3})
    bench.personal = bench.home
    report = planned(bench)
    assert (report.planned, report.reasons) == (1, {"unknownSpace": 2})


def test_a_row_that_was_sent_to_a_shared_space_as_well_is_left_and_reported(bench: Bench) -> None:
    note(bench, title="x")
    update = {"id": "n", "op": "update", "fields": {"color": {"value": "rot", "at": LATER}}, "spaceId": bench.club}
    bench.write(update, "notes")
    report = planned(bench)
    assert (report.planned, report.reasons) == (0, {"otherSpace": 1})


def test_what_a_later_version_may_have_encrypted_is_left_and_reported(bench: Bench) -> None:
    note(bench, "both", title="enc:2:neuer", content="offen")
    note(bench, "one", title="enc:2:neuer")
    result = encrypted(bench)
    assert (result.updated, result.plan.left_out) == (1, 2)
    values = bench.row("notes", "both").values
    assert (values["title"], opened(values["content"])) == ("enc:2:neuer", "offen")
    assert operations(bench, "one") == ["insert"]


def test_rows_that_are_gone_and_rows_without_anything_in_clear_are_not_written(bench: Bench) -> None:
    note(bench, "gone", title="x")
    bench.write({"id": "gone", "op": "delete"}, "notes")
    note(bench, "sound", title=CIPHER.encrypt(b'"x"'))
    assert planned(bench).planned == 0


def test_a_table_that_the_server_cannot_read_is_not_written_into(bench: Bench) -> None:
    note(bench, "n", title="x")
    poison = {"table": "notes", "id": "unread", "op": "insert", "data": {"title": "x"}}
    day = 86_400_000_000
    bench.box.log.append(bench.user, "laptop", "notes", poison, created_at_us=STORED - day, poisoned=True)
    bench.limits = Limits(attempts=1)
    report = planned(bench)
    assert report.planned == 0
    assert report.reasons == {"targetUnreadable": 1}


def test_without_a_key_nothing_is_begun(bench: Bench) -> None:
    note(bench, title="x")
    bench.cipher = None
    with pytest.raises(UsageError, match="key"):
        planned(bench)
    assert not (bench.folder / "restore").exists()


# --- on the way -------------------------------------------------------------------------------------------------------


def test_a_second_run_finds_nothing_to_do(bench: Bench) -> None:
    note(bench, "timed", title="x")
    note(bench, "untimed", at=None, title="x")
    encrypted(bench)
    assert planned(bench).planned == 0


def test_the_outbox_holds_nothing_private_in_clear(bench: Bench) -> None:
    note(bench, "timed", title="streng-geheim-1")
    note(bench, "untimed", at=None, title="streng-geheim-2")
    with job(bench) as running:
        assert running.plan(TABLES).planned == 2
        files = [path for path in (bench.folder / "restore").iterdir() if path.name.startswith("outbox")]
        assert files
        assert not any(b"streng-geheim" in path.read_bytes() for path in files)


@pytest.mark.parametrize("stored", [0, 1, 2])
def test_a_run_that_died_goes_on_where_it_stopped_and_sends_nothing_twice(bench: Bench, stored: int) -> None:
    note(bench, "a", title="1")
    note(bench, "b", at=None, title="2")
    note(bench, "c", title="3")
    bench.limits = Limits(attempts=1)
    bench.line.push_fault = _until_the_end(stored)
    with job(bench) as running:
        running.plan(TABLES)
        with pytest.raises(ServerError):
            running.push()
    bench.line.push_fault = lambda pushed: None
    with job(bench) as running:
        assert running.resumed() is not None
        running.push()
        found = running.verify()
        assert found.ok, found.cases
        running.forget()
    assert {opened(bench.row("notes", record).values["title"]) for record in "abc"} == {"1", "2", "3"}
    assert operations(bench, "a") == operations(bench, "c") == ["insert", "update"]
    assert operations(bench, "b") == ["insert", "insert"]


def _until_the_end(stored: int) -> Any:
    """The first push is cut off after so many changes, and from then on the server takes nothing."""
    pushes = iter([Spoiled(stored, None)])
    return lambda pushed: next(pushes, Spoiled(0, 503))


def test_only_one_thing_at_a_time_is_written_into_an_account(bench: Bench, tmp_path: Path) -> None:
    note(bench, title="x")
    archive = ours(tmp_path / "a.mana", {"tasks": [{"id": "t"}]}, meta={"tasks": [meta_of({"id": "t"}, space=0)]})
    bench.line.push_fault = lambda pushed: Spoiled(0, 503)
    bench.limits = Limits(attempts=1)
    with job(bench) as running:
        running.plan(TABLES)
        with pytest.raises(ServerError):
            running.push()
    with bench.job(archive) as restore, pytest.raises(UnfinishedError, match="fix-plaintext"):
        restore.resumed()
    with job(bench, replace_ai=True) as other, pytest.raises(UnfinishedError):
        other.resumed()
    bench.line.push_fault = lambda pushed: None
    with job(bench) as running:
        assert running.resumed() is not None
        running.push()
        running.forget()
    bench.line.push_fault = lambda pushed: Spoiled(0, 503)
    with bench.job(archive) as restore:
        restore.plan()
        with pytest.raises(ServerError):
            restore.push()
    with job(bench) as running, pytest.raises(UnfinishedError, match=r"a restore of a\.mana"):
        running.resumed()
    bench.line.push_fault = lambda pushed: None
    with job(bench) as running:
        running.abandon()
        assert running.resumed() is None
