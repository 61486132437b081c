"""The spaces of an account: which there are, of which types, and which one is personal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...model.spaces import PERSONAL
from ...remote.account import organizations
from ...remote.connection import Connection


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
    one of unknown type. Raises :class:`ServerError`, :class:`SignInError`.
    """
    if connection.session is None:
        return AccountSpaces(None, personal)
    spaces = organizations(connection.auth, connection.session)
    if personal is None:
        # There may be several that call themselves personal; the service marks the one that it made.
        candidates = sorted((space for space in spaces if space.type == PERSONAL), key=lambda space: space.tier is None)
        personal = candidates[0].id if candidates else None
    types = {space.id: space.type or unreadable for space in spaces}
    return AccountSpaces({id_: kind for id_, kind in types.items() if kind is not None}, personal)
