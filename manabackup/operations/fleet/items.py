"""Which items there are: archives by folder, pattern or list. The one place that knows where archives lie."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...errors import ManabackupError, NotFoundError, OutputError, UsageError
from ...text.printable import printable
from ..places import far_state, has_query, is_address, located, matching

ENDING: Final = ".mana"
_AT_ONCE: Final = 8
"""Far archives that are looked at at the same time."""
UNREAD: Final = "unread"
"""The stamp of what could not be looked at, and of what a place tells no versions of: it may have changed each time."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An item that there is."""

    name: str
    """Its path, from the root on; its address, where it is far away; or an account's name."""
    folder: str = ""
    """Where below the named folder, or below the first part of a pattern that is none, it lies."""
    size: int = 0
    stamp: str = ""
    """Another one when it has changed."""


def archives(patterns: Sequence[str], lists: Sequence[str] = ()) -> list[Listed]:
    """What is named: each once, in the order of the names. What a list or a name says is an item, there or not.

    A folder stands for the archives below it, one of a far place for those that lie in it. Raises
    :class:`NotFoundError` for what names nothing, :class:`UsageError` for an address that cannot be one, in a list too,
    :class:`OutputError` for a list that cannot be read, and what a far place raises that does not tell what it holds.
    """
    found: dict[str, str] = {}
    for pattern in patterns:
        names = dict(_matching(pattern))
        if not names:
            raise NotFoundError(f"there is no archive at {printable(pattern)}")
        for name, folder in names.items():
            found.setdefault(name, folder)
    for given in lists:
        for name in _lines(given):
            found.setdefault(name, "")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        far = {name: pool.submit(_listed_far, name, folder) for name, folder in found.items() if is_address(name)}
        return [far[name].result() if name in far else _listed(name, folder) for name, folder in found.items()]


def _matching(pattern: str) -> Iterator[tuple[str, str]]:
    """(path or address, folder) of what a pattern stands for."""
    if is_address(pattern):
        for address, folder in matching(pattern):
            _check(address)
            yield address, folder
        return
    if os.path.isdir(pattern):
        root = os.path.abspath(pattern)
        found = _below(root)
    elif glob.has_magic(pattern) and not os.path.lexists(pattern):
        root = _fixed_part(os.path.abspath(pattern))
        found = (
            os.path.abspath(path) for path in sorted(glob.iglob(pattern, recursive=True)) if not os.path.isdir(path)
        )
    else:
        yield os.path.abspath(pattern), ""
        return
    for path in found:
        folder = os.path.relpath(os.path.dirname(path), root)
        yield path, "" if folder == "." else folder


def _below(root: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise OutputError(f"cannot read {printable(str(error.filename))}: {error.strerror}")

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(ENDING))


def _fixed_part(pattern: str) -> str:
    parts = Path(pattern).parts
    fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return str(Path(*parts[:fixed]))


def _lines(name: str) -> Iterator[str]:
    path = Path(name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{printable(name)} does not exist") from None
    except OSError as error:
        raise OutputError(f"cannot read {printable(name)}: {error.strerror}") from None
    separator = b"\0" if b"\0" in content else b"\n"
    for number, line in enumerate(content.split(separator), start=1):
        line = line.removesuffix(b"\r")
        if line and not line.startswith(b"#"):
            given = os.fsdecode(line)
            try:
                _check(given)
            except UsageError as error:
                raise UsageError(f"{printable(name)}, line {number}: {error}", hint=error.hint) from None
            yield given if is_address(given) else os.path.abspath(os.path.join(path.parent, given))


def _check(name: str) -> None:
    """Raises :class:`UsageError` for an address that can be none, or that must not be shown and kept as an item is."""
    located(name)
    if has_query(name):
        raise UsageError(
            "what stands behind ? may be a signature, and a ledger would keep it",
            hint="name archives of buckets as s3://, gs:// or az://; `verify` alone takes such an address",
        )


def _listed(path: str, folder: str) -> Listed:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return Listed(path, folder, 0, UNREAD)
    size = found.st_size if stat.S_ISREG(found.st_mode) else 0
    return Listed(path, folder, size, f"{size}-{found.st_mtime_ns}")


def _listed_far(address: str, folder: str) -> Listed:
    try:
        found = far_state(address)
    except ManabackupError:
        found = None
    if found is None:
        return Listed(address, folder, 0, UNREAD)
    return Listed(address, folder, max(found.size, 0), f"{found.size}-{found.version}" if found.version else UNREAD)
