"""Readable: the rows of an archive in a form that other programs and people read.

A sealed archive is opened in memory, and nothing of it stands on the disk in clear but the output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

from ...archive.destination import writing
from ...archive.places import Location
from ...archive.reader import open_archive
from ...archive.writer import Seal
from ...conversion.formats import FORMATS, Format
from ...conversion.left_out import KINDS, OTHER_SPACE, LeftOut
from ...conversion.options import ConvertOptions
from ...conversion.reading import Reading
from ...conversion.reading import zone_called as find_zone
from ...errors import UsageError
from ...host.output import AtomicFile, check_place
from ...host.output_folder import AtomicFolder, check_folder_place
from ...host.spooling import spool_files
from ...host.zone import machine_zone
from ...limits import DEFAULT_LIMITS, Limits
from ...model.tables import Language
from ...rows.archived import is_ours
from ...rows.blobs import indexed_files
from ...text.printable import printable
from ..progress import Step, Watch, teller

__all__ = [
    "ConvertOptions",
    "Converted",
    "Seal",
    "check_output",
    "convert_to",
    "format_called",
    "language_called",
    "machine_zone",
    "zone_called",
]


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of an archive."""

    output: Path
    format: str
    rows: int
    """Of the tables that were asked for, as the archive counts them."""
    tables: int
    zone: str
    """Of local clocks."""
    zone_of_calendar: bool
    """It is the default calendar's."""
    language: str
    left_out: LeftOut
    taken: Counter[str] = field(default_factory=Counter)
    """Table → rows that the format has a place for; no table without any."""
    set_aside: Path | None = None
    """Where the folder went that was in the output's place."""
    reversible: bool | None = None
    """Whether the archive can be made of it again, with the same content; None for formats that are not for that."""

    def meaning(self, kind: str, count: int) -> str:
        """What ``count`` of a kind of ``left_out`` are."""
        option = KINDS[kind].option
        return KINDS[kind].meaning(count).en + (f", which {option} takes in" if option is not None else "")

    def is_loss(self, kind: str) -> bool:
        """Whether something was wrong with what a kind of ``left_out`` counts."""
        return KINDS[kind].is_loss

    def to_json(self) -> dict[str, Any]:
        """The object that ``convert --json`` prints (``formats/schemas/convert.schema.json``)."""
        return {
            "output": str(self.output),
            "format": self.format,
            "rows": self.rows,
            "tables": self.tables,
            "zone": self.zone,
            "language": self.language,
            "leftOut": self.left_out.to_json(),
            "losses": self.left_out.losses,
            "reversible": self.reversible,
            "setAside": None if self.set_aside is None else str(self.set_aside),
        }


def format_called(name: str) -> Format:
    """A format by its name. Raises :class:`UsageError`."""
    found = FORMATS.get(name)
    if found is None:
        raise UsageError(f"there is no format {printable(name[:64])}", hint=f"there are mana, {', '.join(FORMATS)}")
    return found


def language_called(name: str | None, environ: Mapping[str, str]) -> Language:
    """A language by its name; without one, the terminal's, as far as there are words in it (POSIX, 8.2).

    Raises :class:`UsageError`.
    """
    if name is None:
        spoken = next((environ[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(key)), "")
        return "de" if spoken.lower().startswith("de") else "en"
    if name not in ("de", "en"):
        raise UsageError(f"there are no words in {printable(name[:64])}", hint="--lang de or --lang en")
    return "de" if name == "de" else "en"


def zone_called(name: str) -> tzinfo:
    """A zone by its IANA name. Raises :class:`UsageError`."""
    found = find_zone(name)
    if found is None:
        raise UsageError(f"{printable(name[:64])} is no time zone", hint="a name such as Europe/Berlin")
    return found


def check_output(target: Path, wanted: Format, options: ConvertOptions, *, force: bool) -> None:
    """Raises what writing to ``target`` would end with as things are: before secrets are asked for."""
    if wanted.shape_under(options) == "folder":
        check_folder_place(target, force=force)
    else:
        check_place(target, force=force)


def convert_to(
    source: Location,
    format_name: str,
    target: Path,
    passphrase: Callable[[], str] | None = None,
    *,
    options: ConvertOptions | None = None,
    force: bool = False,
    allow_weak_kdf: bool = False,
    progress: Watch | None = None,
    limits: Limits = DEFAULT_LIMITS,
    processes: int | None = None,
) -> Converted:
    """Write what the archive ``source`` holds to ``target`` in another format, a file or a folder.

    What did not go into it is counted in the result. ``processes`` is how many take part, this one included; without
    it, as many as large tables need. Raises :class:`UsageError` also for an archive whose private
    fields are encrypted for an account, :class:`DamagedArchiveError`, :class:`WrongPassphraseError`,
    :class:`NotFoundError`, :class:`OutputError`, :class:`LockedError`.
    """
    wanted = format_called(format_name)
    converter = wanted.converter()
    options = options or ConvertOptions()
    check_output(target, wanted, options, force=force)
    if wanted.everything:
        options = replace(options, include_deleted=True, include_technical=True)
    with open_archive(source, passphrase, limits=limits, allow_weak_kdf=allow_weak_kdf) as archive:
        if not archive.manifest.fields_plaintext:
            raise UsageError(
                f"{source} holds its private fields encrypted for an account",
                hint="`manabackup unlock` opens them, for its owner"
                if archive.manifest.as_stored
                else "convert the archive that it was made from, or export the account again",
            )
        tell = teller(progress, Step.CONVERT)
        reading = Reading(archive, options, make_file=spool_files(target), progress=tell, processes=processes)
        _leave_out_files(reading, wanted)
        set_aside = None
        if wanted.shape_under(options) == "folder":
            folder = AtomicFolder(target, force=force)
            with folder:
                converter(reading, folder)
            set_aside = folder.set_aside
        else:
            output = AtomicFile(target, force=force)
            with writing(target), output as file:
                if wanted.shape == "database":
                    converter(reading, output.part)
                else:
                    converter(reading, file)
        return Converted(
            output=target,
            format=wanted.name,
            rows=sum(map(reading.size, reading.tables)) - reading.left_out.count(OTHER_SPACE),
            tables=len(reading.tables),
            taken=_taken(reading),
            zone=str(reading.zone),
            zone_of_calendar=options.zone is None and reading.calendar_zone is not None,
            language=options.language,
            left_out=reading.left_out,
            set_aside=set_aside,
            reversible=_is_reversible(reading) if wanted.everything else None,
        )


def _taken(reading: Reading) -> Counter[str]:
    """How many rows of each table the format has a place for, where there are any."""
    taken = Counter({name: reading.size(name) for name in reading.tables})
    for kind in (OTHER_SPACE, "otherTable", "undescribed", "bin"):
        taken -= reading.left_out.counts.get(kind, Counter())
    return +taken


def _leave_out_files(reading: Reading, wanted: Format) -> None:
    """Take down the archive's files that the format has no place for, by the tables of the rows that refer to them."""
    if not is_ours(reading.archive):
        reading.left_out.note("file", "blobs", len(reading.archive.files))
        return
    for file in indexed_files(reading.archive):
        if file.sha256 is not None and not wanted.holds(file):
            reading.left_out.note("file", file.rows[0].table if file.rows else "blobs")


def _is_reversible(reading: Reading) -> bool:
    """Whether a database holds all that the archive holds."""
    options = reading.options
    chosen = options.apps or options.tables or options.spaces
    return not chosen and reading.left_out.counts.keys().isdisjoint(("secret", "oddValue", "file"))
