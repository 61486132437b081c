"""Seal and unseal: the same rows in another coat, the web app's archives brought into our form."""

from __future__ import annotations

import json
import random
import threading
import zipfile
from pathlib import Path

import pytest

from manabackup.archive.reader import open_archive
from manabackup.errors import DamagedArchiveError, UsageError, WrongPassphraseError
from manabackup.operations.archives.reseal import seal, unseal
from manabackup.operations.archives.verify import verify
from manabackup.rows.archived import clean_rows
from manabackup.text import jsontext
from tests.support.archives import ours, web

ARCHIVES = Path(__file__).parents[3] / "fixtures" / "vectors" / "archives"
PASSPHRASE = "correct horse battery staple"


def rows(path: Path) -> dict[str, list[bytes]]:
    with open_archive(path, lambda: PASSPHRASE) as archive:
        return {table: sorted(row.line for row in clean_rows(archive, table)) for table in archive.tables}


def unsealed(source: Path, target: Path) -> None:
    """A plain archive in our form."""
    sealed = target.with_suffix(".sealed")
    seal(source, sealed, lambda: PASSPHRASE)
    unseal(sealed, target, lambda: PASSPHRASE)


@pytest.mark.parametrize("name", ["all-tables", "filtered-todo-notes", "tombstones-and-corrupt", "empty-tables"])
def test_sealed_and_unsealed_the_rows_of_a_web_archive_are_the_same(tmp_path: Path, name: str) -> None:
    source = ARCHIVES / f"{name}.mana"
    sealed = seal(source, tmp_path / "sealed.mana", lambda: PASSPHRASE)
    plain = unseal(tmp_path / "sealed.mana", tmp_path / "plain.mana", lambda: PASSPHRASE)
    assert rows(source) == rows(tmp_path / "sealed.mana") == rows(tmp_path / "plain.mana")
    assert sealed.data_sha256 == plain.data_sha256
    for path in tmp_path.iterdir():
        report = verify(path, lambda: PASSPHRASE)
        assert (report.ok, report.data_sha256) == (True, plain.data_sha256)


def test_field_times_move_out_of_the_rows_and_ids_ascend(tmp_path: Path) -> None:
    stamp = {"at": "2026-04-01T10:00:00.000Z", "actor": {"kind": "user", "principalId": "u"}, "origin": "user"}
    content = [
        {"id": identifier, "title": "t", "__fieldMeta": {"title": stamp}, "_updatedAtIndex": stamp["at"], "__x": 1}
        for identifier in ("b", "\U0001f600", "a", "\uffff")
    ]
    source = web(tmp_path / "web.mana", {"notes": content})
    seal(source, tmp_path / "sealed.mana", lambda: PASSPHRASE)
    with open_archive(tmp_path / "sealed.mana", lambda: PASSPHRASE) as archive:
        assert [row.id for row in archive.rows("notes")] == ["a", "b", "\uffff", "\U0001f600"]
        assert all(row.values().keys() == {"id", "title"} for row in archive.rows("notes"))
        lines = list(archive.meta("notes"))
        assert [line["id"] for line in lines] == ["a", "b", "\uffff", "\U0001f600"]
        assert lines[0]["at"] == stamp["at"]
        assert list(archive.meta("actors")) == [stamp["actor"]]


def test_a_table_named_like_a_part_of_meta_does_not_spoil_the_archive(tmp_path: Path) -> None:
    stamp = {"at": "2026-04-01T10:00:00.000Z", "actor": {"kind": "user"}, "origin": "user"}
    row = {"id": "a", "x": 1, "spaceId": "s", "__fieldMeta": {"x": stamp}}
    source = web(tmp_path / "web.mana", {name: [row] for name in ("actors", "spaces", "problems", "notes")})
    seal(source, tmp_path / "sealed.mana", lambda: PASSPHRASE)
    assert verify(tmp_path / "sealed.mana", lambda: PASSPHRASE).ok
    assert rows(tmp_path / "sealed.mana")["actors"] == [b'{"id":"a","spaceId":"s","x":1}']


