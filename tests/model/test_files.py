"""References to files: every kind that a row may hold, found in any text, and never an error."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.model.files import (
    Leads,
    image_target,
    inline_file,
    inline_files,
    may_refer,
    media_ids,
    references,
)
from manabackup.text import jsontext
from manabackup.text.jsontext import JSON

ID = "7c1d6f0e-3b52-4c1a-9d0e-5a2b8c4f1e90"
URL = f"https://media.example.org/api/v1/media/{ID}/file"
PIXEL = b"\x89PNG invented"
DATA = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
PIXEL_SHA256 = hashlib.sha256(PIXEL).hexdigest()
KEY = "users/kQ7x/3babd4c5-b61d-4761-80cd-b892516f0f96.pdf"
SONG = "users/kQ7x/songs/c120f07a/Lied 1 (Ä).mp3"


def found(table: str, values: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.field, one.leads.value, one.target) for one in references(table, values)]


@pytest.mark.parametrize(
    ("table", "values", "expected"),
    [
        ("images", {"storagePath": ID.upper()}, [("storagePath", "id", ID)]),
        ("images", {"storagePath": URL}, [("storagePath", "media", ID)]),
        (
            "images",
            {"storagePath": "inline-1777412345678-0", "publicUrl": DATA},
            [("publicUrl", "inline", PIXEL_SHA256)],
        ),
        (
            "images",
            {"storagePath": "https://maker.example/out-0.png"},
            [("storagePath", "foreign", "https://maker.example/out-0.png")],
        ),
        ("images", {"referenceImageIds": [ID, ID]}, [("referenceImageIds[]", "id", ID)]),
        ("contacts", {"photoUrl": f"{URL}/thumb"}, [("photoUrl", "media", ID)]),
        ("albumItems", {"mediaId": ID}, [("mediaId", "id", ID)]),
        ("boardItems", {"imageId": ID}, [("imageId", "image", ID)]),
        ("comicCharacters", {"variantMediaIds": [ID]}, [("variantMediaIds[]", "image", ID)]),
        ("comicStories", {"characterMediaIds": [ID]}, [("characterMediaIds[]", "id", ID)]),
        ("wardrobeOutfits", {"lastTryOn": {"imageUrl": DATA}}, [("lastTryOn.imageUrl", "inline", PIXEL_SHA256)]),
        (
            "workbenchScenes",
            {
                "wallpaper": {
                    "source": {"type": "upload", "mediaId": ID, "url": f"http://old:3011/x/api/v1/media/{ID}/file"}
                }
            },
            [("wallpaper.source.mediaId", "id", ID), ("wallpaper.source.url", "media", ID)],
        ),
        ("files", {"storagePath": KEY, "storageKey": ID}, [("storagePath", "storage", KEY), ("storageKey", "id", ID)]),
        ("files", {"storagePath": f"https://storage-files.mana.how/{KEY}"}, [("storagePath", "storage", KEY)]),
        ("files", {"storagePath": f"https://minio.mana.how/storage-storage/{KEY}"}, [("storagePath", "storage", KEY)]),
        ("songs", {"storagePath": SONG}, [("storagePath", "music", SONG)]),
        ("songs", {"coverArtPath": ID}, [("coverArtPath", "id", ID)]),
        ("mukkePlaylists", {"coverArtPath": "users/x/cover.jpg"}, [("coverArtPath", "music", "users/x/cover.jpg")]),
        ("websiteBlocks", {"type": "image", "props": {"url": f"{URL}/large"}}, [("props.url", "media", ID)]),
        ("websiteBlocks", {"type": "button", "props": {"url": "https://shop.example/"}}, []),
        (
            "websiteBlocks",
            {"type": "gallery", "props": {"images": [{"url": URL}, {"url": "https://x.example/a.png"}]}},
            [("props.images[].url", "media", ID), ("props.images[].url", "foreign", "https://x.example/a.png")],
        ),
        (
            "broadcastTemplates",
            {"content": {"html": f"<p><IMG alt='a' src='{URL}/large'><img src=https://x.example/p?a=1&amp;b=2></p>"}},
            [("content.html", "media", ID), ("content.html", "foreign", "https://x.example/p?a=1&b=2")],
        ),
        (
            "broadcastCampaigns",
            {"content": {"tiptap": {"type": "doc", "content": [{"type": "image", "attrs": {"src": URL}}]}}},
            [("content.tiptap", "media", ID)],
        ),
        ("articles", {"htmlContent": "<img src='/relative.png'>", "imageUrl": None}, []),
        ("agents", {"avatar": "🦊"}, []),
        ("memos", {"source": {"audioPath": "old/audio.m4a"}}, [("source.audioPath", "unresolved", "old/audio.m4a")]),
        ("albumItems", {"mediaId": "not an id"}, [("mediaId", "unresolved", "not an id")]),
        ("notes", {"content": f"Siehe {URL}?x=1 und {URL}"}, [("content", "media", ID)]),
        ("app.unknown", {"deep": [{"er": f"<img src={URL}>"}]}, [("deep", "media", ID)]),
    ],
)
def test_a_reference_leads_where_the_value_says(
    table: str, values: dict[str, JSON], expected: list[tuple[str, str, str]]
) -> None:
    assert found(table, values) == expected
    if expected:
        assert may_refer(table, jsontext.dumps(values))


def test_a_row_tells_the_size_of_an_object_and_not_that_of_a_medium() -> None:
    (song,) = references("songs", {"storagePath": SONG, "fileSize": 3003})
    assert song.size == 3003
    file, medium = references("files", {"storagePath": KEY, "storageKey": ID, "size": 191})
    assert (file.size, medium.size) == (191, None)


def test_an_image_leads_to_its_storage_path_then_to_its_public_url() -> None:
    assert image_target({"storagePath": ID, "publicUrl": DATA}) == ("storagePath", Leads.MEDIA, ID, None)
    inline = image_target({"storagePath": "inline-1-0", "publicUrl": DATA})
    assert inline is not None
    assert inline[1:3] == (Leads.INLINE, PIXEL_SHA256)
    maker = image_target({"storagePath": "https://maker.example/a.png", "publicUrl": URL})
    assert maker is not None
    assert maker.target == ID
    assert image_target({"storagePath": "https://maker.example/a.png"}) is not None
    assert image_target({}) is None


def test_an_inline_file_is_decoded_whatever_way_it_is_written() -> None:
    assert inline_file(DATA) == (PIXEL_SHA256, "image/png", PIXEL)
    assert inline_file("data:,a%20b") == (hashlib.sha256(b"a b").hexdigest(), "text/plain", b"a b")
    unpadded = inline_file("data:image/png;charset=x;base64,aGk")
    assert unpadded is not None
    assert unpadded.content == b"hi"
    assert inline_file("data:image/png;base64,%%%") is None
    assert inline_file("data:nothing") is None
    (file,) = inline_files("images", {"publicUrl": DATA})
    assert file.content == PIXEL


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), JSONS), st.lists(st.text() | st.integers()), st.uuids())
def test_an_address_is_found_however_deep_it_stands(values: dict[str, JSON], path: list[str | int], uuid: Any) -> None:
    """Upstream's own scan for orphans walks all strings; so does this one."""
    value: JSON = f"…{'https://old.example'}/pre/api/v1/media/{str(uuid).upper()}/file/medium…"
    for step in path:
        value = [value] if isinstance(step, int) else {step: value}
    assert str(uuid) in set(media_ids(value))
    row = {**values, "x": value}
    assert ("x", "media", str(uuid)) in found("app.unknown", row)
    assert may_refer("app.unknown", jsontext.dumps(row))


