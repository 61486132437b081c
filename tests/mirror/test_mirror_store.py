"""What the mirror promises of its file: whole transactions, one owner, mode 0600, exact text."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import LockedError, MirrorError, NotFoundError, OutputError
from manabackup.mirror import Batch, Mirror, event_key, prepare
from manabackup.mirror.schema import VERSION
from manabackup.text import jsontext
from tests.support.damage import full_disk

from .stored import URL, changes, open_mirror, pages


def test_the_file_and_its_log_are_for_the_owner_alone(path: Path) -> None:
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(changes("a"))})
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert len(list(path.parent.iterdir())) > 1


def test_changes_come_back_as_canonical_text_with_their_record_ids(path: Path) -> None:
    first = b'{"op":"insert","id":"\\ud83d","data":{"b":1.50,"a":1e400}}'
    raw = b"[" + first + b', 7, {"id":3}, [], {"id":"x","data":"line\\nbreak"}]'
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(prepare(jsontext.parse(raw)))})
        (page,) = pages(mirror)
    assert page.ids == ["\ud83d", None, None, None, "x"]
    assert page.lines() == [
        b'{"data":{"a":1e400,"b":1.5},"id":"\\ud83d","op":"insert"}',
        b"7",
        b'{"id":3}',
        b"[]",
        b'{"data":"line\\nbreak","id":"x"}',
    ]


def test_collections_are_listed_with_their_sizes_and_cursors(path: Path) -> None:
    batch = changes("a", "b")
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(batch, cursor=5), "empty": Batch([], cursor=9)})
        mirror.store("notes", {"\ud800\0/..": Batch(changes("a"))}, cursor=7)
        with mirror.snapshot() as snapshot:
            held = {(one.app, one.name): (one.changes, one.bytes, one.cursor) for one in snapshot.collections()}
    size = sum(len(change.text) + 1 for change in batch)
    assert held == {
        ("todo", "tasks"): (2, size, 5),
        ("todo", "empty"): (0, 0, 9),
        ("notes", "\ud800\0/.."): (1, size // 2, 7),
    }


def test_a_collections_cursor_is_the_later_of_its_own_and_its_apps_and_never_goes_back(path: Path) -> None:
    with open_mirror(path) as mirror:
        assert mirror.cursor("todo", "tasks") is None
        mirror.store("todo", {"tasks": Batch([], cursor=5)})
        mirror.store("todo", {"tasks": Batch([], cursor=3)}, cursor=4)
        assert mirror.cursor("todo", "tasks") == 5
        mirror.store("todo", {}, cursor=8)
        mirror.store("todo", {}, cursor=6)
        assert (mirror.cursor("todo", "tasks"), mirror.app_cursor("todo")) == (8, 8)


def test_one_event_is_stored_once_however_often_it_comes(path: Path) -> None:
    twice = changes("a", "b", "a")
    with open_mirror(path) as mirror:
        first = mirror.store("todo", {"tasks": Batch([*twice, twice[0]])})
        again = mirror.store("todo", {"tasks": Batch(twice)})
        assert (first.new, first.held, again.new, again.held) == (2, 0, 0, 2)
        assert [page.ids for page in pages(mirror)] == [["record of a", "record of b"]]


def test_the_same_event_id_in_two_collections_is_two_events(path: Path) -> None:
    with open_mirror(path) as mirror:
        stored = mirror.store("todo", {"tasks": Batch(changes("a")), "lists": Batch(changes("a"))})
        assert stored.new == 2


def test_changes_without_an_event_id_are_told_apart_by_their_text(path: Path) -> None:
    with open_mirror(path) as mirror:
        batch = Batch(prepare([{"id": "x"}, {"id": "x"}, {"id": "y"}, {"eventId": 7, "id": "x"}]))
        assert mirror.store("todo", {"tasks": batch}).new == 3
        assert mirror.store("todo", {"tasks": batch}).new == 0


@given(st.one_of(st.uuids().map(str), st.text(), st.uuids().map(lambda u: str(u).upper())))
def test_event_keys_tell_any_two_ids_apart(event: str) -> None:
    key = event_key({"eventId": event})
    assert key != event_key({"eventId": event + " "})
    assert key != event_key({"event": event})
    assert key == event_key({"eventId": event, "other": 1})


def test_a_page_and_its_cursor_are_stored_together_or_not_at_all(path: Path) -> None:
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(changes("a"), cursor=1)})
        # The second collection's change cannot be stored: its text is no bytes.
        broken = [change._replace(text=cast("bytes", None), digest=b"12345678") for change in changes("c")]
        with pytest.raises(TypeError):
            mirror.store("todo", {"tasks": Batch(changes("b"), cursor=2), "lists": Batch(broken)}, cursor=2)
        assert (mirror.cursor("todo", "tasks"), mirror.app_cursor("todo")) == (1, None)
        assert [page.ids for page in pages(mirror)] == [["record of a"]]
        assert mirror.collections("todo") == ["tasks"]


_WRITER = """
import sys
from pathlib import Path
from manabackup.mirror import Batch, Mirror, prepare
mirror = Mirror(Path(sys.argv[1]), sync_url="https://sync.example", user_id="user")
for n in range(10**6):
    batch = prepare([{"eventId": f"{n}-{i}", "id": "r", "data": {"x": "y" * 300}} for i in range(50)])
    mirror.store("todo", {"tasks": Batch(batch, cursor=n)})
    print(n, flush=True)
