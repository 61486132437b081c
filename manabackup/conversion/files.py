"""``files``: a folder of the pictures, songs and documents that an archive holds, by day.

The day of a picture is that of its camera's clock, of all else the one on which the service got it. Names are those
that files were uploaded under, made safe; what has none is called after its hash.
"""

from __future__ import annotations

import mimetypes
from datetime import date, datetime
from pathlib import PurePosixPath

from ..errors import UsageError
from ..host.output_folder import AtomicFolder
from ..model.values import moment
from ..rows.blobs import IndexedFile, indexed_files
from .file_names import Names
from .reading import Reading

_UNDATED = {"de": "ohne Datum", "en": "without a date"}
_ENDINGS = {"image/jpeg": ".jpg", "image/webp": ".webp", "image/heic": ".heic", "audio/mpeg": ".mp3"}
"""Where systems differ in what they call them."""
_LONGEST_ENDING = 10
_HASH_DIGITS = 16


def has_files(reading: Reading) -> bool:
    """Whether the archive holds any."""
    return bool(reading.archive.files)


def can_be_chosen(reading: Reading) -> bool:
    """The same, for a folder that holds more: where spaces were asked for, there are only the files that texts show."""
    return has_files(reading) and not reading.options.spaces


def convert(reading: Reading, folder: AtomicFolder) -> None:
    """Fill the folder. Raises :class:`UsageError` for an archive without files, or where spaces were asked for."""
    if not has_files(reading):
        raise UsageError("the archive holds no files", hint="`manabackup export --files` makes one that does")
    if reading.options.spaces:
        raise UsageError("which space a file is of is not known", hint="leave --space away, or choose tables")
    reading.leave_out_others(lambda name: False)
    write_files(reading, folder)


def write_files(reading: Reading, folder: AtomicFolder) -> None:
    """The files that the chosen tables refer to."""
    chosen = set(reading.tables)
    everything = not (reading.options.tables or reading.options.apps)
    names = Names()
    for file in indexed_files(reading.archive):
        tables = [row.table for row in file.rows if row.table in chosen]
        if not tables and not everything:
            continue
        if file.sha256 is None:
            reading.left_out.note("notEmbedded", tables[0] if tables else "account")
            continue
        place = _folder(reading, file)
        stem, ending = file_name(file)
        name = names.name(place, stem, file.sha256, otherwise=file.sha256[:_HASH_DIGITS], ending=ending)
        with folder.file(*place, name) as output:
            for chunk in reading.archive.file(file.sha256):
                output.write(chunk)


def _folder(reading: Reading, file: IndexedFile) -> tuple[str, ...]:
    day = _day(reading, file)
    return (_UNDATED[reading.language],) if day is None else (f"{day:%Y}", f"{day:%Y-%m-%d}")


def _day(reading: Reading, file: IndexedFile) -> date | None:
    exif = file.told.get("exif")
    taken = moment(exif.get("dateTaken")) if isinstance(exif, dict) else None
    if isinstance(taken, datetime):
        return taken.date()  # the camera's own clock, whatever zone the service takes it for
    got = moment(file.told.get("createdAt"))
    if isinstance(got, datetime):
        return (got.astimezone(reading.zone) if got.tzinfo is not None else got).date()
    return None


def file_name(file: IndexedFile) -> tuple[str, str]:
    """What the file is called, and its ending."""
    given = file.name or next((_last(address) for address in file.addresses if "/" in address), "")
    path = PurePosixPath(given.replace("\\", "/").replace("\0", ""))
    ending = path.suffix if 1 < len(path.suffix) <= _LONGEST_ENDING and path.suffix[1:].isalnum() else ""
    kind = file.type.partition(";")[0]
    known = _ENDINGS.get(kind) or mimetypes.guess_extension(kind) or ""
    if not ending.isascii() or not ending:
        ending = known
    return path.name.removesuffix(path.suffix) if path.suffix == ending else path.stem, ending


def _last(address: str) -> str:
    return address.partition("?")[0].rpartition("/")[2]
