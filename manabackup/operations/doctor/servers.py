"""The servers: on which way they are reached, whether they answer, whose clock is wrong, and whether they know us."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from uuid import uuid4

from ...errors import JSONTextError, ServerError, SignInError, SubscriptionError
from ...limits import DEFAULT_LIMITS
from ...model import registry
from ...remote.answers import Answer
from ...remote.connection import Connection, connect
from ...remote.request import Request
from ...remote.session import SIGN_IN_HINT, Session, StaticToken, TokenSource, user_id
from ...remote.sync import SyncClient
from ...remote.transport import Transport, is_loopback, is_never_passing
from ...remote.vault import VaultClient
from ...text.printable import one_line, printable
from ...text.timestamps import FAR_FUTURE, format_timestamp, parse_timestamp
from ..account.settings import AccountSettings
from ..account.state import StateFolder
from .checks import Check, attention, broken, unknown, well

IMPATIENT: Final = replace(DEFAULT_LIMITS, attempts=2, request_seconds=15.0, connect_seconds=8.0)
CLOCK_SLACK: Final = timedelta(minutes=2)
"""How wrong a clock may be before times of changes and sessions are."""
SESSION_LIFE: Final = timedelta(days=7)
"""After its last use."""
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def way(environ: Mapping[str, str]) -> Iterator[Check]:
    """Proxies and certificates."""
    proxies = getproxies()
    address = proxies.get("https") or proxies.get("all")
    if not address:
        yield well("proxy", "none")
    else:
        named = next((name for name in _PROXY_VARIABLES if environ.get(name)), "the system's settings")
        try:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            host = parts.hostname if parts.scheme in ("http", "https") else None
            _ = parts.port
        except ValueError:
            host = None
        if host is None:
            found = f"{named} is not an http:// or https:// address"
            yield broken("proxy", found, f"mend or unset {named}; requests go through it")
        else:
            port = f":{parts.port}" if parts.port else ""
            yield well("proxy", f"{one_line(host)}{port}, from {named}")
    yield from _certificates(environ)


def _certificates(environ: Mapping[str, str]) -> Iterator[Check]:
    for name in _CERTIFICATES:
        if environ.get(name):
            path = Path(environ[name])
            try:
                readable = os.access(path, os.R_OK) and (path.is_dir() if name == "SSL_CERT_DIR" else path.is_file())
                if readable and name == "SSL_CERT_FILE":
                    ssl.create_default_context(cafile=str(path))
            except (OSError, ValueError):
                readable = False
            if not readable:
                yield broken(
                    "certificates", f"what {name} names cannot be read as certificates", f"mend or unset {name}"
                )
                return
            yield well("certificates", f"{printable(str(path))}, from {name}")
            return
    paths = ssl.get_default_verify_paths()
    yield well("certificates", f"the system's ({paths.cafile or paths.capath or 'its own store'})")


@dataclass(slots=True)
class Servers:
    """Both servers, asked once; what later questions need of the answers."""

    settings: AccountSettings
    reachable: bool = True
    """Whether both answered."""
    clock: timedelta | None = None
    """How far this computer's clock is ahead of the server's; None where no server said."""

    def answer(self) -> Iterator[Check]:
        """Whether they answer at all."""
        for what, url in (("auth", self.settings.auth_url), ("sync", self.settings.sync_url)):
            try:
                with Transport(url, limits=IMPATIENT) as server:
                    before = datetime.now(UTC)
                    answer = server.request(Request("GET", "/health"), passing=is_never_passing)
                    here = before + (datetime.now(UTC) - before) / 2
            except ServerError as error:
                self.reachable = False
                yield broken(what, f"{printable(url)}: {error.message}", error.hint or _unreachable(what, url))
                continue
            there = _server_time(answer)
            if there is not None:
                self.clock = here - there
            if answer.status >= 500 or (what == "sync" and answer.status != 200):
                self.reachable = False
                yield broken(what, f"{printable(url)}: {answer.words()}", "wait a while, or ask those who run it")
            else:
                yield well(what, f"{printable(url)} answers")

    def time(self) -> Iterator[Check]:
        """This computer's clock, against the server's."""
        if self.clock is None:
            yield unknown("clock", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC here; no server said what time it is")
        elif abs(self.clock) <= CLOCK_SLACK:
            yield well("clock", "as the server's")
        else:
            minutes = abs(self.clock) / timedelta(minutes=1)
            which = "ahead of" if self.clock > timedelta() else "behind"
            advice = "set it by the network: `timedatectl set-ntp true`, or in the system's settings"
            yield broken("clock", f"{minutes:,.0f} minutes {which} the server's", advice)


def _unreachable(what: str, url: str) -> str:
    proxies = getproxies()
    host = urlsplit(url).hostname or ""
    if (proxies.get("https") or proxies.get("all")) and not is_loopback(host) and not proxy_bypass(host):
        return "it is asked for by way of the proxy: is that right?"
    return f"is the network there, and is --{what}-url right? What was pulled before is exported with --offline"


def _server_time(answer: Answer) -> datetime | None:
    """What the answer says of the time: the sync server's own words, else HTTP's."""
    try:
        stated = answer.member("timestamp")
        if stated is not None:
            return datetime.fromtimestamp(parse_timestamp(stated) / 1e6, UTC)
        found = parsedate_to_datetime(answer.headers.get("date", ""))
        return found if found.tzinfo is not None else None
    except (ValueError, JSONTextError):
        return None


class SignedInAccount:
    """Whoever is signed in, without asking anybody for a secret."""

    def __init__(self, settings: AccountSettings, state: StateFolder, token: Callable[[], str | None]) -> None:
        self._settings = settings
        self._state = state
        self._token = token
        self.user_id: str | None = None

    def examine(self, servers: Servers) -> Iterator[Check]:
        """The session and its end, the vault, the subscription."""
        token = self._token()
        who: Session | TokenSource | None = StaticToken(token) if token is not None else None
        if who is None:
            who = self._state.sessions(self._settings.profile).load()
        if who is None:
            yield broken("session", "nobody is signed in", "`manabackup login`, or an access token with --token-file")
            return
        if isinstance(who, Session):
            self.user_id = who.user_id
        elif isinstance(who, StaticToken):
            self.user_id = user_id(who.token())
        if not servers.reachable:
            yield unknown("session", f"{self._whose(who)}; whether it still lives, only the server knows")
            return
        auth_url, sync_url = self._settings.auth_url, self._settings.sync_url
        with connect(who, auth_url=auth_url, sync_url=sync_url, limits=IMPATIENT) as connection:
            connection.tokens.token()
            yield self._alive(who)
            yield from _vault(connection)
            yield from _subscription(connection)

    def _alive(self, who: Session | TokenSource) -> Check:
        if not isinstance(who, Session):
            return well("session", self._whose(who))
        end = datetime.now(UTC) + SESSION_LIFE
        return well("session", f"{self._whose(who)}; it ends on {end:%Y-%m-%d} unless it is used before")

    def _whose(self, who: Session | TokenSource) -> str:
        if isinstance(who, Session):
            return f"signed in as {one_line(who.email)} (user {one_line(who.user_id)})"
        return f"user {one_line(str(self.user_id))}, by access token"


def _vault(connection: Connection) -> Iterator[Check]:
    vault = VaultClient(connection.auth, connection.tokens).status()
    if not vault.exists:
        yield attention("vault", "none: nothing is encrypted on the server", "set one up in Mana's settings")
    elif vault.zero_knowledge:
        yield well("vault", "zero-knowledge: exports need the recovery code")
    else:
        yield well("vault", "standard: the server knows the key")


def _subscription(connection: Connection) -> Iterator[Check]:
    table = registry.load().tables[0]
    client = SyncClient(connection.sync, connection.tokens, str(uuid4()))
    try:
        client.pull(table.app, table.collection, format_timestamp(FAR_FUTURE))
    except SubscriptionError as error:
        yield broken("subscription", "inactive: the server refuses reads too", error.hint)
    except SignInError as error:
        yield broken("subscription", error.message, error.hint or SIGN_IN_HINT)
    else:
        yield well("subscription", "active")
