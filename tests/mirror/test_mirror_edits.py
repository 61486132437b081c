"""More than a bit of a mirror is another one: what was cut off, exchanged, edited, or is older than it was."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from manabackup.errors import MirrorError
from manabackup.mirror import UNKNOWN_KEY, Batch, LossKind
from tests.support.damage import KEY, SERVER, build, changes, content, opened, pull, rows

from .healing import beside, check_healing, without_the_gone


@pytest.mark.parametrize("length", [0, 1, 99, 100, 4_095, 4_096, 4_097, *range(5_000, 45_000, 4_100)])
def test_L7_a_mirror_that_was_cut_off_is_read_again(path: Path, length: int) -> None:
    build(path)
    with opened(path) as mirror:
        expected = rows(mirror)
    with path.open("r+b") as file:
        file.truncate(length)
    with opened(path) as mirror:
        assert mirror.repair is not None
        assert mirror.damage or rows(mirror) == expected
        pull(mirror, SERVER)
        assert rows(mirror) in (expected, without_the_gone(expected))


def test_without_a_server_a_mirror_of_which_nothing_can_be_read_stays_where_it_is(path: Path) -> None:
    build(path)
    path.write_bytes(b"")
    with pytest.raises(MirrorError, match="nothing of it can be read"):
        opened(path, create=False)
    assert path.read_bytes() == b""
    with opened(path) as mirror:
        assert mirror.is_in_doubt
        assert mirror.key_fingerprint == UNKNOWN_KEY
        pull(mirror, SERVER)
        assert rows(mirror) == SERVER_ROWS


SERVER_ROWS = {of: [change.text for change in held] for of, held in SERVER.items()}


def test_L7_exchanged_pages_of_the_file_are_found(path: Path) -> None:
    build(path)
    with opened(path) as mirror:
        expected = rows(mirror)
    written = path.read_bytes()
    witness = beside(path, ".sums").read_bytes()
    blocks = [written[at : at + 4_096] for at in range(0, len(written), 4_096)]
    pairs = [(one, other) for one in range(1, len(blocks)) for other in range(1, one)]
    for one, other in random.sample(pairs, 12):
        exchanged = list(blocks)
        exchanged[one], exchanged[other] = blocks[other], blocks[one]
        path.write_bytes(b"".join(exchanged))
        beside(path, ".sums").write_bytes(witness)
        check_healing(path, SERVER, expected, keeps_history=False)


@pytest.mark.parametrize("keep_witness", [True, False])
def test_a_page_of_the_file_as_it_was_before_is_found(path: Path, keep_witness: bool) -> None:
    build(path)
    before = path.read_bytes()
    server = {**SERVER, ("todo", "tasks"): [*SERVER["todo", "tasks"], *changes("tasks", 6, 7)]}
    with opened(path) as mirror:
        pull(mirror, server)
        expected = rows(mirror)
    after = path.read_bytes()
    witness = beside(path, ".sums").read_bytes()
    changed = [at for at in range(4_096, len(before), 4_096) if before[at : at + 4_096] != after[at : at + 4_096]]
    assert len(changed) > 2
    for at in changed:
        path.write_bytes(after[:at] + before[at : at + 4_096] + after[at + 4_096 :])
        beside(path, ".sums").write_bytes(witness)
        if not keep_witness:
            beside(path, ".sums").unlink()
        check_healing(path, server, expected)


def test_a_mirror_that_is_older_than_it_was_says_so(path: Path, tmp_path: Path) -> None:
    build(path)
    shutil.copy(path, tmp_path / "older")
    server = {**SERVER, ("todo", "tasks"): [*SERVER["todo", "tasks"], *changes("tasks", 6, 7)]}
    with opened(path) as mirror:
        pull(mirror, server)
        expected = rows(mirror)
    shutil.copy(tmp_path / "older", path)
    assert check_healing(path, server, expected)


EDITS = {
    "a page lost": "DELETE FROM page WHERE id = 3",
    "a page in another collection": "UPDATE page SET collection = 2, position = 9 WHERE id = 3",
    "a page in another place": "UPDATE page SET position = position + 1 WHERE id = 3",
    "a page there twice": "INSERT INTO page SELECT 9, collection, 9, changes, bytes, last, events, sum, ids, body"
    " FROM page WHERE id = 3",
    "two pages exchanged": "UPDATE page SET collection = 5 - collection, position = 77 WHERE id > 1;",
    "the bodies of two pages exchanged": "UPDATE page SET body = (SELECT body FROM page AS other WHERE"
    " other.id = 5 - page.id), ids = (SELECT ids FROM page AS other WHERE other.id = 5 - page.id) WHERE id > 1",
    "a page's count": "UPDATE page SET changes = changes - 1 WHERE id = 3",
    "a cursor ahead": "UPDATE collection SET cursor = 99000000 WHERE name = x'7461736b73'",
    "a cursor forgotten": "UPDATE collection SET cursor = NULL WHERE name = x'7461736b73'",
    "an app's cursor ahead": "UPDATE app SET cursor = 99000000 WHERE name = x'746f646f'",
    "an app lost": "DELETE FROM app WHERE name = x'746f646f'",
    "a collection lost": "DELETE FROM collection WHERE name = x'7461736b73'",
    "a collection of another name": "UPDATE collection SET name = x'7461736c73' WHERE name = x'7461736b73'",
    "the names of two collections exchanged": "UPDATE collection SET name = x'00' WHERE id = 2; UPDATE collection SET"
    " name = x'6c69737473' WHERE id = 3; UPDATE collection SET name = x'7461736b73' WHERE id = 2",
    "a collection's count": "UPDATE collection SET changes = 3 WHERE name = x'7461736b73'",
    "an event lost": "DELETE FROM event WHERE key = x'00000000000040008000000000000004'",
    "an event elsewhere": "UPDATE event SET page = 2 WHERE key = x'00000000000040008000000000000004'",
    "an event of another digest": "UPDATE event SET digest = x'0011223344556677' WHERE page = 3",
    "an event too many": "INSERT INTO event VALUES (3, x'00000000000040008000000000000077', 3, x'0011223344556677')",
    "an event of nowhere": "INSERT INTO event VALUES (8, x'00000000000040008000000000000077', 3, x'0011223344556677')",
    "a loss lost": "DELETE FROM loss WHERE event IS NULL",
    "a loss altered": "UPDATE loss SET until = until + 1 WHERE event IS NULL",
    "a loss there twice": "INSERT INTO loss SELECT id + 10, run, kind, app, collection, since, until, event,"
    " record, sum FROM loss",
    "the key lost": "DELETE FROM meta WHERE key = 'keyFingerprint'",
    "the key altered": "UPDATE meta SET value = '0123456789abcdee' WHERE key = 'keyFingerprint'",
    "the client's id altered": "UPDATE meta SET value = 'me' WHERE key = 'clientId'",
    "the time of the pull altered": "UPDATE meta SET value = '7' WHERE key = 'pulledAt'",
    "what is remembered altered": "UPDATE meta SET value = '{}' WHERE key = 'remembered:spaces'",
    "the root lost": "DELETE FROM root",
    "the root altered": "UPDATE root SET loss = zeroblob(16)",
    "everything lost": "DELETE FROM page; DELETE FROM event; DELETE FROM collection;",
    "an index lost": "DROP INDEX loss_event",
    "a table lost": "DROP TABLE event",
    "another version": "PRAGMA user_version = 2",
}


@pytest.mark.parametrize("witnessed", [True, False])
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_L7_an_edit_of_the_file_is_found_and_healed(path: Path, edit: str, witnessed: bool) -> None:
    build(path)
    with opened(path) as mirror:
        expected, client_id = rows(mirror), mirror.client_id
        with mirror.snapshot() as snapshot:
            losses = snapshot.losses()
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute("SELECT * FROM page").fetchall()
        connection.executescript(edit)
        assert len(before) == 3
    if not witnessed:
        beside(path, ".sums").unlink()
    with opened(path) as mirror:
        assert mirror.repair is not None
        assert mirror.key_fingerprint in (KEY, UNKNOWN_KEY)
        assert mirror.client_id == client_id or mirror.repair.kept.client_id_is_new
        with mirror.snapshot() as snapshot:
            kept = [(one.app, one.collection, one.count) for one in snapshot.losses() if one not in mirror.damage]
        assert mirror.is_in_doubt or kept == [(one.app, one.collection, one.count) for one in losses]
    check_healing(path, SERVER, expected)


def test_a_damaged_fingerprint_of_the_key_is_not_replaced_by_another(path: Path) -> None:
    build(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE meta SET value = '0123456789abcdee' WHERE key = 'keyFingerprint'")
        connection.commit()
    for _ in range(2):
        with opened(path) as mirror:
            assert mirror.key_fingerprint == UNKNOWN_KEY
            pull(mirror, SERVER)


def test_what_only_the_mirror_held_and_was_lost_stays_said(path: Path) -> None:
    build(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM page WHERE id = 3")
        connection.commit()
    for _ in range(2):
        with opened(path) as mirror:
            pull(mirror, SERVER, compare=True)
            with mirror.snapshot() as snapshot:
                (loss,) = snapshot.losses()
            assert (loss.kind, loss.app, loss.collection, loss.count) == (LossKind.EVENT_LOST, "todo", "tasks", 1)


def test_the_damaged_file_stays_until_the_next_one(path: Path) -> None:
    build(path)
    for edit in ("DELETE FROM page WHERE id = 3", "DELETE FROM page WHERE id = 1"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(edit)
            connection.commit()
        damaged = path.read_bytes()
        with opened(path) as mirror:
            assert mirror.repair is not None
            assert mirror.repair.damaged == beside(path, ".damaged")
        assert beside(path, ".damaged").read_bytes() == damaged
    assert not list(path.parent.glob("*.new*")) + list(path.parent.glob("*.copy*"))


def test_an_exchange_of_files_that_was_cut_off_is_ended(path: Path) -> None:
    build(path)
    with opened(path) as mirror:
        expected = content(mirror)
    path.rename(beside(path, ".new"))
    beside(path, "-wal").write_bytes(b"of the damaged one")
    with opened(path) as mirror:
        assert content(mirror) == expected


def test_an_index_that_leads_astray_is_noticed_before_it_loses_an_event(path: Path) -> None:
    build(path)
    with opened(path) as mirror:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE event SET page = 2 WHERE key = x'00000000000040008000000000000004'")
            connection.commit()
        with pytest.raises(MirrorError, match="todo/tasks"):
            mirror.store("todo", {"tasks": Batch([*changes("tasks", 50), *changes("tasks", 4)])})