"""


def test_L1_after_a_kill_every_cursor_has_its_page_and_every_page_its_events(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    with open_mirror(path) as mirror:
        cursor = mirror.cursor("todo", "tasks")
        assert cursor is not None
        assert cursor >= last
        lines = [line for page in pages(mirror) for line in page.lines()]
        assert len(lines) == mirror.changes("todo", "tasks") == 50 * (cursor + 1)
        everything = prepare([jsontext.parse(line) for line in lines])
        assert mirror.store("todo", {"tasks": Batch(everything)}).new == 0


def test_a_snapshot_sees_one_state_while_the_mirror_grows(path: Path) -> None:
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(changes("a"))})
        with mirror.snapshot() as snapshot:
            mirror.store("todo", {"tasks": Batch(changes("b")), "lists": Batch(changes("c"))})
            assert [page.ids for page in snapshot.read("todo", "tasks")] == [["record of a"]]
            assert [held.name for held in snapshot.collections()] == ["tasks"]
        assert [page.ids for page in pages(mirror)] == [["record of a", "record of b"]]


def test_many_threads_may_store_at_once(path: Path) -> None:
    with open_mirror(path) as mirror:

        def work(collection: str) -> None:
            for n in range(20):
                mirror.store("todo", {collection: Batch(changes(*(f"{n}-{i}" for i in range(10))), cursor=n)})

        threads = [threading.Thread(target=work, args=(f"c{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with mirror.snapshot() as snapshot:
            assert [(held.changes, held.cursor) for held in snapshot.collections()] == [(200, 19)] * 6


def test_the_mirror_is_bound_to_one_user_on_one_server(path: Path) -> None:
    open_mirror(path).close()
    for url, user in ((URL, "somebody else"), ("https://other.example", "user")):
        with pytest.raises(MirrorError):
            Mirror(path, sync_url=url, user_id=user)
    Mirror(path, sync_url=URL + "/", user_id="user").close()


def test_what_the_mirror_knows_of_itself_survives_closing(path: Path) -> None:
    with open_mirror(path) as mirror:
        assert (mirror.key_fingerprint, mirror.pulled_at, mirror.discovered_apps) == (None, None, [])
        client_id = mirror.client_id
        mirror.pin_key("0123456789abcdef")
        mirror.begin_pull(compare=False)
        mirror.store("todo", {}, cursor=1)
        mirror.end_pull(42)
    with open_mirror(path, create=False) as mirror:
        assert mirror.client_id == client_id
        assert (mirror.key_fingerprint, mirror.pulled_at, mirror.discovered_apps) == ("0123456789abcdef", 42, ["todo"])


def test_without_a_mirror_there_is_nothing_to_export(path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_mirror(path, create=False)
    assert not path.exists()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    open_mirror(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    path.with_name(f"{path.name}.sums").unlink()  # such a version leaves none that says otherwise
    before = path.read_bytes()
    with pytest.raises(MirrorError, match="newer version"):
        open_mirror(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_file_that_is_no_mirror_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(MirrorError):
        open_mirror(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(MirrorError):
        open_mirror(path)


def test_a_flipped_bit_in_a_page_is_noticed_when_it_is_read(path: Path) -> None:
    text = uuid4().hex * 20
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(changes("a", "b", text=text))})
    with sqlite3.connect(path) as connection:
        (body,) = connection.execute("SELECT body FROM page").fetchone()
        with open_mirror(path) as mirror:
            connection.execute("UPDATE page SET body = ?", (body[:40] + bytes([body[40] ^ 1]) + body[41:],))
            connection.commit()
            with pytest.raises(MirrorError, match="todo/tasks"):
                pages(mirror)
    connection.close()


def test_L3_a_mirror_that_another_process_writes_is_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manabackup.mirror.schema._BUSY_SECONDS", 0.0)
    with open_mirror(path) as mirror:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError):
            mirror.store("todo", {"tasks": Batch(changes("a"))})
        other.close()


def test_L2_a_full_disk_is_an_output_error_and_what_was_held_stays(path: Path) -> None:
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(changes("a"), cursor=1)})
    with full_disk(20), open_mirror(path) as mirror:
        large = prepare([{"eventId": str(n), "data": os.urandom(3_000).hex()} for n in range(50)])
        with pytest.raises(OutputError):
            mirror.store("todo", {"tasks": Batch(large, cursor=2)})
        assert mirror.cursor("todo", "tasks") == 1
        assert [page.ids for page in pages(mirror)] == [["record of a"]]


def test_L2_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        open_mirror(tmp_path / "missing" / "mirror.sqlite")
