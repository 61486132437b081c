"""``bookmarks``: read as Firefox does, by an HTML parser, and as Chrome does, line by line; feeds by an OPML parser."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import listparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from manabackup.conversion.options import ConvertOptions
from manabackup.conversion.web_addresses import web_address
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive

TABLES = ("articles", "newsArticles", "links")
HOSTILE = [
    "</A></DL><script>alert(1)</script>",
    '" onclick="alert(1)',
    "two\nlines\r\n</DL><p>",
    "\u202eexe",
    "a\0b",
    "half \ud83d",
    "&amp; &lt;",
    "y" * 50_000,
]


class Bookmark(NamedTuple):
    folder: tuple[str, ...]
    title: str
    attributes: dict[str, str | None]


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "bookmarks", target, options=ConvertOptions(**options))


def made(tmp_path: Path, tables: Tables, **options: Any) -> tuple[Path, dict[str, Any]]:
    result = convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out", **options)
    return tmp_path / "out", result.left_out.to_json()


def as_firefox(folder: Path) -> list[Bookmark]:
    """Every ``A``, under the ``H3`` before the lists that it stands in."""
    tree = LexborHTMLParser(folder.read_text("utf-8"))
    assert tree.css_first("script") is None
    return [
        Bookmark(tuple(_above(link)), link.text(), {name.upper(): value for name, value in link.attributes.items()})
        for link in tree.css("a")
    ]


def _above(link: LexborNode) -> list[str]:
    found: list[str] = []
    node = link.parent
    while node is not None:
        if node.tag == "dl":
            before = node.prev
            while before is not None and before.tag != "h3":
                before = before.prev
            if before is not None:
                found.insert(0, before.text())
        node = node.parent
    return found


def as_chrome(folder: Path) -> list[Bookmark]:
    """One line after the other, looking for fixed words at their begin."""
    found, path = [], []
    for line in folder.read_text("utf-8").split("\n"):
        line = line.strip()
        if heading := re.fullmatch(r"<DT><H3([^>]*)>(.*)</H3>", line):
            path.append(html.unescape(heading[2]))
        elif line.startswith("</DL>") and path:
            path.pop()
        elif link := re.fullmatch(r'<DT><A((?: [A-Z_]+="[^"]*")*)>(.*)</A>', line):
            attributes: dict[str, str | None] = {}
            attributes |= {name: html.unescape(value) for name, value in re.findall(r'([A-Z_]+)="([^"]*)"', link[1])}
            found.append(Bookmark(tuple(path), html.unescape(link[2]), attributes))
    return found


@pytest.fixture(scope="module")
def saved(life: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows of an account, with addresses where the generator puts none."""
    tables: dict[str, list[dict[str, Any]]] = {name: list(rows.values()) for name, rows in rows_of(life).items()}
    for name in TABLES:
        tables[name] = [
            {**row, "id": f"{row['id']}-{n}", "originalUrl": f"https://example.org/{name}/{row['id']}/{n}"}
            for row in tables[name]
            for n in range(5)
        ]
    return write_archive(tmp_path_factory.mktemp("saved") / "a.mana", tables)


def test_every_row_with_an_address_is_there(saved: Path, tmp_path: Path) -> None:
    result = convert(saved, tmp_path / "out", language="de")
    found = as_firefox(tmp_path / "out")
    assert found == as_chrome(tmp_path / "out")
    rows = rows_of(saved)
    wanted = {row["originalUrl"] for table in TABLES for row in rows[table].values()}
    assert {bookmark.attributes["HREF"] for bookmark in found} == wanted
    assert len(found) == len(wanted) >= 15
    assert "noAddress" not in result.left_out.to_json()
    assert {bookmark.folder[0] for bookmark in found} == {"Artikel", "Gemerkte Nachrichten", "Kurzlinks"}


