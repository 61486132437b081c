"""Pictures and other files: ``export --files`` of an account that refers to files in every way that rows can.

What there is to be found is known from the double that made the rows.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from manabackup.sandbox import FileFault, FileScript, Sandbox
from manabackup.sandbox.api import APIService
from manabackup.sandbox.illustrated import FilePlan, Illustrations, illustrate
from manabackup.sandbox.plan import Plan, Truth
from manabackup.sandbox.population import populate
from tests.support import schemas
from tests.support.hasty import hasty
from tests.support.homes import Computer, Owner
from tests.support.processes import Finished

KINDS = {"fileGone", "fileUnavailable", "fileUnresolved"}


@dataclass
class House:
    """A server, an account in it, and what its rows refer to."""

    box: Sandbox
    owner: Owner
    made: Illustrations

    def computer(self, home: Path) -> Computer:
        computer = self.owner.sign_in(Computer(home, self.box.url))
        computer.environ["MANABACKUP_MEDIA_URL"] = self.box.media_url
        computer.environ["MANABACKUP_API_URL"] = self.box.api_url
        computer.program = hasty(computer.home)
        return computer


@pytest.fixture(scope="module")
def shared() -> Iterator[House]:
    """All tests ask one server in a minute, which would have them wait for the next one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vars(APIService)["__init__"].__kwdefaults__, "limit", 1_000_000)
        box = Sandbox()
    with box:
        truth = Truth()
        account = populate(box.log, box.accounts, Plan(seed=11, rows=60), truth=truth)
        plan = FilePlan(pictures=24, gone=2, lost=2, documents=3, songs=3)
        made = illustrate(box.log, box.files, account, plan, media_url=box.media_url)
        yield House(box, Owner(account, truth), made)


@pytest.fixture
def house(shared: House) -> Iterator[House]:
    shared.box.faults.silence_seconds = 0.02
    yield shared
    shared.box.faults.files = lambda method, target: None


def blobs(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("blobs/")]
        return {name.removeprefix("blobs/"): archive.read(name) for name in names}


def index(path: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read("meta/blobs.jsonl").splitlines()]


