"""Which files a row refers to: every reference in its values, and what each leads to.

Where references stand is known from ``formats/modules.json`` (``binary``); addresses of the media service are found in
any text besides, also inside HTML and TipTap. What a value is follows from its form alone (``formats/modules.md``,
"Files"): nobody asks a server here, and no value makes an error.
"""

from __future__ import annotations

import binascii
import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import pybase64

from ..text.jsontext import JSON
from . import modules
from .tables import FileField
from .values import values_at


class Leads(StrEnum):
    """What a reference leads to."""

    MEDIA = "media"
    """A file of the media service; the target is its id."""
    ID = "id"
    """The row of ``images`` with this id where there is one, else a file of the media service."""
    IMAGE = "image"
    """The row of ``images`` with this id, and nothing else."""
    STORAGE = "storage"
    """An object in the bucket of files; the target is its key."""
    MUSIC = "music"
    """The same in the bucket of songs."""
    INLINE = "inline"
    """The value is the file itself; the target is the SHA-256 of its bytes."""
    FOREIGN = "foreign"
    """An address that is none of Mana's."""
    UNRESOLVED = "unresolved"
    """Something that ought to lead to a file, in a form that nobody knows."""


MANAS = frozenset((Leads.MEDIA, Leads.ID, Leads.IMAGE, Leads.STORAGE, Leads.MUSIC, Leads.UNRESOLVED))
"""What counts as a reference: what stands in the row is there anyway, and what is somebody else's is not Mana's."""


class Reference(NamedTuple):
    """One place in a row that leads to a file."""

    field: str
    """The path of the field as the description of the table writes it, else the name of the row's member."""
    leads: Leads
    target: str
    size: int | None = None
    """Bytes of the file, where the row is known to tell them truly."""


class InlineFile(NamedTuple):
    """A file that stands in a row as a whole."""

    sha256: str
    type: str
    content: bytes


IMAGES = "images"
"""The table whose rows other rows refer to in place of files."""
_STORAGE_BUCKET, _MUSIC_BUCKET = "storage-storage", "music-storage"
_STORAGE_HOST, _OBJECT_HOST = "storage-files.mana.how", "minio.mana.how"
_UUID_TEXT = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
MEDIA_ID = re.compile(_UUID_TEXT)
MEDIA_ADDRESS = re.compile(f"/api/v1/media/({_UUID_TEXT})/(?:file|transform)(?![A-Za-z0-9_-])")
PICTURE_SOURCE = re.compile(r"""<img\b[^>]{0,4000}?\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_MEDIA_MARK = b"/api/v1/media/"
_SPELLED = re.compile(rb"\\(?:/|u00)")
"""JSON may spell any character of an address by its number, and the slash in a way of its own. As two searches for
plain bytes this takes four times as long."""
KEY_KINDS = {
    "s3-music": Leads.MUSIC,
    "mediaId-or-s3-music": Leads.MUSIC,
    "s3-storage": Leads.STORAGE,
    "mediaId-or-s3-storage": Leads.STORAGE,
}
"""Kinds of fields that may hold the key of an object."""
IN_TEXT = "url-in-text"
IMAGE_BLOCKS = ("image", "gallery")
_DATA = "data:"
_WEB = ("http://", "https://")


def may_refer(table: str, line: bytes) -> bool:
    """Whether a row of a table, given as its line, is worth to be parsed for references.

    The line's members are written by this program: without blanks, and their names as they are.
    """
    return (
        _has_one_of(_members(table), line)
        or (b"/" in line and _MEDIA_MARK in line)  # most prose has no slash, which is sooner known
        or _SPELLED.search(line) is not None
    )


def _has_one_of(members: tuple[bytes, ...], line: bytes) -> bool:
    """Whether one of some members is there, and something in it."""
    for member in members:
        at = line.find(member)
        while at >= 0:
            at += len(member)
            if line[at : at + 4] != b"null":
                return True
            at = line.find(member, at)
    return False


@cache
def _members(table: str) -> tuple[bytes, ...]:
    """What stands in a row's line before the fields that lead to files."""
    names = dict.fromkeys(field.path.partition(".")[0].removesuffix("[]") for field in file_fields(table))
    return tuple(f'"{name}":'.encode() for name in names)


def references(table: str, values: Mapping[str, JSON]) -> Iterator[Reference]:
    """Every reference of a row, each place once for each target."""
    seen: set[tuple[str, Leads, str]] = set()
    for found in _all(table, values):
        if found[:3] not in seen:
            seen.add(found[:3])
            yield found


def inline_files(table: str, values: Mapping[str, JSON]) -> Iterator[InlineFile]:
    """The files that stand in a row as a whole."""
    for field in file_fields(table):
        for value in values_at(values, field.path):
            texts = _sources(value) if field.kind == IN_TEXT else [value]
            for text in texts:
                found = inline_file(text) if isinstance(text, str) and text.startswith(_DATA) else None
                if found is not None:
                    yield found


def image_target(values: Mapping[str, JSON]) -> Reference | None:
    """The file of a row of ``images``: what its ``storagePath`` leads to, else its ``publicUrl``."""
    foreign: Reference | None = None
    for name in ("storagePath", "publicUrl"):
        value = values.get(name)
        found = reference(FileField(name, "mediaId-or-url", None), value) if isinstance(value, str) else None
        if found is None or found.leads is Leads.UNRESOLVED:
            continue
        if found.leads is not Leads.FOREIGN:
            # An id in a row of images is never that of another one.
            return found._replace(leads=Leads.MEDIA) if found.leads is Leads.ID else found
        foreign = foreign or found
    return foreign


def media_ids(value: JSON) -> Iterator[str]:
    """Ids of the media service in all addresses that stand anywhere inside a value, in lower case."""
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, str):
            if "/media/" in here:
                for match in MEDIA_ADDRESS.finditer(here):
                    yield match[1].lower()
        elif isinstance(here, dict):
            waiting += reversed(here.values())
        elif isinstance(here, list):
            waiting += reversed(here)


