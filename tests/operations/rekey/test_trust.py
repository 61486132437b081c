"""What a rekeyed archive is believed for, and which sources are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError, OutputError, WrongKeyError
from manabackup.operations.archives.verify import verify
from tests.support.archives import meta_of, ours, rows

from .rekeyed import KEY_A, KEY_B, rekeyed, sealed_value


def test_verify_knows_the_result_with_and_without_the_key(source: Path, out: Path) -> None:
    rekeyed(source, out)
    report = verify(out)
    assert (report.ok, report.encrypted_fields, report.opened) == (True, 7, False)
    report = verify(out, cipher=FieldCipher(KEY_B))
    assert (report.ok, report.encrypted_fields, report.opened) == (True, 7, True)
    with pytest.raises(WrongKeyError):
        verify(out, cipher=FieldCipher(KEY_A))
    assert any("key was not needed" in note for note in verify(source, cipher=FieldCipher(KEY_A)).notes)


def test_verify_names_a_private_field_in_clear_and_one_that_does_not_open(tmp_path: Path) -> None:
    good = sealed_value("x", KEY_B)
    content: list[dict[str, Any]] = [
        {"id": "1", "title": good, "content": "in clear"},
        {"id": "2", "title": sealed_value("x", KEY_A), "color": "red"},
        {"id": "3", "title": "enc:1:no.ciphertext", "mood": 7, "content": None},
    ]
    path = ours(
        tmp_path / "a.mana",
        {"notes": content},
        meta={"notes": [meta_of(content[2], sealed=["mood"])]},
        fields_plaintext=False,
        additions={"keyFingerprint": FieldCipher(KEY_B).fingerprint},
    )

    def found(cipher: FieldCipher | None) -> set[tuple[str, str | None]]:
        return {(problem.code, problem.where) for problem in verify(path, cipher=cipher).problems}

    without = {
        ("notEncrypted", "data/notes.jsonl:1"),
        ("notEncrypted", "data/notes.jsonl:3"),
        ("notOpened", "data/notes.jsonl:3"),
    }
    assert found(None) == without
    assert found(FieldCipher(KEY_B)) == {*without, ("notOpened", "data/notes.jsonl:2")}
    assert all("in clear" not in str(problem.to_json()["where"]) for problem in verify(path).problems)


def test_verify_does_not_list_the_problems_of_a_million_rows(tmp_path: Path) -> None:
    content = [{"id": f"{number:05}", "title": "clear"} for number in range(1_300)]
    problems = verify(ours(tmp_path / "a.mana", {"notes": content}, fields_plaintext=False)).problems
    assert len(problems) == 1_001
    assert problems[-1].message == "and 300 more fields"


@pytest.mark.parametrize("where", ["data", "meta"])
def test_an_archive_that_claims_to_be_sorted_and_is_not_is_refused(tmp_path: Path, out: Path, where: str) -> None:
    content = [{"id": "b"}, {"id": "a"}]
    ordered = sorted(content, key=lambda row: row["id"])
    path = ours(
        tmp_path / "a.mana",
        {"notes": content if where == "data" else ordered},
        meta={"notes": [meta_of(row) for row in (ordered if where == "data" else content)]},
    )
    with pytest.raises(DamagedArchiveError) as caught:
        rekeyed(path, out)
    assert (caught.value.code, caught.value.where) == ("order", f"{where}/notes.jsonl:2")
    assert not out.exists()


def test_a_meta_line_that_is_none_is_refused_by_place(tmp_path: Path, out: Path) -> None:
    path = ours(tmp_path / "a.mana", {"notes": [{"id": "a"}]}, meta={"notes": [meta_of({"id": "a"}, actor=99)]})
    with pytest.raises(DamagedArchiveError) as caught:
        rekeyed(path, out)
    assert caught.value.where == "meta/notes.jsonl:1"


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    ("line", "where"),
    [
        (b'{"id":"b",}', "data/notes.jsonl:2"),
        (b'{"id":"b","text":"\xff"}', "data/notes.jsonl:2"),
        (b'{"id":"b"}{"id":"b"}', "data/notes.jsonl:2"),
        (b'{"id":"b","x":"\t"}', "data/notes.jsonl:2"),
        (b'{"id":"b","id":7}', "data/notes.jsonl:2"),
        (b'{"id":"b","\\u0069d":7}', "data/notes.jsonl:2"),
        (b'{"id":"b","\\u0069d":"bb"}', "data/notes.jsonl"),  # nobody else minds
        (b'["id"]', "data/notes.jsonl:2"),
    ],
)
def test_a_row_that_is_none_is_refused_by_place(
    tmp_path: Path, out: Path, line: bytes, where: str, processes: int
) -> None:
    path = ours(tmp_path / "a.mana", {"notes": [b'{"id":"a"}', line, b'{"id":"c"}']})
    with pytest.raises(DamagedArchiveError) as caught:
        rekeyed(path, out, processes=processes)
    assert (caught.value.code, caught.value.where) == ("line", where)
    assert not out.exists()


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("faulty", [1, 3])
def test_of_two_faults_the_first_is_named_whoever_reads_the_rows(
    tmp_path: Path, out: Path, processes: int, faulty: int
) -> None:
    """Each row is a piece of its own; meta lines are looked at while pieces are cut."""
    text = b'","text":[' + b'"x",' * 100_000 + b'"x"]'
    content = [b'{"id":"%d%b%b}' % (number, text, b"," if number == faulty else b"") for number in range(1, 5)]
    sound: dict[str, Any] = {"id": "3", "at": None, "actor": None, "origin": None, "fields": {}, "sealed": []}
    path = ours(tmp_path / "a.mana", {"notes": content}, meta={"notes": [sound, {"id": 7}]})
    with pytest.raises(DamagedArchiveError) as caught:
        rekeyed(path, out, processes=processes)
    assert (caught.value.code, caught.value.where) == ("line", f"data/notes.jsonl:{faulty}")


def test_an_id_is_told_from_one_that_is_inside_a_row(tmp_path: Path, out: Path) -> None:
    content: list[dict[str, Any]] = [{"id": "a", "list": [{"id": "z"}]}, {"id": "b", "text": '"id":'}, {"id": "c \\"}]
    content += [{"id": "é"}, {"id": "\ud83d"}]
    rekeyed(ours(tmp_path / "a.mana", {"notes": content}), out)
    assert list(rows(out, "notes").values()) == content


def test_a_damaged_source_leaves_the_old_output_whole(source: Path, out: Path) -> None:
    rekeyed(source, out)
    before = out.read_bytes()
    content = bytearray(source.read_bytes())
    place = content.index(b"data/tasks.jsonl") + 60
    content[place] ^= 0xFF
    source.write_bytes(content)
    with pytest.raises(DamagedArchiveError):
        rekeyed(source, out, force=True)
    assert out.read_bytes() == before
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.mana", "source.mana"]


def test_an_existing_output_stays_without_force(source: Path, out: Path) -> None:
    out.write_bytes(b"precious")
    with pytest.raises(OutputError):
        rekeyed(source, out)
    assert out.read_bytes() == b"precious"
