"""Which users there are, for whoever writes each one's archive by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ...sources.mana_database import opened
from .all_users import HUMAN, file_names
from .one_user import DatabasePlaces


@dataclass(frozen=True, slots=True)
class Users:
    """Users of a database."""

    names: Mapping[str, str]
    """Of those who are wanted: a name of a file, for each another one, and whose it is."""
    left_out: Mapping[str, int]
    """Kind → how many others there are."""


def users(places: DatabasePlaces, *, kinds: Collection[str] = (HUMAN,)) -> Users:
    """Those of some kinds. Raises what reading the databases raises."""
    with opened(places.changes, places.accounts, kek=False) as (accounts, _):
        everybody = [account.user for account in accounts.accounts()]
    files = file_names([user.id for user in everybody if user.kind in kinds])
    return Users(
        {file.removesuffix(".mana"): user for user, file in files.items()},
        Counter(user.kind for user in everybody if user.kind not in kinds),
    )
