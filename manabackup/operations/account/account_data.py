"""What the account service tells of an account besides its changes, and the source that an export reads of it all.

Each function takes the account's mirror and, but for work without the servers, a connection. Without one the mirror
speaks for the servers: what they said of vault and spaces is remembered there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from ...errors import ManabackupError
from ...mirror import Mirror
from ...model import registry
from ...remote.account import Space, data_export, settings
from ...remote.connection import Connection
from ...text import jsontext
from ...text.timestamps import format_timestamp
from .key import AccountKey, check_same_account, note_vault
from .source import Source

_SPACES = "spaces"
_MEMBERSHIPS = "memberships"


def remember_account(mirror: Mirror, connection: Connection) -> None:
    """Lets the mirror remember what an export without the servers needs besides the changes.

    That is the vault's wrapped key and, where there is a session, the types of the spaces. Raises
    :class:`ServerError`, :class:`SignInError`.
    """
    check_same_account(mirror, connection)
    note_vault(connection, mirror)
    found = connection.spaces()
    if found is None:
        _forget_memberships(mirror)
    else:
        _noted(found, mirror)


@contextmanager
def export_source(
    mirror: Mirror,
    key: AccountKey,
    connection: Connection | None = None,
    *,
    account_data: bool = True,
    account_data_at: datetime | None = None,
) -> Iterator[Source]:
    """What ``export`` needs: the mirror's present state, and what the account service says of the account.

    What the service does not give is no error: the export notes it. Without ``account_data`` it is not asked for its
    own data and the settings. ``account_data_at`` stands in place of the times at which the servers were asked for
    them, and searched, so that two exports of one state can be equal.
    """
    check_same_account(mirror, connection)
    notices: list[tuple[str, str]] = []
    pulled_at: str | None = None
    searched_at = mirror.searched_at
    account: Mapping[str, bytes] = {}
    if connection is None:
        spaces = _remembered_spaces(mirror)
        pulled_at = None if mirror.pulled_at is None else format_timestamp(mirror.pulled_at)
        if mirror.is_unfinished:
            notices.append(("pullUnfinished", "a run that wrote into the mirror was cut off"))
    else:
        spaces = _ask_spaces(connection, mirror, notices)
        if account_data:
            account = _ask_account_data(connection, account_data_at, notices) | _ask_settings(connection, notices)
        if searched_at is not None and account_data_at is not None:
            searched_at = account_data_at.isoformat()
    with mirror.snapshot() as snapshot:
        yield Source(
            snapshot,
            registry.load(),
            mirror.user_id,
            key.cipher,
            pulled_at=pulled_at,
            searched_at=searched_at,
            space_types=spaces.types,
            memberships=spaces.memberships,
            account=account,
            notices=notices,
        )


class _Spaces(NamedTuple):
    """What is known of an account's spaces."""

    types: Mapping[str, str]
    memberships: frozenset[str] | None = None


def _ask_spaces(connection: Connection, mirror: Mirror, notices: list[tuple[str, str]]) -> _Spaces:
    try:
        found = connection.spaces()
        unknown = "an access token does not tell them; a login does"
    except ManabackupError as error:
        found, unknown = None, error.message
    if found is not None:
        return _noted(found, mirror)
    notices.append(("spaceTypesUnknown", unknown))
    _forget_memberships(mirror)
    return _remembered_spaces(mirror)


def _noted(found: Sequence[Space], mirror: Mirror) -> _Spaces:
    """Lets the mirror remember what the service told of the spaces."""
    types = {space.id: space.type for space in found if space.type is not None}
    memberships = frozenset(space.id for space in found)
    mirror.remember(_SPACES, jsontext.dumps(types).decode())
    mirror.remember(_MEMBERSHIPS, jsontext.dumps(sorted(memberships)).decode())
    return _Spaces(types, memberships)


def _remembered_spaces(mirror: Mirror) -> _Spaces:
    memberships = jsontext.parse(mirror.recall(_MEMBERSHIPS) or "null")
    return _Spaces(
        jsontext.parse(mirror.recall(_SPACES) or "{}"), None if memberships is None else frozenset(memberships)
    )


def _forget_memberships(mirror: Mirror) -> None:
    """What the mirror holds may be newer than they are: of a space that was joined since, nobody would know.

    Types stay: a space keeps its own.
    """
    mirror.remember(_MEMBERSHIPS, "null")


def _ask_account_data(connection: Connection, at: datetime | None, notices: list[tuple[str, str]]) -> dict[str, bytes]:
    try:
        content = data_export(connection.auth, connection.tokens)
    except ManabackupError as error:
        notices.append(("accountDataMissing", error.message))
        return {}
    if content is None:
        notices.append(("accountDataMissing", "the account service has none"))
        return {}
    if at is not None:
        answer = jsontext.parse(content)
        if isinstance(answer, dict) and "exportedAt" in answer:
            content = jsontext.dumps({**answer, "exportedAt": at.isoformat()})
    return {"data.json": content}


def _ask_settings(connection: Connection, notices: list[tuple[str, str]]) -> dict[str, bytes]:
    try:
        return {"settings.json": settings(connection.auth, connection.tokens)}
    except ManabackupError as error:
        notices.append(("accountSettingsMissing", error.message))
        return {}
