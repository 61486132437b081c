"""How an account's files are come by: its store beside the mirror, and the services that keep them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...remote.session import TokenSource
from ..account.access import AccountAccess, OpenAccount
from ..account.key import AccountKey
from ..account.state import make_room
from .packing import FileSource
from .services import MEDIA_URL, Addresses, addresses, services
from .store import FileStore


@contextmanager
def file_source(
    folder: Path,
    key: AccountKey,
    tokens: TokenSource | None = None,
    *,
    media_url: str = MEDIA_URL,
    api_url: str | None = None,
    foreign: bool = False,
) -> Iterator[FileSource]:
    """Where an account's files come from, until the block ends: its media service, by way of a store in ``folder``.

    The folder is made if need be, belongs to one account, and is used by one process at a time; what was fetched once
    is kept there, encrypted. ``tokens`` are a connection's; without them no server is asked, and there is what the
    store has. ``api_url`` is Mana's API, which keeps documents and songs; without it they count as unavailable.
    ``foreign``: other people's servers may be asked, too. Raises :class:`UsageError` for addresses that are none,
    :class:`OutputError`.
    """
    make_room(folder)
    with FileStore(folder, key.cipher) as store:
        if tokens is None:
            yield FileSource(store)
            return
        with services(Addresses(media_url, api_url), tokens, foreign=foreign) as asked:
            yield FileSource(store, asked)


@contextmanager
def configured_files(access: AccountAccess, account: OpenAccount, *, foreign: bool = False) -> Iterator[FileSource]:
    """The same for an open account: its own store, and without ``offline`` the services that its settings name.

    Raises :class:`UsageError` where nobody says where the services are, :class:`ServerError`, :class:`OutputError`.
    """
    with account_store(access, account) as store:
        if account.connection is None:
            yield FileSource(store)
            return
        where = addresses(access.settings)
        with services(where, account.connection.tokens, foreign=foreign) as asked:
            yield FileSource(store, asked)


def account_store(access: AccountAccess, account: OpenAccount) -> FileStore:
    """The store of an open account."""
    folder = access.state.files_folder(account.mirror.sync_url, account.mirror.user_id)
    make_room(folder)
    return FileStore(folder, account.key.cipher)
