"""Pruning a folder of real archives: what goes, what stays, and what is none of its business."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from manabackup.archive.writer import About, Seal
from manabackup.errors import NotFoundError, UsageError
from manabackup.operations.prune import Fate, Policy, PrunePlan, plan_prune, prune
from tests.conversion.archives import PASSPHRASE, write_archive
from tests.support import v1_exports

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ROWS = {"notes": [{"id": "n", "title": "Beds"}]}


def write(
    folder: Path,
    day: str,
    *,
    name: str | None = None,
    user: str = "anna",
    apps: Sequence[str] = (),
    status: str = "complete",
    seal: Seal | None = None,
) -> Path:
    scope = {"type": "filtered", "appIds": list(apps)} if apps else {"type": "full"}
    about = About(user, f"{day}T03:00:00.000Z", scope, fields_plaintext=True)
    path = folder / (name or f"{day}.mana")
    return write_archive(path, ROWS, about=about, seal=seal, completeness={"completeness": {"status": status}})


def pruned(folder: Path, policy: Policy, passphrase: str | None = None) -> PrunePlan:
    secret = None if passphrase is None else lambda: passphrase
    return plan_prune(folder, policy, zone=UTC, now=NOW, passphrase=secret)


def fates(found: PrunePlan) -> dict[str, str]:
    return {file.path.name: file.decision.value for file in found.files}


def why(found: PrunePlan, name: str) -> str:
    (file,) = (file for file in found.files if file.path.name == name)
    return ", ".join(file.reasons)


def test_what_goes_is_planned_first_and_then_removed(tmp_path: Path) -> None:
    days = ["2026-11-27", "2026-11-28", "2026-11-29"]
    for day in days:
        write(tmp_path, day)
    found = pruned(tmp_path, Policy(last=2))
    assert fates(found) == {"2026-11-29.mana": "keep", "2026-11-28.mana": "keep", "2026-11-27.mana": "remove"}
    assert len(list(tmp_path.iterdir())) == 3, "nothing is done yet"
    size = (tmp_path / "2026-11-27.mana").stat().st_size
    done = prune(found)
    assert done.removed == [tmp_path / "2026-11-27.mana"]
    assert done.bytes == size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-11-28.mana", "2026-11-29.mana"]


def test_accounts_parts_and_partial_archives_do_not_take_each_others_places(tmp_path: Path) -> None:
    write(tmp_path, "2026-11-01", name="anna.mana")
    write(tmp_path, "2026-11-02", name="bert.mana", user="bert")
    write(tmp_path, "2026-11-03", name="todo.mana", apps=["todo"])
    write(tmp_path, "2026-11-04", name="partial.mana", status="partial")
    write(tmp_path, "2026-10-04", name="older.mana", status="partial")
    found = pruned(tmp_path, Policy(last=1))
    assert fates(found) == {
        "anna.mana": "keep", "bert.mana": "keep", "todo.mana": "keep", "partial.mana": "keep", "older.mana": "remove",
    }  # fmt: skip


def test_what_was_made_while_a_clock_was_wrong_is_left_alone(tmp_path: Path) -> None:
    for day in ("1970-01-01", "2000-01-03", "2026-11-28", "2026-11-29", "2031-01-01"):
        write(tmp_path, day)
    found = pruned(tmp_path, Policy(last=1))
    assert fates(found) == {
        "2031-01-01.mana": "keep", "2026-11-29.mana": "keep", "2026-11-28.mana": "remove",
        "2000-01-03.mana": "leave", "1970-01-01.mana": "leave",
    }  # fmt: skip
    assert "clock was wrong" in why(found, "1970-01-01.mana")


def test_a_damaged_archive_is_not_counted_and_not_removed(tmp_path: Path) -> None:
    for day in ("2026-11-26", "2026-11-27", "2026-11-28", "2026-11-29"):
        write(tmp_path, day)
    newest = tmp_path / "2026-11-29.mana"
    content = bytearray(newest.read_bytes())
    content[content.index(b"data/notes.jsonl") + 20] ^= 1
    newest.write_bytes(content)
    cut = tmp_path / "2026-11-28.mana"
    cut.write_bytes(cut.read_bytes()[:-30])
    found = pruned(tmp_path, Policy(last=1))
    assert fates(found) == {
        "2026-11-27.mana": "keep", "2026-11-26.mana": "remove", "2026-11-29.mana": "leave", "2026-11-28.mana": "leave",
    }  # fmt: skip
    assert {file.path.name for file in found.damaged} == {"2026-11-28.mana", "2026-11-29.mana"}
    assert why(found, "2026-11-29.mana").startswith("damaged: ")


def test_the_last_good_one_stays_whatever_else_there_is(tmp_path: Path) -> None:
    for day in ("2026-11-27", "2026-11-28", "2026-11-29"):
        write(tmp_path, day)
    for day in ("2026-11-28", "2026-11-29"):
        path = tmp_path / f"{day}.mana"
        content = bytearray(path.read_bytes())
        content[content.index(b"data/notes.jsonl") + 20] ^= 1
        path.write_bytes(content)
    prune(pruned(tmp_path, Policy(last=1)))
    prune(pruned(tmp_path, Policy(last=1)))
    assert (tmp_path / "2026-11-27.mana").exists()


def test_what_is_no_archive_of_ours_is_never_touched(tmp_path: Path) -> None:
    write(tmp_path, "2026-11-28")
    write(tmp_path, "2026-11-29")
    others = {
        "letter.mana": b"Dear Anna", "notes.txt": b"mine", "2026-11-01.mana.html": b"<html>", ".hidden.mana": b"",
        "empty.mana": b"",
    }  # fmt: skip
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "older.mana").write_bytes((v1_exports.FOLDER / "life.mana").read_bytes())
    (tmp_path / "link.mana").symlink_to(tmp_path / "2026-11-28.mana")
    (tmp_path / "folder.mana").mkdir()
    os.mkfifo(tmp_path / "pipe.mana")
    found = pruned(tmp_path, Policy(last=1))
    assert fates(found) == {
        "2026-11-29.mana": "keep", "2026-11-28.mana": "remove",
        **dict.fromkeys(("empty.mana", "folder.mana", "letter.mana", "link.mana", "older.mana", "pipe.mana"), "leave"),
    }  # fmt: skip
    assert why(found, "older.mana") == "of format version 1"
    assert why(found, "link.mana") == "no regular file"
    prune(found)
    assert {path.name for path in tmp_path.iterdir()} >= {*others, "older.mana", "folder.mana", "pipe.mana"}


def test_sealed_archives_are_judged_by_what_stands_outside_and_private_ones_by_their_passphrase(tmp_path: Path) -> None:
    write(tmp_path, "2026-11-25", seal=Seal(PASSPHRASE))
    write(tmp_path, "2026-11-26", seal=Seal(PASSPHRASE))
    for day in ("2026-11-27", "2026-11-28"):
        write(tmp_path, day, seal=Seal(PASSPHRASE, private=True))
    found = pruned(tmp_path, Policy(last=1))
    assert fates(found) == {
        "2026-11-26.mana": "keep", "2026-11-25.mana": "remove", "2026-11-27.mana": "leave", "2026-11-28.mana": "leave",
    }  # fmt: skip
    assert why(found, "2026-11-27.mana").startswith("sealed with --private")
    found = pruned(tmp_path, Policy(last=1), PASSPHRASE)
    assert fates(found) == {
        "2026-11-28.mana": "keep",
        **dict.fromkeys(("2026-11-27.mana", "2026-11-26.mana", "2026-11-25.mana"), "remove"),
    }
    found = pruned(tmp_path, Policy(last=1), "another one")
    assert fates(found)["2026-11-28.mana"] == "leave"
    sealed = tmp_path / "2026-11-26.mana"
    content = bytearray(sealed.read_bytes())
    content[len(content) // 2] ^= 1
    sealed.write_bytes(content)
    assert fates(pruned(tmp_path, Policy(last=1)))["2026-11-25.mana"] == "keep"


def test_what_changed_since_the_plan_stays(tmp_path: Path) -> None:
    for day in ("2026-11-27", "2026-11-28", "2026-11-29"):
        write(tmp_path, day)
    found = pruned(tmp_path, Policy(last=1))
    write(tmp_path, "2026-11-30", name="2026-11-28.mana")
    (tmp_path / "2026-11-27.mana").unlink()
    done = prune(found)
    assert done.removed == []
    assert [path.name for path, _ in done.failed] == ["2026-11-27.mana", "2026-11-28.mana"]
    assert (tmp_path / "2026-11-28.mana").exists()


def test_a_policy_without_a_rule_and_a_folder_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rule says what to keep"):
        pruned(tmp_path, Policy())
    with pytest.raises(NotFoundError):
        pruned(tmp_path / "nowhere", Policy(last=1))
    assert pruned(tmp_path, Policy(last=1)).of(Fate.KEEP) == []
    assert stat.S_ISDIR(tmp_path.stat().st_mode)