TABLES = st.sampled_from(
    ("images", "songs", "files", "websiteBlocks", "broadcastTemplates", "contacts", "comicStories")
)
PATHS = ("storagePath", "publicUrl", "photoUrl", "content", "props", "type", "coverArtPath", "referenceImageIds")


@given(TABLES, st.dictionaries(st.sampled_from(PATHS), JSONS | st.text().map("data:{}".format) | st.just(URL)))
def test_no_row_makes_an_error_and_all_that_is_inline_is_decoded(table: str, values: dict[str, JSON]) -> None:
    inline = {one.target for one in references(table, values) if one.leads is Leads.INLINE}
    assert inline == {file.sha256 for file in inline_files(table, values)}


SPELLED = (
    lambda text: text,
    lambda text: text.replace(b"/", b"\\/"),
    lambda text: text.replace(b"/", b"\\u002f"),
    lambda text: text.replace(b"/api", b"/\\u0061pi"),
    lambda text: text.replace(b"media/", b"\\u006Dedia/"),
)
"""Ways in which JSON may write the same text inside of a member; names of members are as this program writes them."""


@given(
    TABLES,
    st.dictionaries(st.sampled_from((*PATHS, "else")), JSONS | st.just(URL) | st.just([{"src": URL}])),
    st.data(),
)
def test_no_row_that_refers_to_a_file_is_passed_over(table: str, values: dict[str, JSON], data: st.DataObject) -> None:
    if any(True for _ in references(table, values)):
        spelled = data.draw(st.sampled_from(SPELLED))
        assert may_refer(table, spelled(jsontext.dumps(values)))


def test_a_row_whose_fields_of_files_are_empty_is_passed_over() -> None:
    for values in ({}, {"photoUrl": None}, {"firstName": 'a "photoUrl": b\n\\'}):
        assert not may_refer("contacts", jsontext.dumps(values))
