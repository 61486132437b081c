"""Whoever takes part in it, the same comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import PERSONAL, entries, lines, manifest, meta_of, opened, ours, rows, tables_of

from .rekeyed import KEY_B, rekeyed, sealed_value


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_who_does_which_part_makes_no_difference(tmp_path: Path) -> None:
    tasks: list[dict[str, Any]] = [
        {"id": f"t-{number:03}", "title": f"{number} " * 8_000, "order": number, "spaceId": PERSONAL}
        for number in range(200)
    ]
    tasks[60]["spaceId"] = tasks[150]["spaceId"] = "a space that only rows name"
    tasks[90]["note"] = sealed_value("left behind", bytes(32))
    metas = [
        meta_of(task, at="2026-04-20T08:15:30.123Z", actor=number % 2, space=0) for number, task in enumerate(tasks)
    ]
    for number in (60, 150):
        metas[number]["space"] = None
    source = ours(tmp_path / "source.mana", {"tasks": tasks, "notes": []}, meta={"tasks": metas})
    found = []
    for processes in (1, 2, 3):
        target = tmp_path / f"{processes}.mana"
        result = rekeyed(source, target, processes=processes)
        values = {
            row: {
                name: opened(value, KEY_B) if str(value).startswith("enc:1:") else value for name, value in of.items()
            }
            for row, of in rows(target, "tasks").items()
        }
        everything = {name: content for name, content in entries(target).items() if name.startswith("meta/")}
        found.append((values, everything, result.encrypted_fields, result.losses, manifest(target)["completeness"]))
    assert found[0] == found[1] == found[2]
    assert found[0][2] == 200
    assert found[0][3] == {"ciphertextLeftOut": 1}
    spaces = [line["space"] for line in lines(tmp_path / "1.mana", "meta/tasks.jsonl")]
    assert [number for number, space in enumerate(spaces) if space == 3] == [60, 150]
    ivs = [
        part[:16]
        for path in tmp_path.glob("[123].mana")
        for part in entries(path)["data/tasks.jsonl"].split(b"enc:1:")[1:]
    ]
    assert len(ivs) == len(set(ivs)) == 600


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_tables_follow_each_other_whoever_does_their_rows(tmp_path: Path, out: Path, processes: int) -> None:
    """Read ahead of those that are still on their way; empty ones, and one whose ids change, among them."""

    def many(table: str) -> list[dict[str, Any]]:
        return [{"id": f"{table}-{number:03}", "color": "x" * 9_000, "spaceId": PERSONAL} for number in range(100)]

    scenes = [{"id": f"seed-home-{PERSONAL}", "spaceId": PERSONAL}]
    tables = {
        "tasks": many("tasks"),
        "labels": [],
        "notes": many("notes"),
        "workbenchScenes": scenes,
        "dreams": many("dreams"),
        "moods": [],
    }
    source = ours(
        tmp_path / "source.mana", tables, meta={name: [meta_of(r) for r in of] for name, of in tables.items()}
    )
    rekeyed(source, out, processes=processes, home="home")
    expected = {name: [row["id"] for row in content] for name, content in tables.items()}
    expected["workbenchScenes"] = ["seed-home-home"]
    assert {name: list(of) for name, of in tables_of(out)} == expected
    assert manifest(out)["rowCounts"] == {name: len(ids) for name, ids in expected.items()}
    for name, ids in expected.items():
        assert [line["id"] for line in lines(out, f"meta/{name}.jsonl")] == ids


def test_an_archive_with_more_spaces_than_a_person_has_is_rekeyed_all_the_same(tmp_path: Path, out: Path) -> None:
    task = {"id": "t", "title": "Steuer", "spaceId": "s5"}
    spaces = [{"id": f"s{number}"} for number in range(1_001)]
    source = ours(tmp_path / "s.mana", {"tasks": [task]}, meta={"tasks": [meta_of(task, space=5)]}, spaces=spaces)
    assert rekeyed(source, out).encrypted_fields == 1
    assert opened(rows(out, "tasks")["t"]["title"], KEY_B) == b'"Steuer"'
    assert [line["space"] for line in lines(out, "meta/tasks.jsonl")] == [5]