def test_unknown_manifest_keys_and_the_schema_version_are_carried_over(tmp_path: Path) -> None:
    source = web(tmp_path / "web.mana", {"notes": []})
    with zipfile.ZipFile(source) as container:
        manifest = json.loads(container.read("manifest.json"))
    with zipfile.ZipFile(source, "w") as container:
        container.writestr("manifest.json", json.dumps({**manifest, "later": {"é": 1e21}}))
    seal(source, tmp_path / "sealed.mana", lambda: PASSPHRASE, private=True)
    with open_archive(tmp_path / "sealed.mana", lambda: PASSPHRASE) as archive:
        assert archive.manifest.raw["schemaVersion"] == 56
        assert jsontext.dumps(archive.manifest.raw["later"]) == '{"é":1e+21}'.encode()


def test_content_of_our_archives_is_carried_over_as_it_is_compressed(tmp_path: Path) -> None:
    plain, sealed, again = (tmp_path / f"{name}.mana" for name in ("plain", "sealed", "again"))
    lines = [{"id": f"{number:05}", "title": f"Zeile {number**3}"} for number in range(3_000)]
    unsealed(web(tmp_path / "web.mana", {"notes": lines, "tags": []}), plain)
    seal(plain, sealed, lambda: PASSPHRASE)
    written = unseal(sealed, again, lambda: PASSPHRASE)
    assert (written.rows, written.row_counts["notes"], written.row_counts["tags"]) == (3_000, 3_000, 0)
    assert verify(sealed, lambda: PASSPHRASE).ok
    assert verify(again).ok
    with zipfile.ZipFile(plain) as one, zipfile.ZipFile(again) as other:
        for name in one.namelist():
            assert one.read(name) == other.read(name)
            assert one.getinfo(name).compress_size == other.getinfo(name).compress_size


def test_damage_in_an_archive_of_ours_is_not_sealed_in(tmp_path: Path) -> None:
    plain = tmp_path / "plain.mana"
    unsealed(web(tmp_path / "web.mana", {"notes": [{"id": "a", "title": "x" * 500}]}), plain)
    with zipfile.ZipFile(plain) as container:
        notes = container.getinfo("data/notes.jsonl")
    blob = bytearray(plain.read_bytes())
    at = notes.header_offset + 30 + len(notes.filename) + notes.compress_size // 2
    for bit in range(8):
        blob[at] ^= 1 << bit
        plain.write_bytes(blob)
        with pytest.raises(DamagedArchiveError):
            seal(plain, tmp_path / "sealed.mana", lambda: PASSPHRASE)
        assert not (tmp_path / "sealed.mana").exists()
        blob[at] ^= 1 << bit


