"""Rows led to where their files are now: each reference to its image, and nothing else changed."""

from __future__ import annotations

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.model.file_moves import FileMoves, moved
from manabackup.model.files import Leads, references

OLD, OTHER = "7c1d6f0e-3b52-4c1a-9d0e-5a2b8c4f1e90", "11111111-2222-4333-8444-555555555555"
NEW = "99999999-aaaa-4bbb-8ccc-dddddddddddd"
HERE = "https://media.new.example"
MOVES = FileMoves({OLD: NEW}, HERE)
KEY, SONG, NEW_KEY = "users/a/1.pdf", "users/a/songs/1/Lied 1 (Ä).mp3", "users/b/2.pdf"
NEW_SONG = "users/b/songs/2/Lied 1 (Ä).mp3"
KEYS = FileMoves({OLD: NEW}, HERE, keys={f"storage:{KEY}": NEW_KEY, f"music:{SONG}": NEW_SONG})
NOW = f"{HERE}/api/v1/media/{NEW}/file"


def url(identifier: str = OLD, host: str = "http://localhost:3015", rest: str = "/file") -> str:
    return f"{host}/api/v1/media/{identifier}{rest}"


@pytest.mark.parametrize(
    ("table", "values", "expected"),
    [
        ("images", {"storagePath": OLD.upper(), "publicUrl": url()}, {"storagePath": NEW, "publicUrl": NOW}),
        ("images", {"referenceImageIds": [OTHER, OLD, None]}, {"referenceImageIds": [OTHER, NEW, None]}),
        ("contacts", {"photoUrl": url(rest="/file/thumb")}, {"photoUrl": f"{NOW}/thumb"}),
        ("contacts", {"photoUrl": url(host="https://old.example.net/files")}, {"photoUrl": NOW}),
        ("contacts", {"photoUrl": url(host="")}, {"photoUrl": f"/api/v1/media/{NEW}/file"}),
        ("boardItems", {"imageId": OLD}, {}),
        ("comicCharacters", {"variantMediaIds": [OLD], "sourceFaceMediaId": OLD}, {"sourceFaceMediaId": NEW}),
        ("notes", {"title": OLD}, {}),
        (
            "workbenchScenes",
            {"wallpaper": {"fit": "cover", "source": {"type": "upload", "mediaId": OLD, "url": url()}}},
            {"wallpaper": {"fit": "cover", "source": {"type": "upload", "mediaId": NEW, "url": NOW}}},
        ),
        (
            "websiteBlocks",
            {"type": "gallery", "props": {"images": [{"url": url()}, {"url": "https://x.example/a.png"}]}},
            {"props": {"images": [{"url": NOW}, {"url": "https://x.example/a.png"}]}},
        ),
        (
            "broadcastCampaigns",
            {
                "content": {
                    "html": f'<p>{url()} <img alt="" src="{html.escape(url()).replace("/api", "&#47;api")}?a&amp;b">'
                }
            },
            {"content": {"html": f'<p>{NOW} <img alt="" src="{NOW.replace("/media/", "&#47;media/")}?a&amp;b">'}},
        ),
        (
            "broadcastCampaigns",
            {"content": {"tiptap": {"type": "doc", "content": [{"type": "image", "attrs": {"src": url()}}]}}},
            {"content": {"tiptap": {"type": "doc", "content": [{"type": "image", "attrs": {"src": NOW}}]}}},
        ),
        (
            "articles",
            {"content": f"see https://a.example/?u={url()}, ({url(rest='/transform?w=9')})"},
            {"content": f"see https://a.example/?u={NOW}, ({HERE}/api/v1/media/{NEW}/transform?w=9)"},
        ),
    ],
)
def test_what_leads_to_a_moved_file_leads_to_where_it_is(
    table: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert moved(table, values, MOVES).values == expected


@pytest.mark.parametrize(
    ("table", "values", "expected"),
    [
        ("files", {"storagePath": KEY, "storageKey": f" {KEY}"}, {"storagePath": NEW_KEY, "storageKey": NEW_KEY}),
        ("files", {"storagePath": f"https://minio.mana.how/storage-storage/{KEY}"}, {"storagePath": NEW_KEY}),
        ("files", {"storagePath": OLD, "thumbnailPath": KEY}, {"storagePath": NEW, "thumbnailPath": NEW_KEY}),
        ("songs", {"storagePath": SONG, "coverArtPath": OLD}, {"storagePath": NEW_SONG, "coverArtPath": NEW}),
        ("songs", {"storagePath": KEY}, {}),
        ("files", {"storagePath": SONG, "name": KEY}, {}),
        ("images", {"storagePath": f"https://minio.mana.how/storage-storage/{KEY}"}, {}),
        ("notes", {"title": KEY, "content": f"see {KEY}"}, {}),
    ],
)
def test_what_leads_to_a_moved_object_leads_to_its_new_key(
    table: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = moved(table, values, KEYS)
    assert found.values == expected
    assert bool(found.ids) == bool(expected)


def test_an_object_may_have_become_a_file_of_the_media_service() -> None:
    moves = FileMoves({}, HERE, keys={f"storage:{KEY}": NEW, f"music:{SONG}": NEW})
    assert moved("files", {"storagePath": KEY}, moves).values == {"storagePath": NEW}
    assert moved("songs", {"coverArtPath": SONG}, moves).values == {"coverArtPath": NEW}


def test_an_id_that_is_a_row_of_images_is_left_to_that_row() -> None:
    moves = FileMoves({OLD: NEW}, HERE, frozenset({OLD}))
    assert moved("comicStories", {"characterMediaIds": [OLD]}, moves) == ({}, frozenset())
    assert moved("images", {"storagePath": OLD}, moves).values == {"storagePath": NEW}


def test_deep_values_are_no_trouble() -> None:
    value: Any = url()
    for _ in range(5_000):
        value = [value]
    found: Any = moved("notes", {"content": value}, MOVES).values["content"]
    while isinstance(found, list):
        (found,) = found
    assert found == NOW


IDS = st.sampled_from([OLD, OTHER, OLD.upper(), "0" * 8 + OLD[8:]])
URLS = st.builds(
    lambda host, identifier, rest: f"{host}/api/v1/media/{identifier}{rest}",
    st.sampled_from(["", "http://a.example", "https://b.example/c/d", "https://x.example/?u=http://y"]),
    IDS,
    st.sampled_from(["/file", "/file/thumb", "/transform?w=3", "/files", "/file_", ""]),
)
PICTURES = st.builds(
    lambda text, quote: f"<img src={quote}{text}{quote}>",
    st.one_of(URLS, URLS.map(html.escape), URLS.map(lambda text: text.replace("/", "&#47;"))),
    st.sampled_from(["'", '"', ""]),
)
OBJECTS = st.sampled_from([KEY, SONG, f"https://minio.mana.how/storage-storage/{KEY}", f"users/{KEY}"])
TEXTS = st.one_of(IDS, URLS, OBJECTS, st.lists(st.one_of(URLS, PICTURES, st.text(max_size=4)), max_size=4).map("".join))
VALUES = st.recursive(
    st.one_of(TEXTS, st.none(), st.integers()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.fixed_dictionaries({"type": st.just("image"), "attrs": st.fixed_dictionaries({"src": TEXTS})}),
        st.dictionaries(st.sampled_from(["html", "source", "mediaId", "url", "images", "imageUrl"]), inner, max_size=3),
    ),
    max_leaves=6,
)
ROWS = st.tuples(
    st.sampled_from(
        ["images", "comicStories", "workbenchScenes", "websiteBlocks", "broadcastCampaigns", "files", "songs", "notes"]
    ),
    st.dictionaries(
        st.sampled_from(
            [
                "storagePath",
                "publicUrl",
                "characterMediaIds",
                "wallpaper",
                "props",
                "content",
                "storageKey",
                "coverArtPath",
                "title",
            ]
        ),
        VALUES,
    ),
    st.sampled_from(["image", "gallery", "button"]),
)


def leads(table: str, values: dict[str, Any]) -> set[tuple[str, Leads, str]]:
    return {found[:3] for found in references(table, values) if found.leads is not Leads.INLINE}


def image(table: str, found: tuple[str, Leads, str], moves: FileMoves) -> tuple[str, Leads, str]:
    field, kind, target = found
    led = moves.keys.get(f"{kind.value}:{target}")
    if led is not None and table in ("files", "songs"):  # elsewhere no field holds a key
        return field, Leads.ID if led == NEW else kind, led
    of_row = kind is Leads.ID and table != "images" and target in moves.image_rows
    if kind not in (Leads.MEDIA, Leads.ID) or of_row:
        return found
    return field, kind, moves.ids.get(target, target)


@given(ROWS)
def test_without_moves_a_row_stays_as_it_is(row: tuple[str, dict[str, Any], str]) -> None:
    table, values, kind = row
    assert moved(table, {**values, "type": kind}, FileMoves({}, HERE)) == ({}, frozenset())
    assert moved(table, {**values, "type": kind}, FileMoves({OLD: OLD}, HERE)).values == {}


@given(ROWS, st.booleans(), st.booleans())
def test_references_afterwards_are_the_images_of_those_before(
    row: tuple[str, dict[str, Any], str], several: bool, of_images: bool
) -> None:
    table, values, kind = row
    values = {**values, "type": kind}
    moves = FileMoves(
        {OLD: NEW, **({OTHER: OLD} if several else {})},
        HERE,
        frozenset({OLD}) if of_images else frozenset(),
        {f"storage:{KEY}": NEW if several else NEW_KEY, f"music:{SONG}": NEW_SONG},
    )
    before = leads(table, values)
    found = moved(table, values, moves)
    assert leads(table, {**values, **found.values}) == {image(table, one, moves) for one in before}
    assert all(found.values[name] != values[name] for name in found.values)
    assert not found.values.keys() - values.keys()
