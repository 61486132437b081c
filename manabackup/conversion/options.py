"""What is wanted of a conversion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal, get_args

from ..errors import UsageError
from ..model.tables import Language


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """What goes into a readable form, and how. Empty sequences mean everything."""

    apps: Sequence[str] = ()
    tables: Sequence[str] = ()
    spaces: Sequence[str] = ()
    """Ids of spaces; ``personal`` is the personal one, with the tables of the user and the rows that name no space."""
    include_deleted: bool = False
    """Rows in the bin too, as far as the archive has them."""
    include_secrets: bool = False
    include_technical: bool = False
    language: Language = "en"
    zone: tzinfo | None = None
    """Of local clocks; None: the zone of the default calendar, else ``machine_zone``."""
    machine_zone: tzinfo = UTC
    # Of single formats:
    excel: bool = False
    """csv: begin with a byte order mark, which makes Excel take a file for UTF-8."""
    raw: bool = False
    """csv: for programs; values that a spreadsheet would compute stay as they are."""
    resolve: bool = False
    """json: beside each id the title of what it stands for."""
    one_file: bool = False
    """ics: all calendars in one file."""
    vcard: Literal["3", "4"] = "4"
    index: bool = True
    """sqlite: with a full-text index."""

    def __post_init__(self) -> None:
        """Raises :class:`UsageError` for what no format knows."""
        if self.language not in get_args(Language):
            raise UsageError("there are words in de and en only")
        if self.vcard not in ("3", "4"):
            raise UsageError("vcard is 3 or 4")
        for zone in (self.zone, self.machine_zone):
            if zone is not None and not isinstance(zone, tzinfo):
                raise UsageError("a zone is a tzinfo, such as zoneinfo.ZoneInfo")