def test_what_fails_leaves_no_output(tmp_path: Path) -> None:
    target = tmp_path / "out.mana"
    with pytest.raises(UsageError):
        seal(ARCHIVES / "sealed-small.mana", target, lambda: PASSPHRASE)
    with pytest.raises(UsageError):
        unseal(ARCHIVES / "plain-small.mana", target, lambda: PASSPHRASE)
    with pytest.raises(WrongPassphraseError):
        unseal(ARCHIVES / "sealed-small.mana", target, lambda: "wrong")
    with pytest.raises(DamagedArchiveError):
        seal(ARCHIVES / "data-bad-json-line.mana", target, lambda: PASSPHRASE)
    with pytest.raises(DamagedArchiveError):
        seal(ARCHIVES / "zip-flip-deflate-1.mana", target, lambda: PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


def large(path: Path) -> Path:
    """An archive whose largest entry is read ahead: several MiB that do not compress to less."""
    numbers = random.Random(1)
    return ours(
        path,
        {
            "notes": [{"id": f"{number:06}", "noise": numbers.randbytes(900).hex()} for number in range(6_000)],
            "tasks": [{"id": "1"}, {"id": "2"}],
        },
    )


def helping_threads() -> list[str]:
    return [name for thread in threading.enumerate() if (name := thread.name) in ("read-ahead", "write-behind")]


def test_a_large_archive_is_carried_over_whole_and_no_thread_stays(tmp_path: Path) -> None:
    plain = large(tmp_path / "plain.mana")
    written = seal(plain, tmp_path / "sealed.mana", lambda: PASSPHRASE)
    assert written.row_counts == {"notes": 6_000, "tasks": 2}
    assert not helping_threads()
    unseal(tmp_path / "sealed.mana", tmp_path / "again.mana", lambda: PASSPHRASE)
    assert not helping_threads()
    assert rows(tmp_path / "again.mana") == rows(plain)
    assert verify(tmp_path / "again.mana").ok


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_damage_deep_inside_a_large_archive_leaves_no_output_and_no_thread(tmp_path: Path, part: float) -> None:
    plain = large(tmp_path / "plain.mana")
    content = bytearray(plain.read_bytes())
    content[int(len(content) * part)] ^= 1
    plain.write_bytes(content)
    with pytest.raises(DamagedArchiveError):
        seal(plain, tmp_path / "sealed.mana", lambda: PASSPHRASE)
    assert [path.name for path in tmp_path.iterdir()] == ["plain.mana"]
    assert not helping_threads()
    (problem,) = verify(plain).problems
    assert problem.where is not None
    assert problem.where.partition(":")[0] == "data/notes.jsonl"
    assert not helping_threads()


def test_a_large_table_that_is_not_what_its_sums_say_is_not_sealed_in(tmp_path: Path) -> None:
    plain, edited = large(tmp_path / "plain.mana"), tmp_path / "edited.mana"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(edited, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b'"id":"005999"', b'"id":"006999"'))
    with pytest.raises(DamagedArchiveError, match="SHA256SUMS"):
        seal(edited, tmp_path / "sealed.mana", lambda: PASSPHRASE)
    assert not (tmp_path / "sealed.mana").exists()
    assert [problem.code for problem in verify(edited).problems] == ["sums"]
    assert not helping_threads()


def test_names_that_this_tool_does_not_write_are_encoded_and_their_rows_kept(tmp_path: Path) -> None:
    source, target = tmp_path / "web.mana", tmp_path / "sealed.mana"
    tables = {"tagebuch ü": "ü", "50 %": "%", "plain.name_-1": "p", "x" * 900 + "ä": "x"}
    web(source, {table: [{"id": content}] for table, content in tables.items()})
    with zipfile.ZipFile(source, "a") as container:
        container.writestr("account/größe.json", "{}")
    seal(source, target, lambda: PASSPHRASE)
    assert verify(target, lambda: PASSPHRASE).problems == []
    with open_archive(target, lambda: PASSPHRASE) as archive:
        found = {name: next(archive.rows(name)).id for name in archive.tables}
        assert archive.account == ["account/gr%C3%B6%C3%9Fe.json"]
        assert archive.manifest.row_counts == dict.fromkeys(found, 1)
    (long,) = (name for name in found if len(name) == 200)
    assert found == {"tagebuch%20%C3%BC": "ü", "50%20%25": "%", "plain.name_-1": "p", long: "x"}


def test_two_names_that_would_become_one_are_refused(tmp_path: Path) -> None:
    source = web(tmp_path / "web.mana", {"ä": [{"id": "1"}], "%C3%A4": [{"id": "2"}]})
    with pytest.raises(DamagedArchiveError) as caught:
        seal(source, tmp_path / "out.mana", lambda: PASSPHRASE)
    assert (caught.value.code, caught.value.where) == ("duplicateEntry", "data/%C3%A4.jsonl")
    assert {path.name for path in tmp_path.iterdir()} == {"web.mana"}
