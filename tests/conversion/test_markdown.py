"""``markdown``: every file read by a CommonMark parser and a YAML parser, every link followed."""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from manabackup.conversion import prose
from manabackup.conversion.markdown import PAGES
from manabackup.conversion.options import ConvertOptions
from manabackup.errors import UsageError
from manabackup.model import modules
from manabackup.model.tables import Language
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive

PARSER = MarkdownIt("commonmark")


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "markdown", target, options=ConvertOptions(**options))


def parts(path: Path) -> tuple[dict[str, Any], str]:
    """The properties of a page, and its text."""
    text = path.read_text("utf-8")
    if not text.startswith("---\n"):
        return {}, text
    before, _, body = text.removeprefix("---\n").partition("\n---\n")
    return yaml.safe_load(before), body


def tokens(text: str) -> list[Token]:
    return [inner for token in PARSER.parse(text) for inner in (token, *(token.children or ()))]


def shown(text: str) -> str:
    """What somebody sees of Markdown."""
    kinds = {"text", "code_inline", "fence", "code_block"}
    blocks = [[token, *(token.children or ())] for token in PARSER.parse(text)]
    return " ".join("".join(token.content for token in block if token.type in kinds) for block in blocks)


@pytest.fixture(scope="module")
def vault(life: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("markdown") / "vault"
    convert(life, path, language="de", include_technical=True)
    return path


def test_every_row_that_is_a_page_has_one(life: Path, vault: Path) -> None:
    found: dict[str, list[str]] = {}
    for path in vault.rglob("*.md"):
        properties, _ = parts(path)
        if properties:
            found.setdefault(properties["mana-table"], []).append(str(properties["mana-id"]))
    for name, rows in rows_of(life).items():
        if name in PAGES:
            assert sorted(found.get(name, [])) == sorted(rows)


def test_every_file_is_read_by_others_and_holds_no_html(vault: Path) -> None:
    count = 0
    for path in vault.rglob("*.md"):
        properties, body = parts(path)
        assert not properties or {"title", "mana-id", "mana-table"} <= properties.keys()
        for token in tokens(body):
            assert token.type not in ("html_block", "html_inline", "image"), path
            address = str(token.attrGet("href") or "")
            if token.type == "link_open" and not prose.is_safe(address):
                assert (path.parent / unquote(address)).resolve().is_file(), (path, address)
                count += 1
    assert count > 200


def test_what_people_wrote_is_to_be_seen(tmp_path: Path) -> None:
    content = (
        "# no heading\n* a list\n1. one\n<script>alert(1)</script> *stars* __name__ [x](y) `code` #tag\n    far\n---"
    )
    tables: Tables = {
        "journalEntries": [
            {
                "id": "j",
                "title": "A day",
                "content": content,
                "entryDate": "2026-05-01",
                "mood": "glücklich",
                "tags": ["two words"],
            }
        ]
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out", language="de")
    properties, body = parts(tmp_path / "out/Leben/Tagebuch/2026-05-01 A day.md")
    assert properties["date"] == date(2026, 5, 1)
    assert (properties["mood"], properties["tags"]) == ("Glücklich", ["two-words"])
    assert properties["created"].isoformat() == "2026-01-01T10:00:00"  # a clock in the zone of local clocks
    for seen in ("# no heading", "<script>alert(1)</script> *stars* __name__ [x](y) `code` #tag", "far", "---"):
        assert seen in shown(body)


def test_what_belongs_together_stands_together(tmp_path: Path) -> None:
    times = {f"m{number}": (f"2026-05-01T10:0{number}:00.000Z", "2026-05-01T11:00:00.000Z") for number in range(3)}
    tables: Tables = {
        "conversations": [{"id": "c", "title": "Garden"}],
        "messages": [
            {"id": "m1", "conversationId": "c", "sender": "assistant", "messageText": "**Peas**, of course"},
            {"id": "m0", "conversationId": "c", "sender": "user", "messageText": "What *now*?"},
            {"id": "m2", "conversationId": "gone", "sender": "user", "messageText": "Alone"},
        ],
        "guides": [{"id": "g", "title": "Sow"}],
        "steps": [{"id": f"s{order}", "guideId": "g", "title": f"Step {order}", "order": order} for order in (10, 2)],
    }
    result = convert(write_archive(tmp_path / "a.mana", tables, times=times), tmp_path / "out")
    text = (tmp_path / "out/Work/Chat/Garden.md").read_text("utf-8")
    assert text.index("### Me · 2026-05-01") < text.index("### Assistant · 2026-05-01")
    assert "What \\*now\\*?" in text
    assert "**Peas**, of course" in text
    assert "Alone" in (tmp_path / "out/Work/Chat/Chat messages.md").read_text("utf-8")
    assert result.left_out.to_json() == {"dangling": {"messages": 1}}
    guide = (tmp_path / "out/Creative/Guides/Sow.md").read_text("utf-8")
    assert guide.index("Step 2") < guide.index("Step 10")


def test_rows_that_refer_to_each_other_are_linked(tmp_path: Path) -> None:
    tables: Tables = {
        "places": [{"id": "p", "name": "Lake (north)"}],
        "firsts": [{"id": "f", "title": "Swim", "placeId": "p"}],
        "tasks": [{"id": "t", "title": "Buy", "projectId": "q"}],
        "todoProjects": [{"id": "q", "name": "Home"}],
        "notes": [{"id": "n", "title": "List"}],
        "manaLinks": [
            {"id": side, "direction": side, "linkType": "related"}
            | dict(zip(("sourceApp", "sourceCollection", "sourceId"), source, strict=True))
            | dict(zip(("targetApp", "targetCollection", "targetId"), target, strict=True))
            for side, source, target in (
                ("forward", ("todo", "tasks", "t"), ("notes", "notes", "n")),
                ("reverse", ("notes", "notes", "n"), ("todo", "tasks", "t")),
            )
        ],
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out")
    first = (tmp_path / "out/Life/Firsts/Swim.md").read_text("utf-8")
    assert "[Lake (north)](../../Life/Places/Lake%20%28north%29.md)" in first
    task = (tmp_path / "out/Work/Tasks/Buy.md").read_text("utf-8")
    assert "- Task projects: Home" in task
    assert task.count("[List](../../Work/Notes/List.md)") == 1
    assert "[Buy](../../Work/Tasks/Buy.md)" in (tmp_path / "out/Work/Notes/List.md").read_text("utf-8")


def test_lines_stand_in_lists_by_year(tmp_path: Path) -> None:
    tables: Tables = {
        "drinkEntries": [
            {"id": "a", "name": "Tea", "date": "2026-03-01", "quantityMl": 200, "note": "hot"},
            {"id": "b", "name": "Water", "date": "2025-12-31", "quantityMl": 300},
            {"id": "c", "name": "Coffee", "date": "2026-01-01", "quantityMl": 100},
        ],
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out", language="de")
    folder = tmp_path / "out/Leben/Trinken"
    assert sorted(path.name for path in folder.iterdir()) == ["Getränke 2025.md", "Getränke 2026.md", "Inhalt.md"]
    text = (folder / "Getränke 2026.md").read_text("utf-8")
    assert text.index("Coffee") < text.index("Tea") < text.index("hot")


def test_a_letter_in_html_and_one_of_the_editor_are_read(tmp_path: Path) -> None:
    document = {
        "type": "doc",
        "content": [
            {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "News"}]},
            {
                "type": "bulletList",
                "content": [
                    {
                        "type": "listItem",
                        "content": [{"type": "paragraph", "content": [{"type": "text", "text": "one"}]}],
                    }
                ],
            },
            {"type": "unheard", "content": [{"type": "text", "text": "still there"}]},
            {
                "type": "paragraph",
                "content": [
                    {"type": "text", "text": "go", "marks": [{"type": "link", "attrs": {"href": "javascript:x"}}]},
                ],
            },
        ],
    }
    html = (
        "<h2>Title</h2><p>Text <b>bold</b> <a href='javascript:alert(1)'>trap</a> <a href='https://example.org/'>way</a>"
        "<img src='https://tracker.example/p.gif' alt='dot'></p><script>alert(1)</script><style>x</style>"
    )
    tables: Tables = {
        "broadcastCampaigns": [
            {"id": "b", "subject": "Hello", "content": {"tiptap": document, "html": "<p>old</p>", "plainText": "old"}}
        ],
        "articles": [{"id": "a", "title": "Read", "htmlContent": html, "content": "Title Text bold"}],
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out")
    letter = next((tmp_path / "out/Work/Broadcasts").glob("Hello.md")).read_text("utf-8")
    assert "## News" in letter
    assert "- one" in letter
    assert "still there" in letter
    assert "javascript" not in letter
    assert "old" not in letter
    article = (tmp_path / "out/Life/Articles/Read.md").read_text("utf-8")
    assert "Text **bold** trap [way](https://example.org/)" in article
    assert "[dot](https://tracker.example/p.gif)" in article
    assert "alert" not in article
    assert not [token for token in tokens(article) if token.type == "image"]


def test_hostile_titles_are_files_like_any_other(tmp_path: Path) -> None:
    titles = ["../../../etc/passwd", "CON", "a/b\\c", "\u202egnp", "x" * 300, "", "Same", "same", "nul\0l", "[[x]]"]
    tables: Tables = {"notes": [{"id": f"n{number}", "title": title} for number, title in enumerate(titles)]}
    tables = {**tables, "kontextDoc": [{"id": "k", "content": "---\nnot: yaml\n---\n<b>x</b>"}]}
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out")
    notes = [path for path in (tmp_path / "out/Work/Notes").iterdir() if path.name != "Contents.md"]
    assert len({path.name.casefold() for path in notes}) == len(titles)
    assert {parts(path)[0]["mana-id"] for path in notes} == {f"n{number}" for number in range(len(titles))}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mana", "out"]


def test_converting_twice_gives_the_same_bytes(life: Path, vault: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "again", language="de", include_technical=True)
    files = {path.relative_to(vault): path.read_bytes() for path in vault.rglob("*.md")}
    again = tmp_path / "again"
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*.md")} == files


_LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf", "Zs"]), max_size=12)


@given(st.lists(_LINES, max_size=4))
def test_of_plain_text_every_character_is_seen_and_nothing_is_obeyed(lines: list[str]) -> None:
    text = prose.from_plain("\n".join(lines))
    assert not [token for token in tokens(text) if token.type in ("html_inline", "html_block", "image", "link_open")]
    kept = [line for line in lines if not re.match(r"[-+*]|\d+[.)]", line)]
    seen = shown(text)
    for line in kept:
        assert line.strip("\u00a0 ") in seen.replace("\u00a0", " "), (line, text, seen)


def test_what_html_shows_as_text_is_that_text() -> None:
    assert shown(prose.from_html("a &lt;b&gt; \\&lt;i&gt; 1 &lt; 2")).strip() == "a <b> \\<i> 1 < 2"


@given(st.text())
@example("http:")
@example("![x](https://example.org/x.png)")
@example("![](" + "a" * 100_000)
@example("![" * 50_000)
@example("<![0")
@example("<![x[y]]> <![if !x]>z<![endif]>")
def test_markdown_and_html_of_strangers_bring_no_html(text: str) -> None:
    for written in (prose.from_markdown(text), prose.from_html(text), prose.from_markdown(f"a <{text}> `{text}`")):
        found = [token for token in tokens(written) if token.type in ("html_inline", "html_block")]
        assert not [token for token in found if not token.content.startswith("<!-")]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("de", "- Getränk: Bier|- Menge (ml): 330|- Uhrzeit: 10:45|**Zutaten**|- 2 kg Kürbis|[p.png]("),
        ("en", "- Drink: Beer|- Quantity (ml): 330|- Time: 10:45|**Ingredients**|- 2 kg Kürbis|[p.png]("),
    ],
)
def test_fields_have_names_that_people_read_in_their_language(tmp_path: Path, language: Language, told: str) -> None:
    tables: Tables = {
        "drinkEntries": [
            {"id": "d", "drinkType": "beer", "quantityMl": 330, "time": "10:45", "date": "2026-05-01"},
        ],
        "recipes": [
            {"id": "r", "title": "Suppe", "ingredients": [{"name": "Kürbis", "amount": "2", "unit": "kg"}]},
        ],
        "articles": [{"id": "a", "title": "A", "htmlContent": "<img src='https://x.example/i/p.png'>"}],
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out", language=language)
    written = "\n".join(path.read_text() for path in sorted((tmp_path / "out").rglob("*.md")))
    assert [part for part in told.split("|") if part not in written] == []


def test_every_name_of_a_field_is_a_field_somewhere_and_others_are_read_as_words() -> None:
    known = modules.load()
    raw = json.loads((Path(__file__).parents[2] / "formats" / "modules.json").read_text())
    everywhere = json.dumps([[table.get("fields"), table.get("shapes"), table] for table in raw["tables"].values()])
    assert [name for name in raw["fields"] if name not in everywhere] == []
    assert known.field_label("content.bulletPoints[]", "de") == "Stichpunkte"
    assert known.field_label("photoMediaId", "de") == "Photo media id"


def test_tags_and_names_of_files_are_such_that_obsidian_takes_them(tmp_path: Path) -> None:
    names = ["Käse & Brot!", "2024", "work/q1", "#x y", "…", "👍"]
    tables: Tables = {
        "globalTags": [{"id": f"t{number}", "name": name} for number, name in enumerate(names)],
        "noteTags": [{"id": f"j{number}", "noteId": "n", "tagId": f"t{number}"} for number in range(len(names))],
        "notes": [{"id": "n", "title": "[Draft] #1 ^ x", "content": "y"}],
    }
    source = write_archive(tmp_path / "a.mana", tables, times={"n": ("2026-07-01T10:00:00.000Z",) * 2})
    convert(source, tmp_path / "out", zone=ZoneInfo("Europe/Berlin"))
    (page,) = (path for path in (tmp_path / "out").rglob("*.md") if "Draft" in path.name)
    properties, _ = parts(page)
    assert page.name == "(Draft) -1 - x.md"
    assert properties["title"] == "[Draft] #1 ^ x"
    assert properties["tags"] == ["Käse-Brot", "_2024", "work/q1", "x-y", "👍"]
    assert properties["created"].isoformat() == "2026-07-01T12:00:00"


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_archive(tmp_path / "a.mana", {"notes": [{"id": "n", "title": "No HTML"}]})
    monkeypatch.delitem(sys.modules, "manabackup.conversion.markdown")
    monkeypatch.setitem(sys.modules, "markdownify", None)
    with pytest.raises(UsageError, match="markdownify, which is not installed") as caught:
        convert(source, tmp_path / "out")
    assert "[convert]" in str(caught.value.hint)
