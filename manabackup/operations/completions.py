"""What a shell may complete: names of apps, tables, formats and profiles. Nothing fails; there is less to offer."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..errors import ManabackupError
from ..model import registry

_SESSION = "session.json"


def app_names() -> list[str]:
    """The apps that this version knows."""
    return [str(app) for app in registry.load().apps]


def table_names(archive: Path | None = None) -> list[str]:
    """The tables of an archive that opens without a passphrase, else those that this version knows."""
    if archive is not None:
        from ..archive.reader import open_archive

        with suppress(ManabackupError, OSError, ValueError), open_archive(archive) as opened:
            return opened.tables
    return [table.name for table in registry.load().tables]


def format_names() -> list[str]:
    """What ``convert`` makes."""
    from ..conversion.formats import FORMATS

    return ["mana", *FORMATS]


def profile_names(configured: tuple[str, ...], state: Path) -> list[str]:
    """The profiles of the configuration, and those that somebody is signed in with."""
    signed_in: list[str] = []
    with suppress(OSError):
        signed_in = sorted(file.parent.name for file in (state / "profiles").glob(f"*/{_SESSION}"))
    return list(dict.fromkeys((*configured, *signed_in)))
