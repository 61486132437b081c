"""A disk that altered the mirror: each command says so, an export never has other rows without a word, a pull heals."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import flips
from tests.support.homes import Computer, manifest_of


@pytest.fixture
def mirror(stocked: Computer) -> Path:
    (path,) = (stocked.state / "mirrors").glob("*.sqlite")
    return path


@pytest.fixture
def expected(stocked: Computer) -> object:
    """The sum of all rows, as the mirror gives them undamaged."""
    assert stocked.export("--offline").code == 0
    return _sum(stocked)


def _sum(computer: Computer) -> object:
    return manifest_of(computer.archive)["dataSha256"]


def _edit(mirror: Path, statement: str) -> None:
    with closing(sqlite3.connect(mirror)) as connection:
        connection.execute(statement)
        connection.commit()


def _flip_in(mirror: Path, app: str, collection: str) -> None:
    """One bit in the content of a collection's first page."""
    with closing(sqlite3.connect(mirror)) as connection:
        (body,) = connection.execute(
            "SELECT body FROM page JOIN collection ON collection.id = page.collection WHERE app = ? AND name = ?",
            (app.encode(), collection.encode()),
        ).fetchone()
    content = bytearray(mirror.read_bytes())
    content[content.index(body[:20]) + 11] ^= 4
    mirror.write_bytes(content)


def test_L7_without_the_servers_what_is_sound_is_exported_and_the_rest_named(
    stocked: Computer, mirror: Path, expected: object
) -> None:
    _flip_in(mirror, "notes", "notes")
    for _ in range(2):  # until it is healed
        done = stocked.export("--offline", "--force")
        assert done.code == 3
        assert (
            "warning: the mirror of notes/notes was damaged, and part of it is missing; `manabackup pull`" in done.err
        )
        assert (done.record["status"], done.record["completeness"]["losses"]) == ("partial", {"mirrorDamaged": 1})
        (case,) = manifest_of(stocked.archive)["completeness"]["losses"]["mirrorDamaged"]["cases"]
        assert case["table"] == "notes/notes"
    done = stocked("pull")
    assert done.code == 0
    assert "warning: the mirror of notes/notes was damaged and is read again" in done.err
    done = stocked.export("--offline", "--force")
    assert (done.code, _sum(stocked)) == (0, expected)
    assert "damaged" not in done.err


def test_what_was_not_asked_for_may_be_damaged(stocked: Computer, mirror: Path) -> None:
    assert stocked.export("--offline", "--app", "notes").code == 0
    before = _sum(stocked)
    _flip_in(mirror, "journal", "journalEntries")
    done = stocked.export("--offline", "--force", "--app", "notes")
    assert (done.code, done.record["status"], _sum(stocked)) == (0, "complete", before)
    assert "the mirror of journal/journalEntries was damaged" in done.err


@pytest.mark.parametrize("command", ["export", "audit"])
def test_L7_with_the_servers_it_is_healed_at_once(
    stocked: Computer, mirror: Path, expected: object, command: str
) -> None:
    _flip_in(mirror, "notes", "notes")
    done = stocked.export("--force") if command == "export" else stocked("audit")
    assert "warning: the mirror of notes/notes was damaged and is read again" in done.err
    assert done.code == (0 if command == "export" else 4)
    assert stocked.export("--offline", "--force").code == 0
    assert _sum(stocked) == expected


def test_an_audit_without_the_servers_names_the_damage(stocked: Computer, mirror: Path) -> None:
    _flip_in(mirror, "notes", "notes")
    done = stocked("audit", "--offline", "--json")
    assert done.code == 4
    (finding,) = [one for one in done.record["findings"] if one["id"] == "mirrorDamaged"]
    assert finding["count"] == 1


def test_L7_any_flipped_bit_is_said_or_means_nothing(stocked: Computer, mirror: Path, expected: object) -> None:
    """Whole processes; ``tests/mirror`` looks at every bit."""
    written = mirror.read_bytes()
    sums = mirror.with_name(f"{mirror.name}.sums")
    witness = sums.read_bytes()
    for bit in flips.some(range(len(written) * 8), 3, at_most=100):
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        mirror.write_bytes(damaged)
        sums.write_bytes(witness)
        done = stocked.export("--offline", "--force")
        assert done.code in (0, 3, 12), (bit, done.err)
        assert "damaged" in done.err
        assert done.code != 0 or _sum(stocked) == expected, bit
        done = stocked.export("--force", *(["--accept-new-key"] if done.code == 12 else []))
        assert (done.code, _sum(stocked)) == (0, expected), (bit, done.err)
        assert stocked.export("--offline", "--force").code == 0, bit
        assert _sum(stocked) == expected, bit


def test_a_damaged_fingerprint_stops_an_export_until_the_key_is_accepted(
    stocked: Computer, mirror: Path, expected: object
) -> None:
    _edit(mirror, "UPDATE meta SET value = '0' || substr(value, 2) WHERE key = 'keyFingerprint'")
    _edit(mirror, "UPDATE meta SET value = '1' || substr(value, 2) WHERE key = 'keyFingerprint'")
    assert stocked("pull").code == 0  # needs no key
    for options in ([], ["--offline"]):
        done = stocked.export("--force", *options)
        assert done.code == 12
        assert "error: the mirror was damaged, and with it what it knew of the account's key" in done.err
        assert "--accept-new-key" in done.err
    assert stocked.export("--force", "--accept-new-key").code == 0
    assert stocked.export("--force").code == 0
    assert _sum(stocked) == expected


def test_a_mirror_of_which_nothing_is_left_is_refused_or_read_anew(
    stocked: Computer, mirror: Path, expected: object
) -> None:
    mirror.write_bytes(random.Random(3).randbytes(mirror.stat().st_size))
    done = stocked.export("--offline", "--force")
    assert done.code == 1
    assert "is damaged" in done.err
    assert "`manabackup pull`" in done.err
    done = stocked("pull")
    assert done.code == 0
    assert "warning: the mirror was damaged and is read again" in done.err
    assert stocked.export("--force").code == 12  # which key it was nobody knows
    assert stocked.export("--force", "--accept-new-key").code == 0
    assert _sum(stocked) == expected


def test_a_run_that_was_cut_off_is_told_of_until_a_pull_has_come_to_its_end(stocked: Computer, mirror: Path) -> None:
    mirror.with_name(f"{mirror.name}.sums").unlink()
    for _ in range(2):
        done = stocked.export("--offline", "--force")
        assert done.code == 0
        assert "warning: the last pull was cut off" in done.err
        assert done.record["completeness"]["notices"]["pullUnfinished"] == 1
    assert stocked("pull").code == 0
    assert "cut off" not in stocked.export("--offline", "--force").err


def test_status_says_that_a_mirror_is_damaged_and_changes_nothing(stocked: Computer, mirror: Path) -> None:
    _edit(mirror, "UPDATE collection SET cursor = 1")
    before = mirror.read_bytes()
    done = stocked("status")
    assert done.code == 1
    assert "cannot be read now" in done.out
    assert "is damaged" in done.err
    assert mirror.read_bytes() == before
