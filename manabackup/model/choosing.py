"""Which tables somebody means who names apps and tables; every ``--app`` and ``--table`` is read here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ..errors import UsageError
from ..text.printable import printable
from ..text.suggestions import did_you_mean
from .registry import Registry

_LISTED = "`manabackup info FILE` lists the tables"
_ARCHIVE = "the archive has no"


def app_of(table: str, registry: Registry) -> str:
    """A table's app. Those of collections that the registry does not know have it at the beginning of their names."""
    known = registry.by_name.get(table)
    return known.app if known is not None else table.partition(".")[0]


def apps_of(tables: Iterable[str], registry: Registry) -> dict[str, str]:
    """Table → app, of an archive's tables."""
    return {name: app_of(name, registry) for name in tables}


def chosen_tables(
    existing: Mapping[str, str],
    apps: Collection[str],
    tables: Collection[str],
    *,
    lacking: str = _ARCHIVE,
    hint: str | None = _LISTED,
) -> list[str]:
    """Those of ``existing``, table → app, that are of one of the ``apps`` and among the ``tables``; none named: all.

    Raises :class:`UsageError` for an app or table that does not exist, with the words ``lacking`` before it and, where
    nothing is called much alike, with ``hint``; and for apps and tables that have nothing in common.
    """
    for what, wanted, there in (("app", apps, set(existing.values())), ("table", tables, existing.keys())):
        for name in wanted:
            if name not in there:
                raise UsageError(f"{lacking} {what} {printable(name)}", hint=did_you_mean(name, there) or hint)
    chosen = [name for name, app in existing.items() if (not apps or app in apps) and (not tables or name in tables)]
    if (apps or tables) and not chosen:
        raise UsageError("none of the tables belongs to one of the apps")
    return chosen
