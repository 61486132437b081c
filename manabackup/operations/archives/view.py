"""View: a page that opens archives by itself, with an archive inside or without one; and whether a page is ours.

A page tells nothing that the archive in it does not tell: a sealed archive stays sealed inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ...archive.destination import Destination, named, opened, writing
from ...archive.named import damage_named
from ...archive.places import Location
from ...archive.reader import open_archive, open_outer
from ...archive.sources import reading
from ...crypto.fields import FieldCipher
from ...errors import DamagedArchiveError
from ...limits import DEFAULT_LIMITS, MIB, Limits
from ...rows.problem import Problem
from ...viewer.page import LINE_BYTES, ViewerPage, code
from ...viewer.pagefile import PageFile, looks_like_page, read_page
from ..progress import Watch
from .verify import VerifyReport, verify

INLINE_LIMIT = 64 * MIB
"""Bytes of an archive that a page carries, if nothing else is said: browsers hold all of a page in memory."""
_PIECE = LINE_BYTES * 1024
ALTERED = "its code is none that manabackup writes, in this version or an earlier one: do not type a passphrase into it"


@dataclass(frozen=True, slots=True)
class ViewResult:
    """A page that was written."""

    page: Location
    bytes: int
    archive: Location | None
    """What it carries."""
    sealed: bool
    digest: str
    """Of its code, lower-case hex."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``view --json`` prints."""
        return {
            "page": str(self.page),
            "bytes": self.bytes,
            "archive": None if self.archive is None else str(self.archive),
            "sealed": self.sealed,
            "digest": self.digest,
        }


def fits(archive: Location, inline_limit: int) -> bool:
    """Whether an archive is one that a page of ``inline_limit`` bytes of it carries.

    Raises what :func:`~manabackup.archive.reader.open_outer` raises for a file that is no archive.
    """
    outer = open_outer(archive)
    outer.resources.close()
    return outer.size <= inline_limit


def view(archive: Location | None, target: Destination, *, force: bool = False) -> ViewResult:
    """Write a page to ``target``: with ``archive`` inside, byte for byte as it is, or one that takes any file.

    Before that all of it is checked that can be without a passphrase: who makes a page to keep it keeps no damage.

    Raises :class:`DamagedArchiveError` and :class:`OlderArchiveError` for what the page would not open either,
    :class:`NotFoundError`, :class:`OutputError`.
    """
    output = opened(target, force=force)
    written = 0
    sealed = False
    with writing(target), output as file:
        if archive is None:
            parts = ViewerPage(None).parts(())
        else:
            sealed = _checked(archive)
            parts = ViewerPage(archive.name).parts(_pieces(archive))
        for part in parts:
            file.write(part)
            written += len(part)
    return ViewResult(named(target), written, archive, sealed, code().digest())


def _checked(path: Location) -> bool:
    """Whether an archive is sealed."""
    outer = open_outer(path)
    with outer.resources, damage_named(path):
        if outer.manifest.sealed:
            outer.check_sealed_body()
            return True
    with open_archive(path) as archive:
        for name in archive.reader.container.entries:
            for _ in archive.reader.chunks(name):
                pass
    return False


def is_page(path: Location) -> bool:
    """Whether a file is a page, or means to be one. Raises :class:`NotFoundError`."""
    with reading(path) as source:
        try:
            return looks_like_page(source)
        except DamagedArchiveError:
            return False  # nobody can read it; whoever opens it says so


@dataclass
class PageReport:
    """What was found in a page."""

    page: Location
    digest: str | None
    version: str | None
    """The version of manabackup that writes such a page; None: none does."""
    problems: list[Problem]
    carried: VerifyReport | None
    """Of the archive inside; None where there is none, or the page could not be taken apart."""

    @property
    def ok(self) -> bool:
        """The code is ours, and the archive inside is whole."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The object that ``verify --json`` prints: that of the archive inside, and ``page``."""
        inside = (self.carried or VerifyReport(self.page)).to_json()
        return {
            **inside,
            "ok": self.ok,
            "problems": [problem.to_json() for problem in self.problems],
            "page": {"digest": self.digest, "version": self.version, "carries": self.carried is not None},
        }


def verify_page(
    path: Location,
    passphrase: Callable[[], str] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    allow_weak_kdf: bool = False,
    cipher: FieldCipher | None = None,
    progress: Watch | None = None,
) -> PageReport:
    """Check a page's code against those that manabackup writes, and the archive inside as :func:`verify` does.

    Of a page whose code is altered the archive is checked, too: it may be all that somebody has. Raises as
    :func:`verify` does.
    """
    with reading(path) as source:
        try:
            found = read_page(source)
        except DamagedArchiveError as error:
            return PageReport(path, None, None, [Problem(error.code, error.where, error.problem, error.hint)], None)
        report = PageReport(path, found.digest, found.version, _altered(found), None)
        if found.archive is not None:
            report.carried = verify(
                path,
                passphrase,
                limits=limits,
                allow_weak_kdf=allow_weak_kdf,
                cipher=cipher,
                progress=progress,
                source=found.archive,
            )
            report.problems += report.carried.problems
        return report


def _altered(page: PageFile) -> list[Problem]:
    return [Problem("page", None, ALTERED)] if page.version is None else []


def _pieces(archive: Location) -> Iterator[bytes]:
    """An archive in pieces of whole lines of base64."""
    with reading(archive) as source:
        for at in range(0, source.size, _PIECE):
            yield source.read_at(at, _PIECE)
