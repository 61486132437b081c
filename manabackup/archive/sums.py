"""``SHA256SUMS``: the hashes that ``sha256sum -c`` checks, and the name of the content that follows from them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from ..errors import DamagedArchiveError
from .names import SUMS

_FOLDERS = ("data/", "meta/", "account/", "blobs/")
_LINE = re.compile(rb"([0-9a-f]{64})  ([^\x00\n]+)")


def covered(name: str) -> bool:
    """Whether an entry has a line in ``SHA256SUMS``."""
    return name.startswith(_FOLDERS)


def write_sums(hashes: Mapping[str, str]) -> bytes:
    """The entry's text: a line for each ``data/``, ``meta/``, ``account/`` and ``blobs/`` entry, in this order, then by
    name."""
    return "".join(_lines(hashes, _FOLDERS)).encode()


def data_sha256(hashes: Mapping[str, str]) -> str:
    """``dataSha256``: SHA-256 of the ``data/`` lines. Equal rows have an equal name, whatever compressed them."""
    return hashlib.sha256("".join(_lines(hashes, ("data/",))).encode()).hexdigest()


def parse_sums(content: bytes) -> dict[str, str]:
    """Name → lower-case hex SHA-256. Raises :class:`DamagedArchiveError`."""
    hashes: dict[str, str] = {}
    for line in content.removesuffix(b"\n").split(b"\n") if content else []:
        match = _LINE.fullmatch(line)
        if match is None:
            raise DamagedArchiveError("a line is malformed", code="sums", where=SUMS)
        name = match.group(2).decode("utf-8", "replace")
        if name in hashes:
            raise DamagedArchiveError("an entry is listed twice", code="sums", where=SUMS)
        hashes[name] = match.group(1).decode()
    return hashes


def _lines(hashes: Mapping[str, str], folders: tuple[str, ...]) -> list[str]:
    return [f"{hashes[name]}  {name}\n" for folder in folders for name in sorted(hashes) if name.startswith(folder)]
