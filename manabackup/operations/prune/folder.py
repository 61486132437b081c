"""What the files of a folder are, as far as their manifests tell: whose backup, of what, and of when.

A sealed archive tells it outside its seal, where nobody vouches for it; with the passphrase what stands inside counts.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from ...archive.manifest import Manifest
from ...archive.places import Folder, Location, State
from ...archive.reader import open_archive, open_outer
from ...errors import (
    DamagedArchiveError,
    NotFoundError,
    OlderArchiveError,
    OutputError,
    UsageError,
    WrongPassphraseError,
)
from ...host.output import reading_from
from ...text import jsontext
from ...text.printable import printable
from ...text.timestamps import parse_timestamp

ENDING = ".mana"
_NOBODY = "-"
_PRODUCT = "manabackup/"
NOT_AN_ARCHIVE = "no archive, in spite of its name"
OLDER = "of format version 1"
NOT_OURS = "another program wrote it"
PRIVATE = "sealed with --private: neither account nor time stand outside the seal; its passphrase lets it be judged"
NAMELESS = "it does not say whose it is"
TIMELESS = "it does not say when it was made"
WRONG_TIME = "it says that it was made before there was this program: the clock was wrong, and it may be the newest"
LINK = "no regular file"
GONE = "it is gone"
_FIRST = datetime(2025, 1, 1, tzinfo=UTC)
"""No archive of this program's is older. Computers without a clock of their own begin with 1970, or with 2000."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """By which it is seen that a file is still the one that was judged."""

    device: int
    inode: int
    size: int
    modified: int
    """Nanoseconds since 1970."""

    @classmethod
    def of(cls, path: Path) -> FileIdentity:
        """Of the file itself, not of what a link leads to. Raises :class:`OSError`."""
        found = path.lstat()
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


Identity: TypeAlias = FileIdentity | State


def identity_of(path: Location) -> Identity | None:
    """Of what lies there now. Raises :class:`OSError`, and what :meth:`.Place.state` raises."""
    return FileIdentity.of(path) if isinstance(path, Path) else path.state()


@dataclass(frozen=True, slots=True)
class Backup:
    """An archive that says whose it is and when it was made."""

    path: Location
    identity: Identity
    at: datetime
    user_id: str
    what: str
    """What it holds of the account, and whether it was all: equal texts are of the same kind."""
    scope: str
    """The same for people."""
    complete: bool | None
    """False where its writer knew that something was missing; None where nobody knows, as outside a seal."""
    opens: bool
    """Not sealed, or the passphrase opens it."""


@dataclass(frozen=True, slots=True)
class Other:
    """A file that is called like an archive and is left alone."""

    path: Location
    why: str
    damaged: bool = False


def files(folder: Path | Folder, passphrase: Callable[[], str] | None = None) -> Iterator[Backup | Other]:
    """What the files ``*.mana`` of a folder are, by name; the ``passphrase`` opens those that it opens.

    Hidden files, other names and what lies in folders below are passed over. Raises :class:`NotFoundError`,
    :class:`UsageError` for a
    file in its place, :class:`OutputError`.
    """
    for path in filter(_is_archive, listed(folder)) if isinstance(folder, Path) else folder.archives():
        yield _judged(path, passphrase)


def _is_archive(path: Path) -> bool:
    return path.suffix == ENDING and path.name[0] != "."


def listed(folder: Path) -> list[Path]:
    """What lies in a folder. Raises :class:`NotFoundError`, :class:`UsageError` for a file, :class:`OutputError`."""
    try:
        with reading_from(folder):
            return sorted(folder.iterdir())
    except FileNotFoundError:
        if folder.exists():
            raise UsageError(f"{printable(str(folder))} is a file; a folder with archives in it is wanted") from None
        raise NotFoundError(f"{printable(str(folder))} does not exist") from None


def _judged(path: Location, passphrase: Callable[[], str] | None) -> Backup | Other:
    identity: Identity | None = None
    try:
        if isinstance(path, Path) and not stat.S_ISREG(path.lstat().st_mode):
            return Other(path, LINK)
        identity = identity_of(path)
        if identity is None:
            return Other(path, GONE)
        manifest, opens = _manifest(path, passphrase)
    except OlderArchiveError:
        return Other(path, OLDER)
    except DamagedArchiveError as error:
        if error.code == "notAnArchive":
            empty = identity is not None and identity.size == 0  # whose writer may have died
            return Other(path, NOT_AN_ARCHIVE, damaged=empty)
        return Other(path, f"damaged: {error.message}", damaged=True)
    except (OSError, NotFoundError, OutputError) as error:
        return Other(path, f"it cannot be read: {getattr(error, 'strerror', None) or error}")
    return _described(path, identity, manifest, opens=opens)


def _manifest(path: Location, passphrase: Callable[[], str] | None) -> tuple[Manifest, bool]:
    """The manifest that counts, and whether the archive opens."""
    with ExitStack() as stack:
        outer = open_outer(path)
        stack.enter_context(outer.resources)
        if not outer.manifest.sealed:
            return outer.manifest, True
        if passphrase is None:
            return outer.manifest, False
        outside = outer.manifest
    try:
        with open_archive(path, passphrase) as archive:
            return archive.manifest, True
    except WrongPassphraseError:
        return outside, False


def _described(path: Location, identity: Identity, manifest: Manifest, *, opens: bool) -> Backup | Other:
    if not manifest.produced_by.startswith(_PRODUCT):
        return Other(path, NOT_OURS)
    if manifest.user_id == _NOBODY:
        return Other(path, PRIVATE if manifest.sealed and not opens else NAMELESS)
    try:
        at = datetime.fromtimestamp(parse_timestamp(manifest.exported_at) / 1e6, UTC)
    except (ValueError, OverflowError, OSError):
        return Other(path, TIMELESS)
    if at < _FIRST:
        return Other(path, WRONG_TIME)
    complete = None if manifest.status is None else manifest.status == "complete"
    kind = [manifest.raw["scope"], manifest.raw.get("filter"), manifest.raw.get("rekeyedFor"), complete is not False]
    what = jsontext.dumps(kind).decode()
    return Backup(path, identity, at, manifest.user_id, what, _scope(manifest), complete, opens)


def _scope(manifest: Manifest) -> str:
    scope, left_out = manifest.raw["scope"], manifest.raw.get("filter")
    apps = scope.get("appIds") if isinstance(scope, dict) else None
    words = "everything"
    if isinstance(apps, list):
        words = f"apps {', '.join(str(app) for app in apps)}"
    elif left_out:
        words = "all apps"
    return words if not left_out else f"{words}, filtered by {jsontext.dumps(left_out).decode()}"
