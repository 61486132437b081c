"""``restore --files``: pictures, documents and songs back to where rows find them, on their own server and another.

What there is to be sent is known from the double that made the rows.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from manabackup.sandbox import FileFault, FileScript, Sandbox
from manabackup.sandbox.illustrated import FilePlan, Illustrations, illustrate
from manabackup.sandbox.plan import Plan, Truth
from manabackup.sandbox.population import populate
from tests.support import schemas
from tests.support.homes import Computer, Newcomer, Owner
from tests.support.patience import PATIENCE

DELETED = 5
NOT_FILES = "createdAt,visibility,visibilityChangedBy,unlistedToken"
"""What every restore adds, or leaves behind on purpose."""


@dataclass
class House:
    """A server, what an account's rows refer to, and its archive, behind which some originals were deleted."""

    box: Sandbox
    made: Illustrations
    archive: Path
    deleted: dict[str, str]
    """Media id → SHA-256."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Sandbox() as box:
        truth = Truth()
        account = populate(box.log, box.accounts, Plan(seed=13, rows=40), truth=truth)
        made = illustrate(box.log, box.files, account, FilePlan(pictures=16, gone=1, lost=0), media_url=box.media_url)
        computer = Owner(account, truth).sign_in(served(Computer(tmp_path_factory.mktemp("owner"), box.url), box))
        assert computer.export("--files").code == 3  # one is gone, one cannot be resolved
        deleted = dict(sorted(made.media.items())[:DELETED])
        for identifier in deleted:
            box.files.delete(identifier)
        yield House(box, made, computer.archive, deleted)


@pytest.fixture(autouse=True)
def fair_weather(house: House) -> Iterator[None]:
    house.box.faults.silence_seconds = 0.02
    yield
    house.box.faults.files = lambda method, target: None


def served(computer: Computer, box: Sandbox) -> Computer:
    computer.environ |= {"MANABACKUP_MEDIA_URL": box.media_url, "MANABACKUP_API_URL": box.api_url}
    return computer


def newcomer(box: Sandbox, home: Path) -> Computer:
    """A computer that is signed in as somebody new."""
    new = Newcomer(box, uuid4().hex, bytes(range(32, 64)))
    return new.sign_in(served(Computer(home, box.url), box))


def restored(computer: Computer, archive: Path, *arguments: str, code: int = 0) -> Any:
    done = computer("restore", str(archive), "--yes", "--json", "--shared-into-personal", *arguments)
    assert done.code == code, done.err
    schemas.check("restore", done.record)
    return done.record


def index(path: Path) -> list[Any]:
    """What an archive says of its files."""
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read("meta/blobs.jsonl").splitlines()]


def pictures(path: Path) -> set[str]:
    """SHA-256 of the files that an archive holds which the media service has."""
    return {line["sha256"] for line in index(path) if "sha256" in line and "ids" in line}


def objects(path: Path) -> dict[str, str]:
    """Key → SHA-256 of the documents and songs that an archive holds."""
    return {
        address.partition(":")[2]: line["sha256"]
        for line in index(path)
        for address in line.get("addresses", ())
        if "sha256" in line and address.startswith(("storage:", "music:"))
    }


def places(path: Path) -> dict[tuple[str, str, str], set[str]]:
    """Place in a row → the files that it leads to."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for line in index(path):
        for row in line["rows"] if "sha256" in line else ():
            found.setdefault((row["table"], row["id"], row["field"]), set()).add(line["sha256"])
    return found


def holding(path: Path, identifiers: set[str]) -> set[tuple[str, str]]:
    """Table and id of rows in which one of these ids or keys stands."""
    with zipfile.ZipFile(path) as archive:
        return {
            (name.removeprefix("data/").removesuffix(".jsonl"), json.loads(line)["id"])
            for name in archive.namelist()
            if name.startswith("data/")
            for line in archive.read(name).decode().splitlines()
            if any(identifier.lower() in line.lower() for identifier in identifiers)
        }


def uploads(box: Sandbox) -> FileScript:
    """Counts what is sent from now on."""
    box.faults.files = script = FileScript(FileFault.SILENT, method="POST", first=10**9)
    return script


def test_without_files_rows_keep_what_they_hold_and_the_plan_says_so(house: House, tmp_path: Path) -> None:
    there = newcomer(house.box, tmp_path)
    plan = restored(there, house.archive, "--dry-run", code=3)
    assert not plan["files"]["asked"]
    assert plan["files"]["files"] >= len(pictures(house.archive))
    said = there("restore", str(house.archive), "--dry-run")
    assert "--files sends those" in said.err + said.out


