"""Where archives lie: a file of this machine, or an address of a far place."""

from __future__ import annotations

import re
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NotFoundError, OutputError, UsageError
from ..text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..archive.places import Folder, Location, Place, State

NO_LOCK = "--retain is for buckets (s3://, gs://, az://): no other place can promise it"
_SPAN = re.compile(r"([1-9]\d{0,4})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_PATTERN = re.compile(r"[*\[]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_address(text: str) -> bool:
    """Whether a text names a far place: it begins like ``https://``. A file that is called so is ``./https:/…``."""
    return _ADDRESS.match(text) is not None


def located(text: str) -> Location:
    """What a text names. Nothing is asked yet. Raises :class:`UsageError` for an address that cannot be one."""
    if not is_address(text):
        return Path(text)
    from ..storage import place  # and all that speaks to far places, which few commands need

    return place(text)


def folder(text: str) -> Path | Folder:
    """The folder that a text names. Raises :class:`UsageError` for an address that can tell of no files."""
    if not is_address(text):
        return Path(text)
    from ..storage import folder

    return folder(text)


def expanded(texts: Iterable[str]) -> Iterator[str]:
    """Addresses with a pattern in their last part, or with none, as all that lie there; what is no address as it is.

    Raises :class:`NotFoundError` where there are none, and what the place raises.
    """
    for text in texts:
        beginning, _, last = text.rpartition("/")
        if not is_address(text) or "?" in beginning or not (last == "" or _PATTERN.search(last)):
            yield text
            continue
        found = [str(place) for place in _in(beginning) if fnmatchcase(place.name, last or "*")]
        if not found:
            raise NotFoundError(f"{named(text)}: there are no archives")
        yield from found


def _in(address: str) -> Iterable[Place]:
    from ..storage import folder

    return folder(address).archives()


def far_target(text: str, *, force: bool, retain: str | None = None) -> Place:
    """The far place where an archive is to go. Raises :class:`OutputError` where, without ``force``, something lies.

    ``retain`` is how long nobody is to be able to remove it, as ``prune`` writes spans (:class:`UsageError` for a place
    that has no locks).
    """
    from ..storage import place

    target = place(text, lock=None if retain is None else span_of(retain))
    if not force and target.state() is not None:
        raise OutputError(f"{target} exists already", hint="--force replaces it")
    return target


def check_lock(text: str, retain: str) -> None:
    """Raises :class:`UsageError` where a text names no place that can promise to keep an archive for so long."""
    from ..storage import place

    if not is_address(text):
        raise UsageError(NO_LOCK)
    place(text, lock=span_of(retain))


def span_of(text: str) -> timedelta:
    """A span of time such as ``12h``, ``30d``, ``4w``. Raises :class:`UsageError` for anything else."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise UsageError(f"{printable(text[:64])} is no span of time", hint="such as 30d, or 12h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def is_there(place: Location) -> bool:
    """Whether anything lies there. Raises what a far place raises."""
    return place.exists() if isinstance(place, Path) else place.state() is not None


def far_state(address: str) -> State | None:
    """What lies at an address, from outside. Raises :class:`UsageError` for none, and what the place raises."""
    from ..storage import place

    return place(address).state()


def named(text: str) -> str:
    """A text as messages may show it: an address without what may be secret in it."""
    return str(located(text)) if is_address(text) else text