def test_the_same_archive_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    convert(saved, tmp_path / "a")
    convert(saved, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_folders_times_tags_and_words(tmp_path: Path) -> None:
    tables: Tables = {
        "globalTags": [{"id": "t", "name": "garden, wild"}, {"id": "u", "name": "bees"}],
        "articleTags": [{"id": "1", "articleId": "a", "tagId": "t"}, {"id": "2", "articleId": "a", "tagId": "u"}],
        "articles": [
            {
                "id": "a",
                "title": "Beds",
                "originalUrl": "https://example.org/a?b=1&c=2",
                "savedAt": "2026-05-01T10:00:00.000Z",
                "status": "unread",
                "userNote": "for\nspring",
                "excerpt": "How to",
                "author": "Ada",
            },
            {"id": "b", "originalUrl": "example.org/b", "savedAt": "2026-04-01T10:00:00.000Z", "status": "unread"},
        ],
        "newsCategories": [
            {"id": "k2", "name": "Second", "sortOrder": 2},
            {"id": "k1", "name": "First", "sortOrder": 1, "color": "#ff0000"},
        ],
        "newsArticles": [
            {"id": "n", "title": "Loose", "originalUrl": "http://example.org/n", "categoryId": "gone"},
            {"id": "m", "title": "Held", "originalUrl": "http://example.org/m", "categoryId": "k2"},
        ],
    }
    out, left_out = made(tmp_path, tables)
    found = as_firefox(out)
    assert found == as_chrome(out)
    assert [(bookmark.folder, bookmark.title) for bookmark in found] == [
        (("Articles", "Unread"), "https://example.org/b"),
        (("Articles", "Unread"), "Beds"),
        (("Saved news",), "Loose"),
        (("Saved news", "Second"), "Held"),
    ]
    assert found[1].attributes == {
        "HREF": "https://example.org/a?b=1&c=2",
        "ADD_DATE": "1777629600",
        "LAST_MODIFIED": "1769940000",
        "TAGS": "garden wild,bees",
        "TOREAD": "1",
    }
    assert found[2].attributes["ADD_DATE"] == "1767261600"
    text = out.read_text("utf-8")
    assert "<DD>for\nspring\nHow to\n" in text
    assert ">First</H3>" in text
    assert left_out == {
        "dangling": {"newsArticles": 1},
        "noField": {"articles": 1, "newsCategories": 1},
        "otherTable": {"articleTags": 2, "globalTags": 2},
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_words_break_nothing(tmp_path: Path, name: str) -> None:
    tables: Tables = {
        "globalTags": [{"id": "t", "name": name}],
        "linkTags": [],
        "uloadTags": [{"id": "t", "name": name}],
        "uloadFolders": [{"id": "f", "name": name}],
        "links": [
            {"id": "a", "title": name, "originalUrl": f"https://example.org/{name}", "folderId": "f"},
            {"id": "b", "title": name, "originalUrl": "https://example.org/b", "description": name},
        ],
    }
    out, _ = made(tmp_path, tables)
    found = as_firefox(out)
    assert [(len(bookmark.folder), list(bookmark.attributes)) for bookmark in found] == [
        (1, ["HREF", "ADD_DATE", "LAST_MODIFIED"]),
        (2, ["HREF", "ADD_DATE", "LAST_MODIFIED"]),
    ]
    assert found == as_chrome(out)
    seen = " ".join(re.sub("[\0\u202e\ud83d]", "\ufffd", name).split())
    assert {bookmark.title for bookmark in found} == {seen}


def test_what_is_no_address_of_the_web_is_counted(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": f"{n}", "originalUrl": address}
        for n, address in enumerate(
            ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "", None, 7, "http://["]
        )
    ]
    out, left_out = made(tmp_path, {"links": rows})
    assert as_firefox(out) == []
    assert left_out == {"noAddress": {"links": len(rows)}}


@given(st.text() | st.text().map("https://example.org/".__add__) | st.text().map("java\nscript:".__add__))
def test_an_address_is_one_line_of_the_web(text: str) -> None:
    found = web_address(text)
    if found is not None:
        assert re.match("(https?|ftp)://", found, re.IGNORECASE)
        assert not re.search('["<>\x00-\x20\x7f]', found)
        assert web_address(found) == found
    elif text.startswith("https://example.org/"):
        pytest.fail("lost")


TEXTS = st.text(st.characters(codec=None), max_size=12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from(["f", "g", "gone", None])), max_size=6))
def test_no_link_gets_lost(tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str, str | None]]) -> None:
    tables: Tables = {
        "uloadFolders": [{"id": "f", "name": "F"}, {"id": "g", "name": "<G>"}],
        "links": [
            {
                "id": f"{n}",
                "title": title,
                "originalUrl": f"https://example.org/{n}",
                "description": said,
                "folderId": of,
            }
            for n, (title, said, of) in enumerate(drawn)
        ],
    }
    out, _ = made(tmp_path_factory.mktemp("bookmarks"), tables)
    found = as_firefox(out)
    assert found == as_chrome(out)
    names = {"f": ("Short links", "F"), "g": ("Short links", "<G>")}
    assert {(bookmark.attributes["HREF"], bookmark.folder) for bookmark in found} == {
        (f"https://example.org/{n}", names.get(of or "", ("Short links",))) for n, (_, _, of) in enumerate(drawn)
    }
    assert len(found) == len(drawn)


def test_feeds_are_opml(tmp_path: Path) -> None:
    feeds: list[Any] = [
        {
            "id": "1",
            "url": "https://example.org/rss?a&b",
            "title": 'A "b" <c>\n\0',
            "topic": "tech",
            "pinnedAt": 1777629600000,
        },
        {"id": "2", "url": "https://example.org/two", "title": None, "topic": None},
        {"id": "3", "url": "javascript:alert(1)", "title": "Not one"},
        "nothing",
    ]
    tables: Tables = {"newsPreferences": [{"id": "p", "customFeeds": feeds, "selectedTopics": ["tech"]}]}
    source = write_archive(tmp_path / "a.mana", tables)
    result = convert_to(source, "opml", tmp_path / "out", options=ConvertOptions(language="de"))
    text, left_out = (tmp_path / "out").read_bytes(), result.left_out.to_json()
    told = listparser.parse(text)
    assert not told.bozo
    assert [(feed.url, feed.title) for feed in told.feeds] == [
        ("https://example.org/two", "https://example.org/two"),
        ("https://example.org/rss?a&b", 'A "b" <c> \ufffd'),
    ]
    assert told.meta.title == "Mana"
    tree = ET.fromstring(text)
    (topic,) = tree.findall("./body/outline[outline]")
    assert topic.get("text") == "Tech"
    assert topic[0].get("created") == "Fri, 01 May 2026 10:00:00 GMT"
    assert tree.findtext("./head/dateCreated") == "Fri, 01 May 2026 12:00:00 GMT"
    assert left_out == {
        "altered": {"newsPreferences": 1},
        "noAddress": {"newsPreferences": 2},
        "noField": {"newsPreferences": 1},
    }
