"""``pull``: the mirror follows the server, keeps what it holds, and says what it could not read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from manabackup.model import registry
from manabackup.sandbox import Sandbox, StoredChange
from tests.faults.acts import cut_at, writes
from tests.support import schemas
from tests.support.hasty import hasty
from tests.support.homes import START, Computer, Newcomer, Owner, assert_refused, manifest_of, rows_of
from tests.support.line import Act, Line, Request, says


def _note(newcomer: Newcomer, name: str, **options: Any) -> str:
    return newcomer.write({"id": name, "data": {"title": newcomer.sealed(name)}}, **options)


def test_a_second_pull_brings_only_what_is_new(newcomer: Newcomer, theirs: Computer) -> None:
    for number in range(5):
        _note(newcomer, f"n{number}")
    done = theirs("pull", "--json")
    assert (done.code, done.err) == (0, "")
    schemas.check("pull", done.record)
    # What the account service writes at registration is there too.
    first = done.record["held"]
    assert (done.record["new"], done.record["losses"]) == (first, []) != (0, [])
    _note(newcomer, "n5", created_at_us=None)
    done = theirs("pull", "--json")
    assert (done.record["new"], done.record["held"], done.record["full"]) == (1, first + 1, False)
    assert theirs("pull").out.startswith(f"0 new changes, {first + 1} in all")


def test_collections_that_no_registry_knows_are_told(newcomer: Newcomer, theirs: Computer) -> None:
    newcomer.write({"table": "drafts", "id": "d1", "data": {"x": 1}})
    newcomer.write({"table": "sheep", "id": "s1", "data": {"x": 1}}, "farm")
    assert theirs("pull", "--json").record["unknownCollections"] == ["notes/drafts"]
    done = theirs("pull", "--json", "--extra-app", "farm")
    assert (done.code, sorted(done.record["unknownCollections"])) == (0, ["farm/sheep", "notes/drafts"])
    assert theirs("pull", "--json", "--strict").code == 3


def test_a_history_that_was_rewritten_is_found_by_a_full_pull_and_changes_nothing_here(
    newcomer: Newcomer, theirs: Computer, box: Sandbox
) -> None:
    events = [_note(newcomer, f"n{number}") for number in range(4)]
    assert theirs.export().code == 0
    before = manifest_of(theirs.archive)["dataSha256"]
    box.log.forget(events[1])
    box.log.forget(events[2])
    _note(newcomer, "n2", event_id=events[2], created_at_us=START + 180_000_000)
    assert theirs("pull", "--json").record["losses"] == []
    done = theirs("pull", "--full", "--json")
    schemas.check("pull", done.record)
    found = {loss["kind"]: loss["events"] for loss in done.record["losses"]}
    assert (done.code, found) == (0, {"eventGone": [events[1]], "eventChanged": [events[2]]})
    assert theirs("pull", "--full", "--strict").code == 3
    done = theirs.export("--offline", "--force")
    assert done.record["dataSha256"] == before
    assert done.record["completeness"]["notices"].keys() >= {"eventGone", "eventChanged"}


def test_more_changes_of_one_instant_than_the_server_gives_out_are_a_loss(
    newcomer: Newcomer, theirs: Computer, box: Sandbox
) -> None:
    change = {"table": "notes", "op": "insert", "data": {"title": newcomer.sealed("x")}}
    box.log.append_many(
        StoredChange(newcomer.id, "laptop", "notes", {**change, "id": f"n{number}"}, START) for number in range(5_200)
    )
    newcomer.write({"table": "noteTags", "id": "t1", "data": {"noteId": "n1"}})
    done = theirs("pull", "--json")
    assert (done.code, [loss["kind"] for loss in done.record["losses"]]) == (3, ["unreadableTie"])
    schemas.check("pull", done.record)
    done = theirs.export("--offline")
    assert (done.code, done.record["status"]) == (3, "partial")
    assert done.record["completeness"]["losses"].keys() == {"unreadableTie"}
    rows = rows_of(theirs.archive)
    assert len(rows["notes"]) >= 5_000
    assert rows["noteTags"].keys() == {"t1"}


def test_a_mirror_that_was_only_ever_pulled_opens_without_the_servers(here: Computer, owner: Owner, line: Line) -> None:
    assert here("pull").code == 0
    with line.answering(lambda method, target: (503, b"")):
        assert here.export("--offline").code == 0
    assert {table: rows for table, rows in rows_of(here.archive).items() if rows} == owner.live


def test_a_pull_asks_for_the_wrapped_key_once_and_for_a_key_in_clear_never(
    newcomer: Newcomer, theirs: Computer, box: Sandbox, line: Line
) -> None:
    def asked() -> int:
        return sum(target.endswith("/encryption-vault/key") for _, target in line.asked)

    before = asked()
    for _ in range(2):
        assert theirs("pull").code == 0
    assert asked() == before + 1
    box.accounts.set_vault(newcomer.id, "standard", newcomer.key)
    theirs.environ["MANABACKUP_STATE_DIR"] += "-new"
    assert theirs("pull").code == 0
    assert asked() == before + 1


def test_a_full_pull_brings_the_past_of_a_space_that_was_joined_later(
    newcomer: Newcomer, theirs: Computer, box: Sandbox
) -> None:
    other = Newcomer(box, f"other-of-{newcomer.name}")
    team = box.accounts.create_space(other.id, "Team", "team", bootstrap=False)
    other.write({"id": "shared", "spaceId": team, "data": {"title": "für alle", "spaceId": team}})
    _note(newcomer, "own")
    assert theirs("pull").code == 0
    box.accounts.add_member(team, newcomer.id)
    box.forget_memberships()
    assert theirs("pull", "--json").record["new"] == 0
    assert theirs("pull", "--json", "--full").record["new"] == 1
    assert theirs.export("--offline").code == 0
    assert rows_of(theirs.archive)["notes"].keys() == {"shared", "own"}


def test_rows_that_a_broken_membership_look_up_hid_come_back_with_a_full_pull(
    here: Computer, owner: Owner, box: Sandbox
) -> None:
    box.faults.membership_outage = True
    try:
        assert here("pull").code == 0
    finally:
        box.faults.membership_outage = False
    assert here("pull", "--full").code == 0
    assert here.export("--offline").code == 0
    assert {table: rows for table, rows in rows_of(here.archive).items() if rows} == owner.live


def test_what_was_stored_before_the_server_failed_is_not_asked_for_again(
    here: Computer, owner: Owner, line: Line
) -> None:
    last = registry.load().apps[-1]

    def reply(method: str, target: str) -> tuple[int, bytes] | None:
        return (402, b'{"error":"sync_inactive","message":"paused"}') if target.startswith(f"/sync/{last}") else None

    with line.answering(reply):
        assert_refused(here("pull", "--json"), 16, "inactive")
    done = here("pull", "--json")
    assert done.code == 0
    assert 0 < done.record["new"] < done.record["held"] == owner.truth.changes


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("garbage", "not JSON"),
        ("list", ""),
        ("endless", ""),
        ("redirect", "redirects to evil.example"),
        ("deep", ""),
    ],
)
def test_a_server_that_talks_nonsense_stops_the_pull_with_14(
    newcomer: Newcomer, theirs: Computer, line: Line, kind: str, words: str
) -> None:
    endless = b'{"serverChanges":[],"conflicts":[],"syncedUntil":"2026-01-01T00:00:00Z","hasMore":true}'
    replies: dict[str, tuple[int, bytes] | tuple[int, bytes, dict[str, str]]] = {
        "garbage": (200, b"<html>hello</html>"),
        "list": (200, b"[]"),
        "endless": (200, endless),
        "redirect": (302, b"", {"Location": "http://evil.example/sync"}),
        "deep": (200, b"[" * 1_000_000),
    }
    said: Callable[[str, str], object] = lambda method, target: replies[kind] if "/sync/" in target else None  # noqa: E731
    with line.answering(said):  # type: ignore[arg-type]
        assert_refused(theirs("pull"), 14, words)
    _note(newcomer, "n1")
    assert theirs.export().code == 0
    assert "n1" in rows_of(theirs.archive)["notes"]


def test_an_app_with_an_impossible_name_is_2(theirs: Computer) -> None:
    for name in ("", "a\x1b[2J"):
        done = theirs("pull", "--extra-app", name)
        assert_refused(done, 2)
        assert "\x1b" not in done.err


def test_S9_a_server_that_refuses_and_breaks_off_now_and_then_only_slows_things_down(tmp_path: Path) -> None:
    numbers = count(1)

    def one_in_ten(_: Request) -> Act | None:
        number = next(numbers)
        if number % 10 == 0:
            return says(429, "slower", {"Retry-After": "0"} if number % 20 else {})
        return writes(cut_at(0.5)) if number % 10 == 5 else None

    with Sandbox(middleware=[Line(one_in_ten)]) as box:
        newcomer = Newcomer(box, "new")
        theirs = newcomer.at(Computer(tmp_path, box.url))
        theirs.program = hasty(theirs.home)
        for number in range(20):
            newcomer.write({"table": "tasks", "id": f"t{number}", "data": {"done": False}}, "todo")
        done = theirs.export()
    assert (done.code, done.record["status"]) == (0, "complete")
    assert rows_of(theirs.archive)["tasks"].keys() == {f"t{number}" for number in range(20)}


def test_S1_a_page_that_cannot_be_read_fails_no_other_app(newcomer: Newcomer, theirs: Computer, line: Line) -> None:
    newcomer.write({"table": "tasks", "id": "t1", "data": {"done": False}}, "todo")
    with line.answering(lambda method, target: (200, b"<html>") if _of_journal(target) else None):
        done = theirs.export()
        assert (done.code, done.record["status"]) == (3, "partial")
        assert done.record["completeness"]["losses"].keys() == {"unreadablePage"}
        assert rows_of(theirs.archive)["tasks"].keys() == {"t1"}
        done = theirs.export("--app", "todo", "--force")
        assert (done.code, done.record["status"]) == (0, "complete")
    done = theirs.export("--force")
    assert (done.code, done.record["status"]) == (0, "complete")


def _of_journal(target: str) -> bool:
    """A page of the journal, or the app as a whole; only what is later than everything is answered."""
    return target.startswith("/sync/journal") and "since=2999" not in target
