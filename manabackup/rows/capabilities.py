"""Secrets and capabilities that stand in rows: whoever holds one can do something with the account it was made in.

The password of a short link, the token that shows an unlisted row to anybody, the token of a guest's invitation, the
data key of a mission that runs on the server. Another account has no use for them, and its owner, its helpers and its
server are not to have them: they do not leave (``formats/mana-v2.md``, "Rekeyed archives").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ..text.jsontext import JSON
from .identity import TOKEN

OF_TABLE: Final[Mapping[str, frozenset[str]]] = {
    "links": frozenset({"password"}),
    "socialEvents": frozenset({"publicToken"}),
    "eventInvitations": frozenset({"token"}),
    "aiMissions": frozenset({"grant"}),
}
"""Table → its fields of that kind, but for :data:`TOKEN`, which any table may have and which goes with visibility."""

_ANY = frozenset[str]().union(*OF_TABLE.values())


def capability_fields(table: str, *, known: bool = True) -> frozenset[str]:
    """The fields of a table that hold one. Of a table that is not ``known``: all fields that are called so anywhere."""
    return (OF_TABLE.get(table, frozenset()) if known else _ANY) | {TOKEN}


def within(names: Iterable[str], fields: frozenset[str]) -> list[str]:
    """The names of fields, or of paths into them, that are among ``fields``."""
    return [name for name in names if name in fields or ("." in name and name.partition(".")[0] in fields)]


def held(values: Mapping[str, JSON], fields: frozenset[str]) -> list[str]:
    """Those of ``fields`` in which a row holds anything, sorted."""
    return sorted(name for name in within(values, fields) if values[name] is not None)
