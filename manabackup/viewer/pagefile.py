"""Reads pages back: whether their code is one that manabackup writes, and the archive that they carry.

Whoever alters a page gets the passphrase that is typed into it, and a page cannot vouch for itself. What is taken out
before the code is compared can do nothing: it is JSON without a ``<`` that is written one way, and base64.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pybase64

from ..about import __version__
from ..crypto.seal import ByteSource
from ..errors import DamagedArchiveError, JSONTextError
from ..text import jsontext
from .page import ABOUT, ARCHIVE, END, LINE_BYTES, about, code

_LARGEST_CODE = 16 << 20
"""Bytes of a page before its archive, and behind it. More is no page of any version."""
_LINE_WITH_END = LINE_BYTES // 3 * 4 + 1
_PIECE = 1 << 20
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\n]")
_DOCTYPE = b"<!doctype html>"


@dataclass(frozen=True, slots=True)
class PageFile:
    """A page that was taken apart."""

    digest: str
    """Of its code, lower-case hex."""
    version: str | None
    """The version of manabackup that writes this code; None: none does, the page was altered."""
    archive: PageArchive | None
    """What it carries; None: it takes a file that somebody chooses."""


def looks_like_page(source: ByteSource) -> bool:
    """Whether a file is a page, or means to be one, rather than an archive."""
    return source.read_at(0, len(_DOCTYPE)).lower() == _DOCTYPE


def read_page(source: ByteSource) -> PageFile:
    """Take a page apart; ``source`` must stay open while its archive is read.

    Raises :class:`DamagedArchiveError` for what cannot be taken apart: it is no page, or cut off, or what should do
    nothing is not of the form in which it can do nothing.
    """
    head = _head(source)
    about_start = head.index(ABOUT) + len(ABOUT)
    about_end = head.index(END, about_start)
    start = len(head)
    end = _end_of_archive(source, start)
    if source.size - end > _LARGEST_CODE:
        raise _no_page()
    behind = source.read_at(end, source.size - end)
    digest = hashlib.sha256(head[:about_start] + head[about_end:] + behind).hexdigest()
    version = known_pages().get(digest)
    if version is not None and not _is_as_written(head[about_start:about_end], digest, version):
        version = None
    return PageFile(digest, version, PageArchive(source, start, end) if end > start else None)


def known_pages() -> dict[str, str]:
    """Digest → version, of the pages of all released versions and of this one."""
    text = resources.files("manabackup.viewer").joinpath("released.json").read_bytes()
    released: dict[str, str] = jsontext.parse(text)["pages"]
    return {**released, code().digest(): __version__}


class PageArchive:
    """The archive in a page, decoded where it is read (a :class:`~manabackup.crypto.seal.ByteSource`)."""

    def __init__(self, source: ByteSource, start: int, end: int) -> None:
        self._source = source
        self._start = start
        last = (end - start - 1) // _LINE_WITH_END
        tail = _decoded(self._lines(last, last))
        self.size = last * LINE_BYTES + len(tail)

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, fewer at the end. Raises :class:`DamagedArchiveError`."""
        end = min(offset + count, self.size)
        if end <= offset:
            return b""
        first, last = offset // LINE_BYTES, (end - 1) // LINE_BYTES
        data = _decoded(self._lines(first, last))
        if len(data) < end - first * LINE_BYTES:
            raise DamagedArchiveError("the page's archive is not in the lines that manabackup writes", code="page")
        return data[offset - first * LINE_BYTES : end - first * LINE_BYTES]

    def _lines(self, first: int, last: int) -> bytes:
        """Lines of base64; what follows the last one of all is no base64, and is left out."""
        start = self._start + first * _LINE_WITH_END
        text = self._source.read_at(start, (last - first + 1) * _LINE_WITH_END)
        return text.partition(b"<")[0]


def _head(source: ByteSource) -> bytes:
    """Everything before the archive."""
    beginning = source.read_at(0, _LARGEST_CODE)
    about_at = beginning.find(ABOUT)
    at = beginning.find(ARCHIVE, max(about_at, 0))
    if not looks_like_page(source) or about_at < 0 or at < 0 or beginning.find(END, about_at) > at:
        raise _no_page()
    return beginning[: at + len(ARCHIVE)]


def _end_of_archive(source: ByteSource, start: int) -> int:
    for at in range(start, source.size, _PIECE):
        other = _NOT_BASE64.search(source.read_at(at, _PIECE))
        if other is not None:
            end = at + other.start()
            if source.read_at(end, len(END)) != END:
                raise DamagedArchiveError("the page's archive is no base64", code="page")
            return end
    raise DamagedArchiveError("the page is cut off", code="truncated")


def _is_as_written(stated: bytes, digest: str, version: str) -> bool:
    """Whether what a page says of itself is what its version would have written for an archive of that name."""
    try:
        said: Any = jsontext.parse(stated)
        archive = said["archive"]
        name = None if archive is None else archive["name"]
        return (name is None or type(name) is str) and about(digest, version, name) == stated
    except (JSONTextError, KeyError, TypeError):
        return False


def _decoded(text: bytes) -> bytes:
    try:
        return pybase64.b64decode(text.replace(b"\n", b""), validate=True)
    except ValueError:
        raise DamagedArchiveError("the page's archive is no base64", code="page") from None


def _no_page() -> DamagedArchiveError:
    return DamagedArchiveError("is no page that manabackup writes, or is cut off", code="page")
