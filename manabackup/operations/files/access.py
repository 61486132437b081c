"""How an account's files are come by: its store beside the mirror, and the services that its settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..account.access import AccountAccess, OpenAccount
from ..account.state import make_room
from .packing import FileSource
from .services import addresses, services
from .store import FileStore


@contextmanager
def file_source(access: AccountAccess, account: OpenAccount, *, foreign: bool = False) -> Iterator[FileSource]:
    """Where the files of an open account come from: its store, and without ``offline`` the services.

    ``foreign``: other people's servers may be asked, too. Raises :class:`UsageError` where nobody says where the
    services are, :class:`ServerError`, :class:`OutputError`.
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
