"""An archive beside the account as it is now.

The account is taken as an archive that nobody else can read and that is gone when it is closed. It is sealed under a
passphrase that is made for it and kept in memory, so that no plaintext touches the disk, and it has no name any more
while it is read.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ...archive.manifest import Manifest
from ...archive.reader import Archive, open_archive
from ...archive.writer import Seal
from ...rows.archived import require_mana
from ...text.jsontext import JSON
from ..export import Selection, Source, export
from ..progress import Watch
from .diff import Diff, Side, diff

_NAME = "account.live"
"""A killed run may leave it behind; nobody can open it, and the next run replaces it."""


@contextmanager
def live_archive(
    source: Source,
    selection: Selection,
    folder: Path,
    *,
    progress: Watch | None = None,
) -> Iterator[Archive]:
    """What an export of ``source`` would hold, written to ``folder``. Raises what :func:`export` raises."""
    passphrase = secrets.token_urlsafe(32)
    path = folder / _NAME
    try:
        path.unlink(missing_ok=True)
        export(source, path, selection=selection, seal=Seal(passphrase), progress=progress)
        archive = open_archive(path, lambda: passphrase)
    finally:
        path.unlink(missing_ok=True)
    with archive:
        yield archive


@dataclass(frozen=True, slots=True)
class ArchiveScope:
    """What of an account an archive is about."""

    selection: Selection
    """The same for an export of now."""
    as_of: str | None
    """When the archive shows an earlier state on purpose."""
    nameless_spaces: bool
    """It was narrowed to spaces that it does not name any more."""


def scope_of(manifest: Manifest) -> ArchiveScope:
    """What an archive's manifest says was left out on purpose.

    Raises :class:`~manabackup.errors.UsageError` for rows that are not Mana's.
    """
    require_mana(manifest)
    scope, stated = manifest.raw["scope"], manifest.raw.get("filter")
    filtered: dict[str, JSON] = stated if isinstance(stated, dict) else {}
    apps = _texts(scope.get("appIds")) if isinstance(scope, dict) and scope.get("type") == "filtered" else ()
    spaces = _texts(filtered.get("spaces"))
    named = tuple(space for space in spaces if not space.startswith("#"))
    as_of = filtered.get("asOf")
    return ArchiveScope(
        Selection(
            apps=apps,
            tables=_texts(filtered.get("tables")),
            spaces=named,
            include_deleted=filtered.get("deleted") is True,
        ),
        as_of if isinstance(as_of, str) else None,
        nameless_spaces=len(named) < len(spaces),
    )


def diff_live(
    one: Side,
    source: Source,
    folder: Path,
    *,
    apps: Collection[str] = (),
    tables: Collection[str] = (),
    ignored_fields: Collection[str] = (),
    with_identity: bool = False,
    with_values: bool = False,
    progress: Watch | None = None,
) -> Diff:
    """What must change for an archive to become what the account is now, as far as the archive is about it.

    An archive of a part of the account (:func:`scope_of`) is compared with the same part. For a time a copy of it lies
    in ``folder``, sealed under a passphrase that nobody has. The other parameters are those of
    :func:`~manabackup.operations.compare.diff.diff`. ``progress`` is told of :attr:`Step.EXPORT` and ``COMPARE``.

    Raises what :func:`export` and :func:`diff` raise.
    """
    selection = _within(scope_of(one.archive.manifest).selection, source)
    with live_archive(source, selection, folder, progress=progress) as copy:
        return diff(
            one,
            Side(copy),
            apps=apps,
            tables=tables,
            ignored_fields=ignored_fields,
            with_identity=with_identity,
            with_values=with_values,
            progress=progress,
        )


def _within(selection: Selection, source: Source) -> Selection:
    """Without apps that the account does not have (any more): an export refuses to look for them."""
    held = {collection.app for collection in source.mirror.collections()}.union(source.registry.apps)
    return replace(selection, apps=[app for app in selection.apps if app in held] or selection.apps)


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
