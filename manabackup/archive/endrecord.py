"""Where a ZIP container ends, and what its end says of the central directory (APPNOTE 6.3, 4.3.14 to 4.3.16)."""

from __future__ import annotations

from dataclasses import dataclass

from ..crypto.seal import ByteSource
from ..errors import OTHER_FILE, DamagedArchiveError
from .zipwriter import END as END_RECORD
from .zipwriter import (
    END_64,
    END_64_SIGNATURE,
    END_SIGNATURE,
    LOCAL_SIGNATURE,
    LOCATOR_64,
    LOCATOR_64_SIGNATURE,
    MADE_BY,
    MAX_16,
    MAX_32,
    VERSION_ZIP64,
)

_LONGEST_COMMENT = MAX_16


@dataclass(frozen=True, slots=True)
class End:
    """What the end record says of the central directory."""

    count: int
    directory_offset: int
    directory_size: int
    fixed: bool
    """Every field without a second copy has its one fixed value."""


_OURS = {
    b"<!doctype html>": "a page that `manabackup view` wrote opens in a browser; `manabackup verify` checks it",
    b"sqlite format 3": "a database of `manabackup convert` becomes an archive again by `convert FILE --to mana`",
}
"""What this tool writes besides archives, by its first bytes in lower case, and what can be done with it."""


def _what_it_is(source: ByteSource) -> str:
    return _OURS.get(source.read_at(0, min(15, source.size)).lower(), OTHER_FILE)


def read_end(source: ByteSource) -> End:
    """The end record of a container, the Zip64 one where it calls for it. Raises :class:`DamagedArchiveError`."""
    tail_size = min(source.size, END_RECORD.size + _LONGEST_COMMENT)
    tail = source.read_at(source.size - tail_size, tail_size)
    at = tail.rfind(END_SIGNATURE)
    if at < 0 or len(tail) - at < END_RECORD.size:
        if source.read_at(0, 4) == LOCAL_SIGNATURE:
            raise damaged("is cut off", "truncated")
        raise damaged("is not a .mana archive", "notAnArchive", hint=_what_it_is(source))
    _, disk, directory_disk, here, count, size, offset, comment_length = END_RECORD.unpack_from(tail, at)
    if at + END_RECORD.size + comment_length != len(tail):
        raise damaged("bytes lie behind the end of the archive, or it is cut off", "container")
    if disk or directory_disk or here != count:
        raise damaged("is one part of several", "container")
    end_offset = source.size - tail_size + at
    fixed = comment_length == 0
    if MAX_16 in (count,) or MAX_32 in (size, offset):
        count, size, offset, end_offset, fixed_64 = _read_end_64(source, end_offset, count, size, offset)
        fixed = fixed and fixed_64
    elif source.read_at(max(0, end_offset - LOCATOR_64.size), 4) == LOCATOR_64_SIGNATURE and end_offset >= 20:
        raise damaged("has a Zip64 end record that nothing calls for", "container")
    if offset + size != end_offset:
        raise damaged("bytes lie before the first entry, or the central directory is damaged", "container")
    return End(count, offset, size, fixed)


def _read_end_64(
    source: ByteSource, end_offset: int, count: int, size: int, offset: int
) -> tuple[int, int, int, int, bool]:
    locator = source.read_at(end_offset - LOCATOR_64.size, LOCATOR_64.size) if end_offset >= LOCATOR_64.size else b""
    if not locator.startswith(LOCATOR_64_SIGNATURE):
        raise damaged("its Zip64 end record is missing", "container")
    _, disk, record_offset, disks = LOCATOR_64.unpack(locator)
    record = source.read_at(record_offset, END_64.size)
    if disk != 0 or disks != 1 or len(record) != END_64.size or not record.startswith(END_64_SIGNATURE):
        raise damaged("its Zip64 end record is damaged", "container")
    _, length, made_by, version, this_disk, directory_disk, here, count_64, size_64, offset_64 = END_64.unpack(record)
    if (length, this_disk, directory_disk, here) != (END_64.size - 12, 0, 0, count_64):
        raise damaged("its Zip64 end record is damaged", "container")
    if record_offset + END_64.size + LOCATOR_64.size != end_offset:
        raise damaged("bytes lie around the Zip64 end record", "container")
    for small, large, most in ((count, count_64, MAX_16), (size, size_64, MAX_32), (offset, offset_64, MAX_32)):
        if small not in (most, large):
            raise damaged("the two end records disagree", "container")
    fixed = (made_by, version) == (MADE_BY & 0xFF00 | VERSION_ZIP64, VERSION_ZIP64) and (
        (count, size, offset) == (min(count_64, MAX_16), min(size_64, MAX_32), min(offset_64, MAX_32))
    )
    return count_64, size_64, offset_64, record_offset, fixed


def damaged(message: str, code: str, where: str | None = None, hint: str | None = None) -> DamagedArchiveError:
    """The error of a container in which something is wrong."""
    return DamagedArchiveError(message, code=code, where=where, hint=hint)