def test_what_was_deleted_on_the_same_server_comes_back_and_rows_lead_there(house: House, tmp_path: Path) -> None:
    there = newcomer(house.box, tmp_path)
    sent = uploads(house.box)
    plan = restored(there, house.archive, "--files", "--dry-run", code=3)["files"]
    gone = {sha256 for sha256 in house.deleted.values() if house.box.files.by_hash(sha256) is None}
    assert (plan["toSend"], sent.seen) == (len(gone), 0)
    record = restored(there, house.archive, "--files", code=3)
    assert record["verified"]
    assert record["files"]["sent"] == sent.seen == len(gone) > 0
    assert not record["files"]["lost"]
    again = restored(there, house.archive, "--files", code=3)
    assert (again["files"]["toSend"], again["planned"], sent.seen) == (0, 0, len(gone))
    there.export("--files")
    assert places(there.archive).items() >= places(house.archive).items()
    assert changed_rows(there, house.archive, record) == holding(house.archive, set(house.deleted))
    assert objects(there.archive) == objects(house.archive)


def changed_rows(there: Computer, archive: Path, record: Any) -> set[tuple[str, str]]:
    """Table and id of rows that are others in a computer's own archive than in this one, which it restored.

    There are all rows that there were, and all files.
    """
    compared = there("diff", str(archive), str(there.archive), "--json", "--ignore-fields", NOT_FILES).record
    assert not compared["files"]["removed"], compared["files"]
    assert not any(found["removed"] for found in compared["tables"].values())
    unopened = {(case["table"], case["id"], case["field"]) for case in record["leftOutCases"]}
    return {
        (table, row["id"])
        for table, found in compared["tables"].items()
        for row in found["cases"]["changed"]
        if any((table, row["id"], name) not in unopened for name in row["fields"])
    }


def test_another_server_gets_all_of_them(house: House, tmp_path: Path) -> None:
    with Sandbox() as elsewhere:
        there = newcomer(elsewhere, tmp_path)
        sent = uploads(elsewhere)
        record = restored(there, house.archive, "--files", code=3)
        assert record["verified"]
        kept = objects(house.archive)
        assert len(kept) == 6
        assert record["files"]["sent"] == sent.seen == len(pictures(house.archive)) + len(kept)
        assert not record["files"]["lost"]
        exported = there.export("--files")
        assert pictures(there.archive) == pictures(house.archive), exported.err
        assert places(there.archive) == places(house.archive)
        assert set(objects(there.archive).values()) == set(kept.values())
        old = {*house.made.media, *kept}
        assert not holding(there.archive, old)
        assert changed_rows(there, house.archive, record) == holding(house.archive, old)
        assert restored(there, house.archive, "--files", code=3)["planned"] == 0
        assert sent.seen == record["files"]["sent"]
        again = there("restore", str(there.archive), "--files", "--yes", "--json")
        assert (again.record["planned"], again.record["files"]["toSend"]) == (0, 0), "as it is, it is as archived"


def test_a_restore_that_is_killed_among_files_sends_none_of_them_twice(house: House, tmp_path: Path) -> None:
    with Sandbox() as elsewhere:
        there = newcomer(elsewhere, tmp_path)
        sent = {"documents": 0, "songs": 0, "pictures": 0}
        killed: list[int] = []

        def note(method: str, target: str) -> None:
            sent["documents"] += method == "POST" and target.endswith("/storage/files/upload")
            sent["songs"] += method == "PUT"
            sent["pictures"] += method == "POST" and target.endswith("/media/upload")
            # What comes after it is read back, so that the third one was answered.
            if method == "GET" and sent["documents"] + sent["songs"] == 3 and not killed:
                killed.append(process.pid)
                process.kill()

        elsewhere.faults.files = note
        arguments = ("restore", str(house.archive), "--yes", "--json", "--shared-into-personal", "--files")
        process = there.start(*arguments)
        process.communicate(timeout=PATIENCE)
        assert killed == [process.pid]
        assert sent["documents"] + sent["songs"] == 3
        record = restored(there, house.archive, "--files", code=3)
        assert record["verified"]
        assert not record["files"]["lost"]
        assert sent == {"documents": 3, "songs": 3, "pictures": len(pictures(house.archive))}
        assert not list(there.state.rglob("*.sent"))