def manifest(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return found


def ok(done: Finished, code: int = 0) -> Finished:
    assert done.code == code, done.err
    return done


def test_every_reference_is_followed_or_named(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    done = ok(computer.export("--files"), 3)
    schemas.check("export", done.record)
    found = blobs(computer.archive)
    assert found.keys() == set(house.made.files)
    assert all(hashlib.sha256(content).hexdigest() == name for name, content in found.items())
    lines = index(computer.archive)
    for line in lines:
        schemas.check("blob-line", line)
    told: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        for row in line["rows"]:
            told.setdefault((row["table"], row["id"]), []).append(line)
    for reference in house.made.references:
        about = told.get((reference.table, reference.row_id), [])
        if reference.fate in ("here", "data"):
            assert reference.sha256 in {line.get("sha256") for line in about}, reference
        elif reference.fate != "nothing":
            assert any("lost" in line for line in about), reference
    assets = manifest(computer.archive)["binaryAssets"]
    assert (assets["count"], assets["bytes"]) == (len(found), sum(map(len, found.values())))
    losses = done.record["completeness"]["losses"]
    assert losses.keys() == KINDS
    assert assets["leftOut"] == sum(losses.values())
    assert any(line.get("told", {}).get("exif") for line in lines)
    ok(computer("verify", str(computer.archive)))


def test_an_export_without_files_counts_what_it_leaves_out(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    done = ok(computer.export())
    assets = manifest(computer.archive)["binaryAssets"]
    assert assets == {"count": 0, "bytes": 0, "references": assets["references"], "leftOut": assets["references"]}
    assert assets["references"] >= len([one for one in house.made.references if one.fate in ("here", "gone", "lost")])
    assert done.record["files"]["files"] == 0
    assert "which are not in the archive; --files fetches them" in done.err


def test_F1_a_run_after_the_trouble_completes_the_archive(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    house.box.faults.files = FileScript(FileFault.SHORT, part="/file", times=None)
    broken = ok(computer.export("--files"), 3)
    assert broken.record["completeness"]["losses"]["fileDamaged"]
    here = blobs(computer.archive)
    assert set(here) < set(house.made.files)
    house.box.faults.files = requests = FileScript(FileFault.SILENT, part="/", first=10**9)
    whole = ok(computer.export("--files", "--force"), 3)
    assert set(whole.record["completeness"]["losses"]) == KINDS
    assert blobs(computer.archive).keys() == set(house.made.files)
    asked = requests.seen
    again = ok(computer.export("--files", "--force"), 3)
    assert again.record["dataSha256"] == whole.record["dataSha256"]
    lost = sum(count for kind, count in again.record["files"]["lost"].items() if kind != "foreign")
    assert requests.seen - asked <= 6 * lost < asked


def test_L6_a_sealed_export_leaves_no_file_in_clear_on_the_disk(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    sealed, plain = tmp_path / "sealed.mana", tmp_path / "plain.mana"
    ok(computer.export("--files", "--seal", output=sealed), 3)
    disk = [path.read_bytes() for path in computer.files()]
    names = [str(path) for path in computer.files()]
    ok(computer("unseal", str(sealed), "-o", str(plain)))
    for sha256, content in blobs(plain).items():
        piece = content[40:72]
        assert not any(piece in file or sha256.encode() in file or bytes.fromhex(sha256) in file for file in disk)
        assert not any(sha256 in name for name in names)
    for media in house.made.media:
        assert not any(media.encode() in file for file in disk if b"SQLite" in file[:16] and b"note" in file[:4096])


def test_files_are_carried_into_every_other_coat(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    ok(computer.export("--files"), 3)
    sealed, plain, rekeyed = (str(tmp_path / name) for name in ("s.mana", "p.mana", "r.mana"))
    ok(computer("seal", str(computer.archive), "-o", sealed))
    ok(computer("verify", sealed))
    ok(computer("unseal", sealed, "-o", plain))
    assert blobs(Path(plain)) == blobs(computer.archive)
    assert index(Path(plain)) == index(computer.archive)
    assert manifest(Path(plain))["binaryAssets"] == manifest(computer.archive)["binaryAssets"]
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    ok(computer("rekey", str(computer.archive), "-o", rekeyed, "--to-key-file", str(key)))
    ok(computer("verify", rekeyed, "--key-file", str(key)))
    assert blobs(Path(rekeyed)).keys() <= blobs(computer.archive).keys()
    assert not any(row.get("private") for line in index(Path(rekeyed)) for row in line["rows"])
    info = ok(computer("info", plain, "--json")).record
    schemas.check("info", info)
    assert info["binaryAssets"]["count"] == len(house.made.files)


def test_files_are_pulled_and_exported_without_the_servers(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    pulled = ok(computer("files", "pull", "--json"), 3)
    schemas.check("files-pull", pulled.record)
    assert pulled.record["files"] == len(house.made.files)
    verified = ok(computer("files", "verify", "--json"))
    schemas.check("files-verify", verified.record)
    assert verified.record == {
        "ok": True,
        "files": pulled.record["files"],
        "bytes": pulled.record["bytes"],
        "damaged": 0,
    }
    ok(computer.export("--files", "--offline"), 3)
    assert blobs(computer.archive).keys() == set(house.made.files)


def test_F3_a_file_that_the_disk_altered_is_fetched_again_and_not_archived(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    ok(computer("files", "pull"), 3)
    contents = [path for path in (computer.state / "files").rglob("*") if len(path.name) == 62]
    for path in contents[:3]:
        altered = bytearray(path.read_bytes())
        altered[-1] ^= 1
        path.write_bytes(altered)
    offline = ok(computer.export("--files", "--offline"), 3)
    assert offline.record["files"]["lost"]["damaged"] == 3
    assert blobs(computer.archive).keys() < set(house.made.files)
    ok(computer.export("--files", "--force"), 3)
    assert blobs(computer.archive).keys() == set(house.made.files)
    (contents[0]).write_bytes(b"x" * contents[0].stat().st_size)
    assert ok(computer("files", "verify", "--json"), 4).record["damaged"] == 1


def test_the_services_are_found_from_the_web_apps_page(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    for name in ("MANABACKUP_MEDIA_URL", "MANABACKUP_API_URL"):
        del computer.environ[name]
    lost = computer.export("--files")
    assert lost.code == 2
    assert "--web-url" in lost.err
    assert not computer.archive.exists()
    ok(computer.export("--files", "--web-url", house.box.web_url), 3)
    assert blobs(computer.archive).keys() == set(house.made.files)


def test_F2_foreign_files_are_asked_for_only_when_told(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    refused = computer.export("--foreign-files")
    assert refused.code == 2
    assert "goes with --files" in refused.err


def test_diff_tells_which_files_one_archive_alone_has(house: House, tmp_path: Path) -> None:
    computer = house.computer(tmp_path)
    less, without = tmp_path / "less.mana", tmp_path / "without.mana"
    house.box.faults.files = FileScript(FileFault.STORE_AWAY, part="/file", times=None)
    ok(computer.export("--files", output=less), 3)
    house.box.faults.files = lambda method, target: None
    ok(computer.export("--files"), 3)
    ok(computer.export(output=without))
    done = ok(computer("diff", str(less), str(computer.archive), "--json"), 4)
    schemas.check("diff", done.record)
    missing = blobs(computer.archive).keys() - blobs(less).keys()
    assert done.record["tables"] == {}
    assert set(done.record["files"]["cases"]["added"]) == missing
    assert ok(computer("diff", str(without), str(computer.archive), "--json")).record["files"] is None


def test_files_under_a_key_that_only_the_server_knows_are_verified_and_told_of(tmp_path: Path) -> None:
    with Sandbox() as box:
        truth = Truth()
        account = populate(box.log, box.accounts, Plan(rows=10), truth=truth, zero_knowledge=False)
        made = illustrate(box.log, box.files, account, FilePlan(pictures=3, gone=1), media_url=box.media_url)
        computer = House(box, Owner(account, truth), made).computer(tmp_path / "home")
        computer.archive.parent.mkdir(parents=True)
        ok(computer("export", "--files", "-o", str(computer.archive)), 3)
        assert "whole" in ok(computer("files", "verify")).out
        count = len(blobs(computer.archive))
        assert f", {count} files, not sealed" in ok(computer("verify", str(computer.archive))).out
        stated = manifest(computer.archive)["binaryAssets"]
        told = (
            f"  {count}, {stated['bytes']:,} bytes; {stated['leftOut']} of {stated['references']} references left out"
        )
        assert told in ok(computer("info", str(computer.archive))).out
