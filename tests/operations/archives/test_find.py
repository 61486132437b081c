"""Find: by words, folded, in titles and texts and labels, and never in secrets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manabackup.archive.writer import Seal
from manabackup.errors import UsageError, WrongPassphraseError
from manabackup.operations.archives.find import Hit, Question, SearchOptions, find
from manabackup.text.folding import fold, phrases_of, words_of
from tests.conversion.archives import PASSPHRASE, Tables, write_archive
from tests.support import handmade, zips

LONG = "Ein langer Brief. " * 40
ROWS: Tables = {
    "tasks": [
        {"id": "t1", "title": "Straße fegen", "description": "vor dem Haus"},
        {"id": "t2", "title": "Anrufen", "description": LONG + "Grüner Tee für Łukasz." + LONG},
        {"id": "t3", "title": "Im Bin", "description": "Straße", "deletedAt": "2026-01-01T00:00:00.000Z"},
    ],
    "notes": [
        {"id": "n1", "title": "Tee, grüner", "content": "<b>x</b>", "unlistedToken": "geheim"},
        {"id": "n2", "title": "enc:1:AAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBB", "content": "zu"},
    ],
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("found") / "a.mana", ROWS)


def ids(path: Path, question: str, passphrase: Callable[[], str] | None = None, **options: object) -> list[str]:
    found = find(path, Question.of(question), passphrase, options=SearchOptions(**options))  # type: ignore[arg-type]
    return [hit.id for hit in found]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("strasse", ["t1"]),
        ("STRASSE haus", ["t1"]),
        ("straße tee", []),
        ("gruner", ["t2", "n1"]),
        ("tee grun", ["t2", "n1"]),
        ('"grüner tee"', ["t2"]),
        ("lukasz", ["t2"]),
        ("ras", ["t1"]),
        ("geheim", []),
        ("t1", []),
        ("AAAAAAAAAAAAAAAA", []),
    ],
)
def test_a_row_is_found_by_all_words_wherever_they_stand(archive: Path, question: str, found: list[str]) -> None:
    assert ids(archive, question) == found


def test_where_to_look_can_be_said(archive: Path) -> None:
    assert ids(archive, "grüner", tables=["notes"]) == ["n1"]
    assert ids(archive, "grüner", apps=["todo"]) == ["t2"]
    assert ids(archive, "strasse", include_deleted=True) == ["t1", "t3"]
    with pytest.raises(UsageError, match="the archive has no table nots"):
        ids(archive, "x", tables=["nots"])


def test_a_hit_shows_where_the_words_stand(archive: Path) -> None:
    (one,) = find(archive, Question.of("strasse"))
    assert one == Hit("tasks", "t1", "Straße fegen", "", in_title=True)
    (one,) = find(archive, Question.of("łukasz"))
    assert (one.title, one.in_title) == ("Anrufen", False)
    assert "Grüner Tee für Łukasz." in one.excerpt
    assert one.excerpt.startswith("… ")
    assert one.excerpt.endswith(" …")
    assert len(one.excerpt) < 200


def test_a_sealed_archive_and_one_of_the_web_app_are_searched_alike(tmp_path: Path) -> None:
    sealed = write_archive(tmp_path / "s.mana", ROWS, seal=Seal(PASSPHRASE))
    assert ids(sealed, "strasse", lambda: PASSPHRASE) == ["t1"]
    with pytest.raises(WrongPassphraseError):
        ids(sealed, "strasse", lambda: "another one")
    foreign = tmp_path / "w.mana"
    foreign.write_bytes(zips.build(handmade.of_the_web_app({"tasks": '{"id":"a","title":"Große Straße"}\n'.encode()})))
    assert ids(foreign, "große") == ["a"]


@pytest.mark.parametrize("question", ["", " ", "!?", '""'])
def test_nothing_is_not_searched_for(question: str) -> None:
    with pytest.raises(UsageError, match="no word"):
        Question.of(question)


def test_words_and_phrases_are_taken_apart() -> None:
    assert words_of(fold("Tee, grüner (2 €)")) == ["tee", "gruner", "2", "€"]
    assert phrases_of('ein "grüner Tee" und „schwarzer Kaffee“ «à propos» "allein"') == [
        ["gruner", "tee"], ["schwarzer", "kaffee"], ["a", "propos"],
    ]  # fmt: skip
