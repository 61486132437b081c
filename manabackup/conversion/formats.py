"""The formats that there are. A new one is a module, a line here, and a chapter in ``docs/convert.md``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Literal

from ..errors import UsageError
from ..rows.blobs import IndexedFile
from .card_pictures import holds as _in_cards
from .options import ConvertOptions

Shape = Literal["file", "folder", "database"]
"""What a converter is given to write to: an open binary file, an
:class:`~manabackup.host.output_folder.AtomicFolder`, or the path of an empty file."""


@dataclass(frozen=True, slots=True)
class Format:
    """One form that an archive can be given."""

    name: str
    module: str
    """In this package; its function ``convert`` takes a :class:`~.reading.Reading` and the output."""
    shape: Shape
    summary: str
    extra: str | None = None
    """The optional extra that it needs."""
    everything: bool = False
    """Rows in the bin and technical tables are in it unasked."""
    places_files: bool = False
    """Files of the archive have a place in it, and it counts those that have none."""
    one_file: bool = False
    """A folder, or a file where that is asked for."""

    def shape_under(self, options: ConvertOptions) -> Shape:
        """What it makes under some options."""
        return "file" if self.one_file and options.one_file else self.shape

    @property
    def what(self) -> str:
        """What it makes."""
        return "folder" if self.shape == "folder" else "file"

    def holds(self, file: IndexedFile) -> bool:
        """Whether it has a place for a file of the archive."""
        return self.places_files or (self.name == "vcf" and _in_cards(file))

    def converter(self) -> Callable[..., None]:
        """Its function. Raises :class:`UsageError` where what it needs is not installed."""
        try:
            module: Any = import_module(f".{self.module}", __package__)
        except ModuleNotFoundError as error:
            if self.extra is None or (error.name or "").startswith(__package__.partition(".")[0]):
                raise
            raise UsageError(
                f"--to {self.name} needs {error.name}, which is not installed",
                hint=f"install manabackup with the extra [{self.extra}]: guide, Installed how",
            ) from None
        converter: Callable[..., None] = module.convert
        return converter


FORMATS: Final = {
    found.name: found
    for found in (
        Format("sqlite", "sqlite", "database", "a database, from which the archive can be made again", everything=True),
        Format("csv", "csv", "folder", "a folder of tables for spreadsheets"),
        Format("parquet", "parquet", "folder", "a folder of tables for those who compute", extra="parquet"),
        Format(
            "markdown",
            "markdown",
            "folder",
            "a file for each note and entry; opens in Obsidian",
            extra="convert",
            places_files=True,
        ),
        Format("ics", "ics", "folder", "calendars: events, tasks, habits, birthdays", extra="convert", one_file=True),
        Format("vcf", "vcf", "file", "contacts, for phones and programs of mail"),
        Format("geojson", "geojson", "file", "places, and the log of locations as lines"),
        Format("gpx", "gpx", "file", "places as waypoints, the log of locations as tracks"),
        Format("bookmarks", "bookmarks", "file", "saved articles, news and links, for browsers"),
        Format("opml", "opml", "file", "feeds, for readers of feeds"),
        Format("files", "files", "folder", "pictures, songs and documents, by day", places_files=True),
        Format("json", "json", "file", "one file for those who read with their eyes, or with jq"),
        Format("folder", "folder", "folder", "all of these that apply, arranged", extra="convert", places_files=True),
    )
}
"""By name, in the order in which people are shown them."""
