"""``profile export``: one person's rows as an archive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from ...archive.destination import Destination
from ...archive.writer import Seal
from ...host.processes import InOrder, cores_for
from ...host.spooling import spool_files
from ...rows.completeness import Case
from ...sources.profile import Profile
from ..progress import Step, Watch, sending, teller
from .making import make
from .person import DatabaseExport, HowToWrite, TableRows, readers_of, write_archive
from .reading import TableReader
from .stores import StorePlaces, open_stores, refuse


def export_rows(
    profile: Profile,
    places: StorePlaces,
    user: str,
    target: Destination,
    *,
    derived: bool = False,
    seal: Seal | None = None,
    force: bool = False,
    dated: datetime | None = None,
    progress: Watch | None = None,
) -> DatabaseExport:
    """Writes what ``user`` owns, and what the profile grants of others' rows, out of one snapshot of each database.

    ``derived`` takes columns along that can be computed again. ``dated`` is what the manifest says of when. Raises
    :class:`~manabackup.errors.SourceError` for a database that is not as the profile says, before anything is written,
    :class:`~manabackup.errors.NotFoundError` where nothing is anybody's of that name, and what the destination raises.
    """
    with open_stores(profile, places) as stores:
        refuse(stores.findings())
        whose = stores.whose(user)
        stores.check_proofs(whose)
        readers = readers_of(stores, derived=derived)
        makers = [maker for reader in readers for maker in reader.makers]
        first = {reader.archived_as: makers.index(reader.makers[0]) for reader in readers}
        make_file = spool_files(target)
        tell = teller(progress, Step.EXPORT)
        # Processes are forked while there is no thread yet.
        with InOrder(partial(make, makers), cores_for(stores.size())) as making:

            def rows(reader: TableReader, note: Callable[[Case], object]) -> TableRows:
                found, lines = reader.read(whose, making, first[reader.archived_as], note, make_file)
                return TableRows(found.bytes, lines, lambda: found)

            return write_archive(
                stores,
                whose,
                readers,
                rows,
                target,
                make_file=make_file,
                how=HowToWrite(derived=derived, seal=seal, force=force, dated=dated),
                written=lambda done: tell(done, len(readers)),
                sent=sending(progress),
            )
