"""Whole restores of rows that a space or an account has one of."""

from __future__ import annotations

from pathlib import Path

from tests.support.archives import PERSONAL, meta_of

from .archived_rows import LATER, THEN, archive_of, at
from .bench import CIPHER, Bench


def document(bench: Bench, record: str, *, own: bool, content: str = "", space: str | None = None) -> None:
    """The one document of a space; ``own``: its data name the space."""
    space = space or bench.home
    data = {"content": content, **({"spaceId": space, "createdAt": THEN} if own else {})}
    bench.write({"id": record, "data": data, "spaceId": space}, "kontextDoc")


def documents(tmp_path: Path, *rows: tuple[str, str, int, str]) -> Path:
    """(id, content, space, time)"""
    found = [{"id": record, "content": content} for record, content, _, _ in rows]
    meta = [meta_of({"id": record}, **at(when), space=space) for record, _, space, when in rows]
    return archive_of(tmp_path, "kontextDoc", *found, meta=sorted(meta, key=lambda one: str(one["id"])))


def content(bench: Bench, record: str) -> str:
    return CIPHER.decrypt(bench.row("kontextDoc", record).values["content"]).decode()


def test_the_document_of_a_space_is_written_onto_the_one_that_the_app_reads(bench: Bench, tmp_path: Path) -> None:
    document(bench, "boot", own=False)
    document(bench, "d2", own=True, content="two")
    document(bench, "d1", own=True, content="one")
    document(bench, "d0", own=True, content="of another space", space=bench.club)
    result = bench.restore(documents(tmp_path, ("theirs", "mine", 0, THEN)))
    assert result.updated == 1
    assert content(bench, "d1") == '"mine"'
    assert bench.changes("kontextDoc", "theirs") == []


def test_a_bootstrapped_document_is_replaced_with_its_scope(bench: Bench, tmp_path: Path) -> None:
    document(bench, "boot", own=False)
    bench.restore(documents(tmp_path, ("theirs", "mine", 0, THEN)))
    assert [change["op"] for change in bench.changes("kontextDoc", "boot")] == ["insert", "delete", "insert", "update"]
    record = bench.row("kontextDoc", "boot")
    assert (record.values["spaceId"], record.space_filled) == (bench.home, False)


def test_where_there_is_no_document_yet_it_comes_under_its_own_id(bench: Bench, tmp_path: Path) -> None:
    bench.restore(documents(tmp_path, ("theirs", "mine", 0, THEN)))
    assert content(bench, "theirs") == '"mine"'


def test_of_several_archived_documents_of_a_space_the_latest_counts(bench: Bench, tmp_path: Path) -> None:
    document(bench, "boot", own=False)
    result = bench.restore(
        documents(tmp_path, ("a", "older", 0, THEN), ("b", "newest", 0, LATER), ("c", "old", 2, THEN))
    )
    assert content(bench, "boot") == '"newest"'
    assert result.plan.reasons == {"superseded": 2}


def test_an_id_that_holds_a_space_holds_the_new_one(bench: Bench, tmp_path: Path) -> None:
    scene = {"id": f"seed-home-{PERSONAL}", "name": "start"}
    other = {"id": "zzz", "name": "other"}
    bench.write({"id": f"seed-home-{bench.home}", "data": {"name": "theirs", "spaceId": bench.home}}, "workbenchScenes")
    result = bench.restore(archive_of(tmp_path, "workbenchScenes", scene, other))
    assert (result.inserted, result.updated) == (1, 1)
    restored = bench.row("workbenchScenes", f"seed-home-{bench.home}")
    assert CIPHER.decrypt(restored.values["name"]) == b'"start"'


def test_singletons_land_on_the_targets_own_row(bench: Bench, tmp_path: Path) -> None:
    bench.write({"id": "singleton", "data": {"userId": bench.user, "freeform": ""}}, "userContext")
    bench.restore(archive_of(tmp_path, "userContext", {"id": "singleton", "freeform": "mine"}, meta=[]))
    record = bench.row("userContext", "singleton")
    assert CIPHER.decrypt(record.values["freeform"]) == b'"mine"'
    assert record.values["userId"] == bench.user
