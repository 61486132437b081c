"""The outbox on a disk that alters what it keeps: nothing else is sent than what was planned, and nothing twice."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manabackup.errors import ManabackupError
from manabackup.operations.restore.outbox import Item, Outbox, Stage, State
from manabackup.text import jsontext
from tests.support import flips

FIXTURE = Path(__file__).parents[3] / "fixtures" / "state" / "outbox-0.1.0.sqlite"


def item(number: int) -> Item:
    changes = [
        jsontext.dumps({"table": "tasks", "id": f"r{number}", "op": operation, "data": {"n": number}})
        for operation in ("insert", "update")
    ]
    return Item(0, "todo", "tasks", f"r{number}", "replace", "insert", changes, [f"event {number}"])


def fill(outbox: Outbox) -> None:
    """Something in every state."""
    outbox.remember("command", "this one")
    outbox.add([item(number) for number in range(6)])
    outbox.reach(Stage.PUSHING)
    planned = outbox.planned("todo", items=4, changes=200, size=1 << 20)
    outbox.done(planned[:1])
    outbox.send(planned[1:2], "2026-01-01T00:00:00Z")
    outbox.fail(planned[2], "400 no such luck")
    outbox.back(planned[3:], [1])
    outbox.overtake(outbox.unsent("tasks", ["r5"]))


def content(outbox: Outbox) -> Any:
    """All that a restore goes by."""

    def rows(items: list[Item]) -> list[Any]:
        return [
            (one.id, one.app, one.table, one.record, one.means, one.kind, one.missing, one.earlier) for one in items
        ]

    return (
        outbox.stage,
        outbox.client_id,
        [outbox.recall(key) for key in ("command", "since")],
        outbox.next_planned(),
        *(
            rows(items)
            for items in (
                outbox.planned("todo", items=200, changes=200, size=1 << 20),
                outbox.in_flight(),
                outbox.begun(),
                list(outbox.written()),
                outbox.stale(),
                outbox.unsent("tasks"),
            )
        ),
        outbox.counts(),
        outbox.tables(),
        outbox.failures(10),
        outbox.settled_changes(),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def test_L7_a_flipped_bit_changes_nothing_or_ends_the_restore(path: Path) -> None:
    with Outbox(path) as outbox:
        fill(outbox)
        expected = content(outbox)
    told: set[str] = set()
    for bit in flips.some(flips.all_bits(path), 1_500):
        with flips.flipped(path, bit):
            try:
                with Outbox(path) as outbox:
                    assert content(outbox) == expected, bit
            except ManabackupError as error:
                told.add(error.message)
    assert told
    assert all("is damaged" in message or "newer version" in message for message in told), told


def test_a_flipped_bit_in_its_log_does_not_take_back_what_was_done(path: Path, tmp_path: Path) -> None:
    """SQLite would leave out what follows it, without a word, and a batch would be sent again."""
    with Outbox(path) as outbox:
        fill(outbox)
        expected = content(outbox)
        copies = tmp_path / "copies"
        copies.mkdir()
        for name in (path.name, f"{path.name}-wal"):
            shutil.copy(path.with_name(name), copies / name)
    copy = copies / path.name
    log = copy.with_name(f"{path.name}-wal")
    written = log.read_bytes()
    kept = copy.read_bytes()
    told: set[str] = set()
    for bit in flips.some(range(len(written) * 8), 500, at_most=20_000):
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        copy.write_bytes(kept)
        log.write_bytes(damaged)
        try:
            with Outbox(copy) as outbox:
                assert content(outbox) == expected, bit
        except ManabackupError as error:
            told.add(error.message)
        log.with_name(f"{copy.name}-shm").unlink(missing_ok=True)
    assert told
    assert all("is damaged" in message for message in told), told
    copy.write_bytes(kept)
    log.write_bytes(written)
    with Outbox(copy) as outbox:
        assert content(outbox) == expected


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM item WHERE id = 5",
        "UPDATE item SET state = 0 WHERE id = 1",
        "UPDATE item SET state = 2 WHERE id = 5",
        "UPDATE item SET sent = 0 WHERE id = 4",
        "UPDATE item SET body = replace(body, 'r4', 'r5') WHERE id = 5",
        "INSERT INTO item SELECT 7, app, name, record, means, kind, changes, bytes, body, earlier, state, sent, words,"
        " content, progress FROM item WHERE id = 5",
        "UPDATE item SET id = id + 10 WHERE id = 5",
        "UPDATE item SET body = (SELECT body FROM item WHERE id = 4),"
        " content = (SELECT content FROM item WHERE id = 4),"
        " progress = (SELECT progress FROM item WHERE id = 4) WHERE id = 5",
        "UPDATE meta SET value = '2' WHERE key = 'stage'",
        "DELETE FROM meta WHERE key = 'clientId'",
        "UPDATE total SET states = '1 0 1 1'",
        "DELETE FROM total",
        "DROP INDEX item_state",
        "PRAGMA user_version = 1",
    ],
)
def test_L7_an_edited_outbox_ends_the_restore_and_says_what_to_do(path: Path, edit: str) -> None:
    with Outbox(path) as outbox:
        fill(outbox)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(edit)
        connection.commit()
    with pytest.raises(ManabackupError, match="is damaged") as raised:
        Outbox(path)
    assert raised.value.exit_code == 1
    assert f"remove {path.parent}" in str(raised.value.hint)


def test_what_is_altered_while_it_is_open_is_not_sent(path: Path) -> None:
    with Outbox(path) as outbox:
        fill(outbox)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE item SET body = replace(body, 'r4', 'r5') WHERE id = 5")
            connection.commit()
        with pytest.raises(ManabackupError, match="item 5"):
            outbox.planned("todo", items=200, changes=200, size=1 << 20)


def test_what_is_planned_anew_takes_the_place_of_what_was_and_the_rest_stays(path: Path) -> None:
    with Outbox(path) as outbox:
        fill(outbox)
        outbox.overtake(outbox.unsent("tasks", ["r4"]))
        fourth, fifth = outbox.stale()
        assert (fourth.record, fifth.record) == ("r4", "r5")
        before = len(list(outbox.written())), outbox.begun()[0].changes
        outbox.plan_anew([replace(item(9), id=fifth.id)], [fourth], {"a": 1})
    with Outbox(path) as outbox:
        assert not outbox.has_stale
        assert outbox.recall("report") == {"a": 1}
        assert [one.record for one in outbox.unsent("tasks")] == ["r1", "r9"]
        assert (len(list(outbox.written())), outbox.begun()[0].changes) == before


def test_an_outbox_of_version_0_1_0_goes_on_where_it_was(path: Path) -> None:
    shutil.copy(FIXTURE, path)
    for _ in range(2):
        with Outbox(path) as outbox:
            assert outbox.stage is Stage.PUSHING
            assert outbox.counts() == {("insert", state): 1 for state in State if state is not State.STALE}
            (flying,) = outbox.in_flight()
            assert flying.record == "r1"
            (planned,) = outbox.planned("todo", items=200, changes=200, size=1 << 20)
            assert planned.changes == item(3).changes
            assert outbox.failures(1) == [("tasks", "r2", "400 no such luck")]


def test_an_outbox_of_a_newer_version_says_so(path: Path) -> None:
    Outbox(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE item ADD COLUMN more")
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(ManabackupError, match="newer version"):
        Outbox(path)
