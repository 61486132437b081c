"""Archives by themselves: describe, verify, list, seal, unseal, convert.

What every use case of archives begins with stands here, for whoever is above.
"""

from collections.abc import Callable

from ...archive.places import Location
from ...archive.reader import Archive, open_archive
from ...archive.writer import Seal, Written
from ...rows.archived import require_mana

__all__ = ["Archive", "Seal", "Written", "open_archive", "open_of_mana"]


def open_of_mana(
    path: Location, passphrase: Callable[[], str] | None = None, *, allow_weak_kdf: bool = False
) -> Archive:
    """:func:`open_archive` for what only rows of Mana's are of use for; any other raises :class:`UsageError`."""
    archive = open_archive(path, passphrase, allow_weak_kdf=allow_weak_kdf)
    try:
        require_mana(archive.manifest)
    except BaseException:
        archive.close()
        raise
    return archive
