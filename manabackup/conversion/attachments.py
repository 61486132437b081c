"""Files of the archive beside the pages whose rows refer to them, and what leads there from the text.

All that is to be known of them is known before the first page is written: which rows have a place here, and what each
file is called. So pages can be written in any order, by any process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

from ..host.output_folder import AtomicFolder
from ..model.files import MANAS, MEDIA_ADDRESS, file_fields, inline_file, references
from ..rows.archived import is_ours
from ..rows.blobs import indexed_files
from ..text.jsontext import JSON
from . import prose
from .file_names import Names
from .files import file_name
from .reading import Reading

_FOLDER: Final = {"de": "Anhänge", "en": "Attachments"}
_HEADING: Final = {"de": "Bilder und Dateien", "en": "Pictures and files"}
_HASH_DIGITS: Final = 16
_DATA: Final = "data:"


class Attached(NamedTuple):
    """A file beside the pages."""

    sha256: str
    name: str
    """In the folder of such files."""
    is_picture: bool


class _Place(NamedTuple):
    """One reference of a row."""

    field: str
    sha256: str | None
    """None for a file that the archive does not hold."""


class Attachments:
    """The files that rows with a place refer to. ``is_shown`` says of a row, by table and id, whether it has one."""

    def __init__(self, reading: Reading, names: Names, is_shown: Callable[[str, str], bool]) -> None:
        self._reading = reading
        self._folder = _FOLDER[reading.language]
        self._heading = _HEADING[reading.language]
        self._files: dict[str, Attached] = {}
        self._by_address: dict[str, str] = {}
        """A media id, or an address as rows hold it → SHA-256."""
        self._by_row: dict[tuple[str, str], list[_Place]] = {}
        assets = reading.archive.manifest.binary_assets
        self._counts = assets is not None and assets.get("sha256") is None
        """The archive was made without files: what refers to one is counted row by row."""
        if is_ours(reading.archive):
            self._look(names, is_shown)

    def _look(self, names: Names, is_shown: Callable[[str, str], bool]) -> None:
        left_out = self._reading.left_out
        for file in indexed_files(self._reading.archive):
            shown = [row for row in file.rows if is_shown(row.table, row.id)]
            if file.sha256 is None:
                if shown:
                    left_out.note("notEmbedded", shown[0].table)
            elif not shown:
                left_out.note("file", file.rows[0].table if file.rows else "blobs")
            else:
                stem, ending = file_name(file)
                otherwise = file.sha256[:_HASH_DIGITS]
                name = names.name((self._folder,), stem, file.sha256, otherwise=otherwise, ending=ending)
                self._files[file.sha256] = Attached(file.sha256, name, file.type.startswith("image/"))
                for address in (*file.ids, *file.addresses):
                    self._by_address[address] = file.sha256
            for row in shown:
                self._by_row.setdefault((row.table, row.id), []).append(_Place(row.field, file.sha256))

    def note_missing(self, table: str, values: Mapping[str, JSON]) -> None:
        """Takes down the files of a row that an archive without any leaves out."""
        if self._counts and (file_fields(table) or any("/media/" in str(value) for value in values.values())):
            missing = {found.target for found in references(table, values) if found.leads in MANAS}
            self._reading.left_out.note("notEmbedded", table, len(missing))

    def told(self, table: str, identifier: str) -> frozenset[str]:
        """Members of a row that hold nothing but addresses of files which are all here."""
        places = self._by_row.get((table, identifier), ())
        lost = {_member(place.field) for place in places if place.sha256 is None}
        fields = {_member(field.path) for field in file_fields(table) if field.kind != "url-in-text"}
        return frozenset({_member(place.field) for place in places} & fields - lost)

    def picture(self, origin: tuple[str, ...], shown: set[str]) -> prose.Picture:
        """Finds pictures in the texts of the page at ``origin``, and notes in ``shown`` which."""

        def find(source: str) -> str | None:
            sha256 = self._found(source)
            if sha256 is None:
                return None
            shown.add(sha256)
            return self._address(self._files[sha256], origin)

        return find

    def lines(self, row: tuple[str, str], origin: tuple[str, ...], shown: set[str]) -> Iterator[str]:
        """The files of a row, by table and id, that its texts have not shown."""
        found = dict.fromkeys(place.sha256 for place in self._by_row.get(row, ()) if place.sha256 is not None)
        files = [self._files[sha256] for sha256 in found if sha256 not in shown]
        if files:
            yield f"\n**{prose.inline(self._heading)}**\n"
        for file in files:
            mark = "!" if file.is_picture else ""
            yield f"{mark}[{prose.label(file.name)}]({self._address(file, origin)})\n"

    def write(self, folder: AtomicFolder) -> None:
        """Writes the files, each compared with its hash. Raises :class:`DamagedArchiveError`, :class:`OutputError`."""
        for file in self._files.values():
            with folder.file(self._folder, file.name) as output:
                for chunk in self._reading.archive.file(file.sha256):
                    output.write(chunk)

    def _found(self, source: str) -> str | None:
        if not self._files:
            return None
        source = source.strip()
        if source[: len(_DATA)].lower() == _DATA:
            inline = inline_file(_DATA + source[len(_DATA) :])
            sha256 = None if inline is None else inline.sha256
        else:
            match = MEDIA_ADDRESS.search(source)
            sha256 = self._by_address.get(match[1].lower() if match is not None else source)
        return sha256 if sha256 in self._files else None

    def _address(self, file: Attached, origin: tuple[str, ...]) -> str:
        return quote("/".join([*[".."] * (len(origin) - 1), self._folder, file.name]))


def shown_rows(reading: Reading, held: Callable[[str], bool]) -> Callable[[str, str], bool]:
    """Says of rows that files refer to whether they are among those that are read."""
    wanted: dict[str, set[str]] = {}
    if is_ours(reading.archive):
        for file in indexed_files(reading.archive):
            for row in file.rows:
                if held(row.table):
                    wanted.setdefault(row.table, set()).add(row.id)
    for name, ids in wanted.items():
        wanted[name] = {row.id for row in reading.rows(name) if row.id in ids}
    return lambda table, identifier: identifier in wanted.get(table, ())


def _member(path: str) -> str:
    """The member of a row that a path begins with."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]
