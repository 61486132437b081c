"""Files beside the pages of ``markdown``: every link to one leads to it, by a CommonMark parser that is not ours."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import manabackup
from manabackup import Mirror, Plan, Sandbox, StaticToken
from manabackup.conversion.options import ConvertOptions
from manabackup.operations.archives.readable import Converted, convert_to
from manabackup.operations.archives.verify import verify
from manabackup.rows.blobs import indexed_files
from manabackup.sandbox.illustrated import FilePlan, illustrate
from manabackup.sandbox.population import populate
from tests.support.handmade import file_line, index_of, ours
from tests.support.zips import build

PARSER = MarkdownIt("commonmark")
ONE, TWO, GONE = (f"{number}c1d6f0e-3b52-4c1a-9d0e-5a2b8c4f1e90" for number in (1, 2, 3))
FIRST, SECOND, INLINE = b"\x89PNG first", b"\xff\xd8\xff second", b"\x89PNG in the row"
DATA = f"data:image/png;base64,{base64.b64encode(INLINE).decode()}"


Tables = Mapping[str, list[dict[str, Any]]]


def url(identifier: str) -> str:
    return f"http://localhost:3015/api/v1/media/{identifier}/file/large"


def archive(path: Path, tables: Tables, files: list[dict[str, Any]], *own: bytes) -> Path:
    """An archive of these rows and of the files ``own``; ``files`` are the lines of its index."""
    present = sorted((line for line in files if "sha256" in line), key=lambda line: str(line["sha256"]))
    index = index_of(*present, *(line for line in files if "lost" in line))
    lines = {
        name: b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        for name, rows in tables.items()
    }
    stated = {
        "count": len(own),
        "bytes": sum(map(len, own)),
        "sha256": hashlib.sha256(index).hexdigest(),
        "references": len(files),
        "leftOut": len(files) - len(own),
    }
    ascending = sorted(own, key=lambda content: hashlib.sha256(content).hexdigest())
    path.write_bytes(build(ours(lines, meta={"blobs": index}, files=ascending, binaryAssets=stated)))
    assert not verify(path).problems
    return path


def at(table: str, identifier: str, field: str) -> dict[str, Any]:
    return {"table": table, "id": identifier, "field": field}


def converted(path: Path, target: Path, **options: Any) -> Converted:
    return convert_to(path, "markdown", target, options=ConvertOptions(language="en", **options))


def images(path: Path) -> Iterator[tuple[str, Path]]:
    """(what it is called, file) of every picture of a page."""
    for token in PARSER.parse(path.read_text("utf-8")):
        for inner in token.children or ():
            if inner.type == "image":
                source = str(inner.attrGet("src"))
                assert ":" not in source
                yield "".join(child.content for child in inner.children or ()), path.parent / unquote(source)


def page(folder: Path, title: str) -> Path:
    (found,) = folder.rglob(f"{title}.md")
    return found


def attachments(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "Attachments").iterdir()}


def test_pictures_stand_where_the_text_has_them(tmp_path: Path) -> None:
    letter = {
        "type": "doc",
        "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": "Before"}]},
            {"type": "image", "attrs": {"src": url(ONE), "alt": "A [view]"}},
            {"type": "paragraph", "content": [{"type": "image", "attrs": {"src": "https://else.example/x.png"}}]},
        ],
    }
    html = f'<h2>Title <img src="{url(TWO)}"></h2><p>A<img alt="b*c" src="{url(ONE)}">B</p><img src="{DATA}">'
    tables: Tables = {
        "articles": [{"id": "a-1", "title": "Saved", "htmlContent": html}],
        "broadcastCampaigns": [{"id": "b-1", "name": "Letter", "subject": "Letter", "content": {"tiptap": letter}}],
        "notes": [{"id": "n-1", "title": "Trip", "content": f"One ![x]({url(ONE)}) and `![x]({url(TWO)})`\n"}],
    }
    files = [
        file_line(
            FIRST,
            ids=[ONE],
            name="IMG 1 (a).PNG",
            rows=[at("notes", "n-1", "content"), at("articles", "a-1", "x"), at("broadcastCampaigns", "b-1", "x")],
        ),
        file_line(SECOND, ids=[TWO], name="../b].jpg", type="image/jpeg", rows=[at("articles", "a-1", "htmlContent")]),
        file_line(INLINE, ids=..., addresses=["data:"], rows=[at("articles", "a-1", "htmlContent")]),
    ]
    path = archive(tmp_path / "a.mana", tables, files, FIRST, SECOND, INLINE)
    done = converted(path, tmp_path / "out")
    assert sorted(attachments(tmp_path / "out").values()) == sorted([FIRST, SECOND, INLINE])
    assert set(attachments(tmp_path / "out")) >= {"IMG 1 (a).PNG", "b].jpg"}
    for name, shown in (("Saved", [SECOND, FIRST, INLINE]), ("Letter", [FIRST])):
        assert [found.read_bytes() for _, found in images(page(tmp_path / "out", name))] == shown
    note = page(tmp_path / "out", "Trip")
    assert [(name, found.read_bytes()) for name, found in images(note)] == [("x", FIRST)]
    assert f"`![x]({url(TWO)})`" in note.read_text()
    assert [name for name, _ in images(page(tmp_path / "out", "Letter"))] == ["A [view]"]
    assert "[x.png](<https://else.example/x.png>)" in page(tmp_path / "out", "Letter").read_text()
    assert not {"file", "notEmbedded"} & done.left_out.to_json().keys()


def test_fields_of_pictures_are_a_list_at_the_end(tmp_path: Path) -> None:
    meal = {
        "id": "m-1",
        "description": "Soup",
        "photoMediaId": ONE,
        "photoUrl": url(ONE),
        "photoThumbnailUrl": url(ONE),
    }
    files = [
        file_line(FIRST, ids=[ONE], rows=[at("meals", "m-1", name) for name in ("photoMediaId", "photoUrl")]),
        file_line(SECOND, ids=[TWO], type="application/pdf", name="Bill.pdf", rows=[at("notes", "n-1", "content")]),
        {"rows": [at("contacts", "c-1", "photoUrl")], "ids": [GONE], "lost": "gone", "reason": "Media not found"},
    ]
    tables = {
        "contacts": [{"id": "c-1", "firstName": "Ida", "photoUrl": url(GONE)}],
        "meals": [meal],
        "notes": [{"id": "n-1", "title": "Paper", "content": "text"}],
    }
    path = archive(tmp_path / "a.mana", tables, files, FIRST, SECOND)
    done = converted(path, tmp_path / "out")
    (meals,) = (found for found in (tmp_path / "out").rglob("*.md") if "Soup" in found.read_text())
    assert [found.read_bytes() for _, found in images(meals)] == [FIRST]
    assert "Pictures and files" in meals.read_text()
    paper = page(tmp_path / "out", "Paper").read_text()
    assert re.search(r"\n\[Bill\.pdf\]\(\S*/Bill\.pdf\)", paper)
    assert url(GONE) in page(tmp_path / "out", "Ida").read_text()
    assert done.left_out.to_json()["notEmbedded"] == {"contacts": 1}


def test_what_no_page_refers_to_is_counted(tmp_path: Path) -> None:
    tables = {
        "albumItems": [{"id": "i-1", "mediaId": ONE}],
        "notes": [
            {"id": "n-1", "title": "Bin", "deletedAt": "2026-01-01T00:00:00.000Z"},
            {"id": "n-2", "title": "Here"},
        ],
    }
    files = [
        file_line(FIRST, ids=[ONE], rows=[at("albumItems", "i-1", "mediaId")]),
        file_line(SECOND, ids=[TWO], rows=[at("notes", "n-1", "content")]),
    ]
    path = archive(tmp_path / "a.mana", tables, files, FIRST, SECOND)
    done = converted(path, tmp_path / "out")
    assert not (tmp_path / "out" / "Attachments").exists()
    assert done.left_out.to_json()["file"] == {"albumItems": 1, "notes": 1}
    everything = convert_to(path, "folder", tmp_path / "all", options=ConvertOptions(language="en"))
    assert "file" not in everything.left_out.to_json()
    by_day = convert_to(path, "files", tmp_path / "days", options=ConvertOptions(language="en"))
    assert not {"file", "notEmbedded"} & by_day.left_out.to_json().keys()


@pytest.mark.parametrize("text", [f"![a]({url(ONE)})", "![a](https://e.org/x.png)", "![a][b]\n\n[b]: https://e.org/x"])
def test_an_archive_without_files_shows_and_loads_nothing(tmp_path: Path, text: str) -> None:
    rows = {"notes": [{"id": "n-1", "title": "Note", "content": text}]}
    stated = {"count": 0, "bytes": 0, "references": 1, "leftOut": 1}
    path = tmp_path / "a.mana"
    lines = {name: b"".join(json.dumps(row).encode() + b"\n" for row in found) for name, found in rows.items()}
    path.write_bytes(build(ours(lines, binaryAssets=stated)))
    done = converted(path, tmp_path / "out")
    assert not list(images(page(tmp_path / "out", "Note")))
    assert done.left_out.to_json().get("notEmbedded") == ({"notes": 1} if ONE in text else None)


@given(
    name=st.text()
    | st.sampled_from(("../../x.png", "a](b).png", "%2e%2e.png", "#?&.png", "a\\.png", "<b>.svg", "CON")),
    label=st.text(),
)
def test_A1_every_name_makes_a_link_that_leads_there(
    tmp_path_factory: pytest.TempPathFactory, name: str, label: str
) -> None:
    root = tmp_path_factory.mktemp("attached")
    node = {"type": "image", "attrs": {"src": url(ONE), "alt": label.encode("utf-8", "replace").decode()}}
    tables = {
        "broadcastCampaigns": [
            {"id": "b-1", "subject": "Letter", "content": {"tiptap": {"type": "doc", "content": [node]}}}
        ]
    }
    rows = [at("broadcastCampaigns", "b-1", "content")]
    called = name.encode("utf-8", "replace").decode()
    path = archive(root / "a.mana", tables, [file_line(FIRST, ids=[ONE], name=called, rows=rows)], FIRST)
    converted(path, root / "out")
    ((_, found),) = images(page(root / "out", "Letter"))
    assert found.resolve().parent == (root / "out" / "Attachments").resolve()
    assert found.read_bytes() == FIRST


def test_every_picture_of_an_account_that_a_page_refers_to_is_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mana"
    with Sandbox() as box:
        account = populate(box.log, box.accounts, Plan(rows=40))
        illustrate(box.log, box.files, account, FilePlan(pictures=12, gone=1, lost=1), media_url=box.media_url)
        export_with_files(box, account.user_id, account.master_key, path)
    for name in ("markdown", "folder"):
        convert_to(path, name, tmp_path / name, options=ConvertOptions(language="en"))
        root = tmp_path / name / ("Texts" if name == "folder" else "")
        files = {found.resolve() for found in (root / "Attachments").iterdir()}
        linked = {found.resolve() for text in root.rglob("*.md") for _, found in images(text)}
        linked |= {found for found in files if found.suffix in (".pdf", ".mp3")}
        assert linked == files
        with manabackup.open_archive(path) as opened:
            there = {file.sha256 for file in indexed_files(opened) if file.sha256 is not None}
        assert {hashlib.sha256(found.read_bytes()).hexdigest() for found in files} <= there
        assert len(files) > 10


def export_with_files(box: Sandbox, user_id: str, master_key: bytes, path: Path) -> None:
    token = StaticToken(box.accounts.issue_token(user_id))
    with (
        manabackup.connect(token, auth_url=box.url, sync_url=box.url) as connection,
        Mirror(path.with_name("mirror.sqlite"), sync_url=box.url, user_id=user_id) as mirror,
    ):
        key = manabackup.unlock(mirror, connection, master_key=master_key)
        manabackup.pull(mirror, connection)
        services = manabackup.file_source(
            path.with_name("files"), key, connection.tokens, media_url=box.media_url, api_url=box.api_url
        )
        with manabackup.export_source(mirror, key, connection) as source, services as files:
            manabackup.export(source, path, files=files)