def inline_file(url: str) -> InlineFile | None:
    """The file in a ``data:`` URL (RFC 2397); None where it is broken."""
    head, comma, body = url[len(_DATA) :].partition(",")
    if not comma:
        return None
    kind, *parameters = head.split(";")
    try:
        if parameters and parameters[-1].strip().lower() == "base64":
            text = unquote(body).translate(_BLANKS).rstrip("=")
            content = pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        else:
            content = unquote_to_bytes(body)
    except (binascii.Error, ValueError):
        return None
    return InlineFile(hashlib.sha256(content).hexdigest(), kind.strip().lower() or "text/plain", content)


_BLANKS = str.maketrans("", "", " \t\r\n\f")


def _all(table: str, values: Mapping[str, JSON]) -> Iterator[Reference]:
    told: set[tuple[str, str]] = set()
    for field in file_fields(table):
        if table == "websiteBlocks" and values.get("type") not in IMAGE_BLOCKS:
            continue  # the address of a button or of a video is no picture
        for value in values_at(values, field.path):
            for found in _of_field(field, value):
                yield _sized(table, field, found, values)
                if found.leads in (Leads.MEDIA, Leads.ID):
                    told.add((field.path.partition(".")[0].removesuffix("[]"), found.target))
    for name, value in values.items():
        for target in media_ids(value):
            if (name, target) not in told:
                yield Reference(name, Leads.MEDIA, target)


def _of_field(field: FileField, value: JSON) -> Iterator[Reference]:
    if field.kind == IN_TEXT:
        for source in _sources(value):
            found = _address(field.path, source)
            if found is not None and found.leads is not Leads.UNRESOLVED:  # a relative address in somebody's text
                yield found
    elif isinstance(value, str):
        found = reference(field, value)
        if found is not None:
            yield found


def reference(field: FileField, value: str) -> Reference | None:
    """What the value of a field leads to; None where there is no file."""
    text = value.strip()
    if not text or text.startswith("inline-"):
        return None
    found = _address(field.path, text)
    if field.kind == "emoji":
        return found if found is not None and found.leads is not Leads.UNRESOLVED else None
    if field.kind in ("legacy", "unknown"):
        return found or Reference(field.path, Leads.UNRESOLVED, text)
    if found is not None:
        return found
    if MEDIA_ID.fullmatch(text):
        return Reference(field.path, Leads.IMAGE if field.kind == "fk-images" else Leads.ID, text.lower())
    key = KEY_KINDS.get(field.kind)
    if key is not None and "/" in text:
        return Reference(field.path, key, text)
    if field.kind == "fk-images":
        return Reference(field.path, Leads.IMAGE, text)
    return Reference(field.path, Leads.UNRESOLVED, text)


def _address(path: str, text: str) -> Reference | None:
    """What a URL leads to; None for what is no URL."""
    if text[: len(_DATA)].lower() == _DATA:
        found = inline_file(_DATA + text[len(_DATA) :])
        return (
            Reference(path, Leads.UNRESOLVED, _DATA) if found is None else Reference(path, Leads.INLINE, found.sha256)
        )
    match = MEDIA_ADDRESS.search(text)
    if match is not None:
        return Reference(path, Leads.MEDIA, match[1].lower())
    if not text.lower().startswith(_WEB):
        return None
    try:
        parts = urlsplit(text)
        host, key = parts.hostname, unquote(parts.path).lstrip("/")
    except ValueError:
        return Reference(path, Leads.UNRESOLVED, text)
    if not host:
        return Reference(path, Leads.UNRESOLVED, text)
    if host == _STORAGE_HOST and key:
        return Reference(path, Leads.STORAGE, key)
    if host == _OBJECT_HOST:
        bucket, _, key = key.partition("/")
        leads = {_STORAGE_BUCKET: Leads.STORAGE, _MUSIC_BUCKET: Leads.MUSIC}.get(bucket)
        return Reference(path, leads, key) if leads and key else Reference(path, Leads.UNRESOLVED, text)
    return Reference(path, Leads.FOREIGN, text)


def _sources(value: JSON) -> Iterator[str]:
    """The addresses of pictures in HTML, or in a TipTap document."""
    if isinstance(value, str):
        for match in PICTURE_SOURCE.finditer(value):
            yield html.unescape(match[1] or match[2] or match[3] or "").strip()
        return
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            waiting += reversed(here)
        elif isinstance(here, dict):
            attributes = here.get("attrs")
            source = attributes.get("src") if here.get("type") == "image" and isinstance(attributes, dict) else None
            if isinstance(source, str):
                yield source.strip()
            waiting += reversed(here.values())


_SIZES = {("songs", "storagePath"): "fileSize", ("files", "storagePath"): "size", ("files", "storageKey"): "size"}


def _sized(table: str, field: FileField, found: Reference, values: Mapping[str, JSON]) -> Reference:
    """Of objects in buckets the row tells the size; of media it tells that of what was uploaded, before it was
    converted."""
    size = values.get(_SIZES.get((table, field.path), ""))
    is_object = found.leads in (Leads.STORAGE, Leads.MUSIC)
    return found._replace(size=size) if is_object and type(size) is int and size > 0 else found


def file_fields(table: str) -> tuple[FileField, ...]:
    model = modules.load().table(table)
    return () if model is None else model.files
