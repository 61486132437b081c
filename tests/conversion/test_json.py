"""``json``: read by Python's own parser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from manabackup.conversion.options import ConvertOptions
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "json", target, options=ConvertOptions(**options))


def test_every_row_is_there_as_it_is(life: Path, tmp_path: Path) -> None:
    options = {"include_secrets": True, "include_technical": True, "include_deleted": True}
    convert(life, tmp_path / "a.json", **options)
    whole = json.loads((tmp_path / "a.json").read_text("utf-8", "surrogatepass"))
    for table, rows in rows_of(life).items():
        found = {row["id"]: row for row in whole["tables"][table]}
        for row in rows.values():
            for name in [name for name, value in row.items() if str(value).startswith("enc:1:")]:
                del row[name]
        assert found == rows
    assert whole["manifest"]["formatVersion"] == 2
    assert whole["leftOut"].keys() == {"ciphertext"}
    convert(life, tmp_path / "b.json", **options)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_titles_stand_beside_ids_where_they_are_wanted(tmp_path: Path) -> None:
    tables: Tables = {
        "todoProjects": [{"id": "p", "name": "Garden"}],
        "tasks": [{"id": "a", "title": "Weed", "projectId": "p"}, {"id": "b", "title": "Rest", "projectId": "gone"}],
        "globalTags": [{"id": "t", "name": "home"}],
        "contacts": [{"id": "c", "firstName": "Ada", "tagIds": ["t", "gone"]}],
    }
    source = write_archive(tmp_path / "a.mana", tables)
    convert(source, tmp_path / "a.json", resolve=True)
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))["tables"]
    assert found["tasks"] == [
        {"id": "a", "projectId": "p", "projectId_title": "Garden", "title": "Weed"},
        {"id": "b", "projectId": "gone", "title": "Rest"},
    ]
    assert found["contacts"][0]["tagIds_title"] == ["home", None]
    convert(source, tmp_path / "plain.json")
    assert "_title" not in (tmp_path / "plain.json").read_text("utf-8")


def test_it_can_be_read_by_eye(tmp_path: Path) -> None:
    tables: Tables = {"notes": [{"id": "n", "title": "Äpfel", "tags": ["a", "b"]}], "tasks": []}
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text("utf-8")
    assert '\n    "notes": [\n      {\n        "id": "n",\n        "tags": [\n          "a",\n' in text
    assert '"title": "Äpfel"' in text
    assert '\n    "tasks": []\n' in text


def test_what_is_deep_large_or_half_is_written_too(tmp_path: Path) -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    tables: Tables = {
        "notes": [{"id": "a", "deep": deep}, {"id": "b", "half": "\ud83d"}, {"id": "c", "n": 2**70, "f": 0.1}]
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "a.json")
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))["tables"]["notes"]
    assert found == [{"deep": deep, "id": "a"}, {"half": "\ud83d", "id": "b"}, {"f": 0.1, "id": "c", "n": 2**70}]
