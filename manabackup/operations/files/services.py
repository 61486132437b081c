"""The servers that files come from, and what may be asked of which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ...errors import UsageError
from ...limits import DEFAULT_LIMITS, Limits
from ...remote.addresses import AddressClient, is_inside, is_public
from ...remote.authorized import Authorized
from ...remote.media import API, MediaClient
from ...remote.session import TokenSource
from ...remote.storage import StorageClient
from ...remote.transport import Transport
from ...remote.web_app import service_addresses
from ..account.settings import AUTH_URL, AccountSettings

MEDIA_URL = "https://media.mana.how"
API_URL = "https://mana-api.mana.how"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the services are; None where nobody knows."""

    media: str | None
    api: str | None


@dataclass(frozen=True, slots=True)
class Services:
    """Who can be asked for files. None is somebody who is not asked."""

    media: MediaClient | None = None
    storage: StorageClient | None = None
    links: AddressClient | None = None
    """For the addresses that the API gives out."""
    foreign: AddressClient | None = None
    """For the addresses that rows hold and that are none of Mana's."""
    stop: Callable[[], object] = lambda: None
    """Ends everything that is under way."""


NOBODY = Services()
"""Without the servers."""


def addresses(settings: AccountSettings) -> Addresses:
    """Where an account's files are: as set, else as the web app's page says, else Mana's own where the account is.

    Raises :class:`UsageError` where the media service is nowhere named, :class:`ServerError`.
    """
    media, api = settings.media_url, settings.api_url
    if (media is None or api is None) and settings.web_url is not None:
        with Transport(settings.web_url) as web_app:
            found = service_addresses(web_app)
        media, api = media or found.media, api or found.api
    if settings.auth_url.rstrip("/") == AUTH_URL:
        media, api = media or MEDIA_URL, api or API_URL
    if media is None:
        raise UsageError(
            "nobody says where the files of this account are",
            hint="--media-url and --api-url name the services, --web-url the web app, whose page names them",
        )
    return Addresses(media, api)


@contextmanager
def services(
    where: Addresses,
    tokens: TokenSource,
    *,
    foreign: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    sleep: Callable[[float], object] | None = None,
) -> Iterator[Services]:
    """Clients of the services, until the block ends. ``foreign``: other servers may be asked, too.

    ``sleep`` waits for so many seconds between two attempts.

    Raises :class:`UsageError` for addresses that are none.
    """
    own = replace(limits, attempts=limits.file_attempts, stream_bytes=limits.file_bytes)
    strange = replace(own, attempts=1, stream_bytes=limits.foreign_file_bytes)
    with ExitStack() as stack:
        closing: list[Callable[[], object]] = []
        media = storage = links = others = None
        if where.media is not None:
            transport = stack.enter_context(Transport(origin(where.media), limits=own, sleep=sleep))
            closing.append(transport.close)
            media = MediaClient(transport)
        if where.api is not None:
            transport = stack.enter_context(Transport(origin(where.api), limits=own, sleep=sleep))
            closing.append(transport.close)
            storage = StorageClient(Authorized(transport, tokens))
            links = AddressClient(addresses=None if is_inside(transport.origin) else is_public, limits=own, sleep=sleep)
            closing.append(links.close)
        if foreign:
            others = AddressClient(limits=strange, seconds=limits.foreign_file_seconds, sleep=sleep)
            closing.append(others.close)

        def stop() -> None:
            for close in closing:
                close()

        stack.callback(stop)
        yield Services(media, storage, links, others, stop)


def origin(url: str) -> str:
    """The address as the web app has it: without the part that all paths begin with."""
    return url.rstrip("/").removesuffix(API)
