"""The spaces of an account: which there are, of which types, and which one is personal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...errors import UsageError
from ...model.spaces import PERSONAL, SENTINEL, is_shared
from ...remote.connection import Connection
from ...text.printable import printable
from ...text.suggestions import did_you_mean

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class AccountSpaces:
    """What the account service says of an account's spaces."""

    types: Mapping[str, str] | None = None
    """Space id → type; None where the service cannot be asked."""
    personal: str | None = None
    """The account's personal space, if it is known."""


def account_spaces(
    connection: Connection, personal: str | None = None, *, unreadable: str | None = PERSONAL
) -> AccountSpaces:
    """The spaces of an account, as far as it can be asked for them; ``personal`` is its personal one, if it was named.

    A space whose type cannot be read counts as ``unreadable``: as a personal one, as in the web app, or with None as
    one of unknown type. Raises :class:`UsageError` where ``personal`` cannot be it, :class:`ServerError`,
    :class:`SignInError`.
    """
    spaces = connection.spaces()
    if spaces is None:
        require_own(personal, connection.user_id)
        return AccountSpaces(None, personal)
    known = {space.id: space.type for space in spaces if space.type is not None}
    require_own(personal, connection.user_id, known, [space.id for space in spaces])
    if personal is None:
        # There may be several that call themselves personal; the service marks the one that it made.
        candidates = sorted((space for space in spaces if space.type == PERSONAL), key=lambda space: space.tier is None)
        personal = candidates[0].id if candidates else None
    types = {space.id: space.type or unreadable for space in spaces}
    return AccountSpaces({id_: kind for id_, kind in types.items() if kind is not None}, personal)


def require_own(
    personal: str | None,
    user_id: str,
    types: Mapping[str, str] | None = None,
    members: Iterable[str] | None = None,
) -> None:
    """Raises :class:`UsageError` where ``personal``, the space that somebody named as their own, cannot be it.

    ``types`` are those of spaces as far as they are known, and ``members`` the spaces that the user is a member of,
    None where the account service did not say.
    """
    if personal is None:
        return
    refuse_stand_in(personal, user_id)
    if members is not None and not personal.startswith(SENTINEL):
        found = set(members)
        if personal not in found:
            raise no_member(personal, found)
    if is_shared(personal, types or {}):
        raise UsageError(f"the space {printable(personal)} is shared: it is not the account's own")


def refuse_stand_in(space: str, user_id: str) -> None:
    """Raises :class:`UsageError` for what stands for the personal space of another account."""
    if space.startswith(SENTINEL) and space != f"{SENTINEL}{user_id}":
        raise UsageError(f"{printable(space)} stands for the personal space of another account")


def no_member(space: str, members: Iterable[str]) -> UsageError:
    """What is said of a space that the account is no member of."""
    found = sorted(members)
    hint = did_you_mean(space, found) or spaces_named("its spaces are", found)
    return UsageError(f"the account is not a member of the space {printable(space)}", hint=hint)


def spaces_named(words: str, spaces: Iterable[str]) -> str | None:
    """A sentence with the first of some spaces; None where there are none."""
    found = sorted(spaces)
    if not found:
        return None
    return f"{words} {', '.join(map(printable, found[:_MOST_NAMED]))}" + (", …" if len(found) > _MOST_NAMED else "")
