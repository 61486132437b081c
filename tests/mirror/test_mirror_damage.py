"""A disk that alters what it keeps: nothing that a mirror held is missing later without a word, and a pull heals it.

``MANABACKUP_FLIPS=all`` opens the mirror with every single bit flipped.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.crypto.checksums import ChecksumError
from manabackup.errors import MirrorError
from manabackup.mirror import UNKNOWN_KEY, Batch, LossKind, Mirror
from manabackup.mirror.inspection import inspect
from manabackup.mirror.witness import Witness
from tests.support import flips
from tests.support.damage import GONE, KEY, SERVER, Server, build, changes, content, opened, pull, rows

FIXTURE = Path(__file__).parents[2] / "fixtures" / "state" / "mirror-0.1.0.sqlite"
PARTS = 6
Rows = dict[tuple[str, str], list[bytes]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirror.sqlite"


def beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}{what}")


def without_the_gone(held: Rows) -> Rows:
    return {of: [line for line in lines if not is_gone(line)] for of, lines in held.items()}


def is_gone(line: bytes) -> bool:
    return b"title %d " % GONE in line


def check_healing(path: Path, server: Server, expected: Rows, *, keeps_history: bool = True) -> bool:
    """Opens a mirror after damage: what it holds is all that it held, or it says what is missing, and a pull brings it
    back. Whether something was missing. ``keeps_history``: what the server lost before is not forgotten either."""
    with opened(path) as mirror:
        found, damage = rows(mirror), mirror.damage
        if damage:
            lost_throughout = any(not loss.app for loss in damage)
            of_damaged = {(loss.app, loss.collection) for loss in damage}
            for of, lines in expected.items():
                assert [line for line in lines if line in set(found.get(of, ()))] == found.get(of, [])
                assert lost_throughout or of in of_damaged or found[of] == lines
        else:
            assert found == expected
        again = damage
    with opened(path) as mirror:
        assert mirror.damage == again  # until it is healed, each run says so
        pull(mirror, server)
        assert mirror.damage == []
        healed = rows(mirror)
        assert healed == expected or damage
        # What the server has no longer has no place in its order; where it is lost, that stays said.
        assert without_the_gone(healed) == without_the_gone(expected)
        with mirror.snapshot() as snapshot:
            told = [loss.count for loss in snapshot.losses() if loss.kind is LossKind.EVENT_LOST]
        gone_is_lost = any(map(is_gone, chain(*expected.values()))) and not any(map(is_gone, chain(*healed.values())))
        assert told == [1] * gone_is_lost or not keeps_history
    with opened(path) as mirror:
        assert (mirror.repair, mirror.is_unfinished, mirror.damage) == (None, False, [])
        assert rows(mirror) == healed
    return bool(damage)


# --- single bits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(PARTS))
def test_L7_no_flipped_bit_passes_a_close_look_and_is_another_mirror(path: Path, part: int) -> None:
    build(path)
    written = path.read_bytes()
    with opened(path) as mirror:
        expected = content(mirror)
    beside(path, ".sums").unlink()
    noticed = 0
    for bit in flips.all_bits(path)[part::PARTS]:
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        if passes(bytes(damaged)):
            with flips.flipped(path, bit), opened(path) as mirror:
                assert mirror.repair is not None or content(mirror) == expected, bit
        else:
            noticed += 1
    assert noticed


def passes(file: bytes) -> bool:
    """Whether a close look at a file finds nothing, as far as it can be opened."""
    with closing(sqlite3.connect(":memory:")) as connection:
        # In memory there is no log; what the file says of one is looked at when it is opened from the disk.
        connection.deserialize(file[:18] + b"\1\1" + file[20:])
        try:
            inspect(connection)
        except (sqlite3.Error, ChecksumError, UnicodeDecodeError):
            return False
    return True


@pytest.mark.parametrize("small_pages", [False, True])
def test_L7_a_flipped_bit_is_said_and_healed(path: Path, small_pages: bool) -> None:
    if small_pages:
        flips.with_small_pages(path)
    build(path)
    with opened(path) as mirror:
        expected = rows(mirror)
    witness = beside(path, ".sums").read_bytes()
    for bit in flips.some(flips.all_bits(path), 60):
        with flips.flipped(path, bit):
            beside(path, ".sums").write_bytes(witness)
            check_healing(path, SERVER, expected, keeps_history=not small_pages)


def test_a_flipped_bit_in_a_large_mirror_is_said_and_healed(path: Path) -> None:
    server: Server = {
        ("todo", "tasks"): changes("tasks", *range(100, 4_100), size=300),
        ("todo", "lists"): changes("lists", *range(4_100, 4_400)),
        ("notes", "notes"): changes("notes", *range(5_000, 5_500), size=2_000),
    }
    with opened(path) as mirror:
        mirror.begin_pull(compare=False)
        for (app, name), held in server.items():
            mirror.store(app, {name: Batch(held, from_start=True, cursor=1)})
        mirror.end_pull(2)
        expected = rows(mirror)
    witness = beside(path, ".sums").read_bytes()
    lost = 0
    for bit in flips.some(range(path.stat().st_size * 8), 8, at_most=200):
        with flips.flipped(path, bit):
            beside(path, ".sums").write_bytes(witness)
            lost += check_healing_at_once(path, server, expected)


def check_healing_at_once(path: Path, server: Server, expected: Rows) -> bool:
    """As :func:`check_healing`, with answers as large as the collections."""
    with opened(path) as mirror:
        damage = mirror.damage
        assert damage or rows(mirror) == expected
        assert mirror.repair is not None
        mirror.begin_pull(compare=mirror.is_in_doubt)
        for (app, name), held in server.items():
            mirror.store(app, {name: Batch(held, from_start=True, cursor=1)})
        mirror.end_pull(3)
        assert rows(mirror) == expected
    return bool(damage)


def test_a_flipped_bit_in_what_stands_beside_the_mirror_costs_nothing_but_a_closer_look(path: Path) -> None:
    build(path)
    with opened(path) as mirror:
        expected = content(mirror)
    sums = beside(path, ".sums")
    for bit in range(sums.stat().st_size * 8)[::7]:
        with flips.flipped(sums, bit), opened(path) as mirror:
            assert mirror.repair is None
            assert content(mirror) == expected


def test_a_flipped_bit_in_the_log_of_a_run_that_was_cut_off_is_not_passed_over(path: Path, tmp_path: Path) -> None:
    """SQLite leaves out what follows it, as after a loss of power. What is left is older, and the next run says so."""
    build(path)
    copies = tmp_path / "copies"
    copies.mkdir()
    server = {**SERVER, ("todo", "tasks"): [*SERVER["todo", "tasks"], *changes("tasks", 6, 7)]}
    with opened(path) as mirror:
        before = rows(mirror)
        mirror.begin_pull(compare=False)
        mirror.store("todo", {"tasks": Batch(changes("tasks", 5, 6, 7), cursor=9)}, cursor=60)
        after = rows(mirror)
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, copies)
    copy = copies / path.name
    log = beside(copy, "-wal")
    kept, written = copy.read_bytes(), log.read_bytes()
    for bit in flips.some(range(len(written) * 8), 60, at_most=5_000):
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        for file in copies.iterdir():
            file.unlink()
        copy.write_bytes(kept)
        log.write_bytes(damaged)
        with opened(copy) as mirror:
            assert mirror.is_unfinished or mirror.damage
            assert rows(mirror) in (before, after) or mirror.damage
        with opened(copy) as mirror:
            assert mirror.is_unfinished or mirror.damage  # each run says so, until a pull has come to its end
            pull(mirror, server)
            healed = rows(mirror)
        assert without_the_gone(healed) == without_the_gone(after)
        with opened(copy) as mirror:
            assert (mirror.repair, mirror.is_unfinished) == (None, False)


# --- more than a bit --------------------------------------------------------------------------------------------------


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


# --- damage of any kind -----------------------------------------------------------------------------------------------


@st.composite
def servers(draw: st.DrawFn) -> Server:
    server: Server = {}
    number = 100
    for app, name in draw(st.lists(st.sampled_from(sorted(SERVER)), min_size=1, unique=True)):
        count, size = draw(st.tuples(st.integers(0, 40), st.sampled_from([10, 900, 3_000])))
        server[app, name] = changes(name, *range(number, number + count), size=size)
        number += count
    return server


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(servers(), st.sampled_from(["bits", "zeros", "noise", "cut", "exchange"]), st.randoms(use_true_random=False))
def test_L7_whatever_happens_to_whatever_mirror_it_says_so_or_holds_what_it_held(
    tmp_path_factory: pytest.TempPathFactory, server: Server, kind: str, chance: random.Random
) -> None:
    path = tmp_path_factory.mktemp("mirror") / "mirror.sqlite"
    with opened(path) as mirror:
        pull(mirror, server)
        expected = rows(mirror)
    path.write_bytes(bytes(altered(bytearray(path.read_bytes()), kind, chance)))
    check_healing(path, server, expected)


def altered(file: bytearray, kind: str, chance: random.Random) -> bytearray:
    block = chance.randrange(len(file) // 512) * 512
    if kind == "bits":
        for _ in range(chance.randint(1, 20)):
            file[chance.randrange(len(file))] ^= 1 << chance.randrange(8)
    elif kind == "zeros":
        file[block : block + 512] = bytes(512)
    elif kind == "noise":
        file[block : block + 512] = chance.randbytes(512)
    elif kind == "cut":
        del file[chance.randrange(len(file)) :]
    else:
        other = chance.randrange(len(file) // 512) * 512
        file[block : block + 512], file[other : other + 512] = file[other : other + 512], file[block : block + 512]
    return file


# --- files of before --------------------------------------------------------------------------------------------------


def test_a_mirror_of_version_0_1_0_is_brought_up_to_date(path: Path) -> None:
    shutil.copy(FIXTURE, path)
    with opened(path) as mirror:
        assert mirror.repair is not None
        assert mirror.repair.damaged is None
        assert mirror.damage == []
        check_content_of_0_1_0(mirror)
    assert Witness.read(path) is not None
    with opened(path) as mirror:
        assert mirror.repair is None
        check_content_of_0_1_0(mirror)
        stored = mirror.store("todo", {"tasks": Batch(changes("tasks", 9, 40))})
        assert (stored.new, stored.held) == (1, 1)
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.sums"]


def check_content_of_0_1_0(mirror: Mirror) -> None:
    with mirror.snapshot() as snapshot:
        held = [(one.app, one.name, one.changes, one.cursor) for one in snapshot.collections()]
        losses = [(loss.kind.value, loss.app, loss.collection) for loss in snapshot.losses()]
    start = 1_767_225_600_000_000
    assert held == [
        ("notes", "notes", 3, start + 23_000_000),
        ("todo", "lists", 4, start + 14_000_000),
        ("todo", "tasks", 10, start + 10_000_000),
    ]
    assert losses == [("unreadableTie", "notes", "notes"), ("eventChanged", "todo", "lists")]
    assert (mirror.key_fingerprint, mirror.recall("spaces")) == (KEY, '{"s1":"personal"}')
    assert mirror.pulled_at == start + 30_000_000
    assert [len(lines) for lines in rows(mirror).values()] == [3, 4, 10]


def test_damage_of_a_mirror_of_version_0_1_0_is_found_as_far_as_it_can_be(path: Path) -> None:
    for edit in (
        "UPDATE page SET body = x'00' || body WHERE collection = 1",
        "DELETE FROM page WHERE collection = 1",
        "DELETE FROM event WHERE collection = 1 AND key = (SELECT min(key) FROM event WHERE collection = 1)",
        "UPDATE page SET last = x'00' WHERE collection = 1",
    ):
        shutil.copy(FIXTURE, path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(edit)
            connection.commit()
        with opened(path) as mirror:
            assert [(loss.app, loss.collection) for loss in mirror.damage] == [("todo", "tasks")]
            assert mirror.cursor("todo", "tasks") == 0 or mirror.cursor("todo", "tasks") is None
            assert mirror.cursor("todo", "lists")
        beside(path, ".sums").unlink()
        path.unlink()


def test_a_mirror_of_an_earlier_version_is_not_changed_by_who_only_looks(path: Path) -> None:
    shutil.copy(FIXTURE, path)
    with pytest.raises(MirrorError, match="older version"):
        opened(path, guarded=False)
    assert path.read_bytes() == FIXTURE.read_bytes()
