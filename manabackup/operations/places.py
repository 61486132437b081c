"""Where archives lie: a file of this machine, or an address of a far place."""

from __future__ import annotations

import glob
import re
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..errors import NotFoundError, OutputError, UsageError
from ..text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..archive.places import Folder, Location, Place, State

NO_LOCK = "--retain is for buckets (s3://, gs://, az://): no other place can promise it"
_SPAN = re.compile(r"([1-9]\d{0,4})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_PATTERN = re.compile(r"[*\[]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(?:https?|davs?|s3|gs|az|sftp):", re.IGNORECASE)
_ROOT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*/")


def is_address(text: str) -> bool:
    """Whether a text names a far place, or is meant to: it begins like ``https://``, or like ``s3:``.

    A file that is called so is ``./https:/…``.
    """
    return _ADDRESS.match(text) is not None


def is_escaped(text: str) -> bool:
    """Whether a text names a far place in whose address names are percent-encoded, as they are in URLs."""
    from ..storage.addresses import BUCKETS

    return is_address(text) and text.partition(":")[0].lower() not in BUCKETS


def located(text: str) -> Location:
    """What a text names. Nothing is asked yet. Raises :class:`UsageError` for an address that cannot be one."""
    if not is_address(text):
        return Path(text)
    from ..storage import place  # and all that speaks to far places, which few commands need

    return place(text)


def folder(text: str) -> Path | Folder:
    """The folder that a text names. Raises :class:`UsageError` for an address that can tell of no files."""
    return _far_folder(text) if is_address(text) else Path(text)


def expanded(texts: Iterable[str]) -> Iterator[str]:
    """Addresses with a pattern in them, or that end with a slash, as all that lie there; what else there is as it is.

    Raises :class:`NotFoundError` where there are none, :class:`UsageError` for ``**``, and what the place raises.
    """
    for text in texts:
        for found, _ in matching(text):
            yield found


def matching(text: str) -> Iterator[tuple[str, str]]:
    """The same of one, each with the folder that it lies in, from the first part with a pattern on."""
    pattern = _pattern_in(text)
    if pattern is None:
        yield text, ""
        return
    beginning, parts = pattern
    found = [place.address for place in _below(_far_folder(beginning), parts)]
    if not found:
        raise NotFoundError(f"{named(text)}: there are no archives")
    yield from ((address, "/".join(address.split("/")[-len(parts) : -1])) for address in found)


def _pattern_in(text: str) -> tuple[str, list[str]] | None:
    """An address up to its first part with a pattern, and patterns from there on; None where there is none in it."""
    root = _ROOT.match(text)
    if root is None or (root[0].lower().startswith("http") and "?" in text):  # a signature may hold anything
        return None
    *folders, last = text[root.end() :].split("/")
    fixed = next((number for number, part in enumerate(folders) if _PATTERN.search(part)), len(folders))
    is_pattern = fixed < len(folders) or not last or _PATTERN.search(last)
    if not is_pattern or any("?" in part for part in folders):
        return None
    if "**" in folders:
        hint = "`*/` stands for one folder, as often as it stands there"
        raise UsageError(f"{named(text)}: ** stands for folders of this computer alone", hint=hint)
    # A key of a bucket is what it is; elsewhere what people read is escaped in the address.
    read = unquote if is_escaped(root[0]) else str
    parts = [part if _PATTERN.search(part) else glob.escape(read(part)) for part in (*folders[fixed:], last) if part]
    return root[0] + "".join(f"{part}/" for part in folders[:fixed]), [*parts, *([] if last else ["*"])]


def _below(folder: Folder, parts: Sequence[str]) -> Iterator[Place]:
    first, *rest = parts
    if not rest:
        yield from (place for place in folder.archives() if fnmatchcase(place.name, first))
        return
    for inner in folder.folders():
        if fnmatchcase(inner.name, first):
            yield from _below(inner, rest)


def _far_folder(address: str) -> Folder:
    from ..storage import folder

    return folder(address)


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
    """A text as messages may show it: an address without what may be secret in it. Raises :class:`UsageError`."""
    if not is_address(text):
        return text
    from ..storage import Address

    return str(Address.parse(text))


def has_query(text: str) -> bool:
    """Whether something stands in an address that may be a signature. Raises :class:`UsageError`."""
    if not is_address(text):
        return False
    from ..storage import Address

    return bool(Address.parse(text).query)
