"""The sandbox's accounts: users and what the account service knows of them, with doors for tests and generators.

What the service does over HTTP is in ``auth`` and its neighbours; this module is the service's memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from ..text import jsontext
from . import credentials
from .accountdb import AccountDatabase
from .clock import SYSTEM_CLOCK, Clock, iso
from .sessions import Session, Sessions
from .signin_limits import Lockout, RateLimits
from .spaces import Spaces
from .tokens import AUDIENCE, SigningKey, TokenRefused, claims_for_account, mailed_claims, sign_mailed, user_for_sync
from .vault import Mode, Vaults

TOKEN_S = 900
BOOTSTRAP_CLIENT = "system:bootstrap"
_SETTINGS: dict[str, jsontext.JSON] = {
    "globalSettings": {
        "nav": {"desktopPosition": "top", "sidebarCollapsed": False},
        "theme": {"mode": "system", "colorScheme": "ocean"},
        "locale": "de",
    },
    "appOverrides": {},
    "deviceSettings": {},
}
"""What a user has who has not changed any."""
_BOOTSTRAP_ACTOR = {"kind": "system", "displayName": "Bootstrap", "principalId": BOOTSTRAP_CLIENT}

OnBootstrap = Callable[[str, str, dict[str, jsontext.JSON]], None]
"""Takes user id, app and a change in the shape of a push, to be stored under the client id ``system:bootstrap``."""


@dataclass(frozen=True, slots=True)
class User:
    """One user. Times are milliseconds since 1970."""

    id: str
    email: str
    name: str
    email_verified: bool
    role: str
    access_tier: str
    two_factor_enabled: bool
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Activity:
    """How much the change log holds of a user in one collection, for the service's data summary."""

    app: str
    collection: str
    count: int
    last_at_us: int


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that the service would have sent."""

    recipient: str
    subject: str
    link: str


class Accounts:
    """All accounts. Safe to share between threads.

    ``issuer`` is the service's base URL and may be set once the port is known. ``production`` switches on the rate
    limits and the cookies' ``Secure``. ``on_bootstrap`` gets the rows that the service writes into the change log.

    Switches for what the measured service does wrong or may do wrong are plain attributes.
    """

    def __init__(
        self,
        database: str | Path = ":memory:",
        *,
        issuer: str = "http://127.0.0.1",
        clock: Clock = SYSTEM_CLOCK,
        production: bool = False,
        service_key: str = "dev-service-key",
        trusted_origins: frozenset[str] = frozenset({"http://localhost:5173"}),
        on_bootstrap: OnBootstrap | None = None,
    ) -> None:
        self.issuer = issuer
        self.production = production
        self.service_key = service_key
        self.trusted_origins = trusted_origins
        self.on_bootstrap = on_bootstrap
        self.activity: Callable[[str], list[Activity]] = lambda _: []
        self.erase: Callable[[str], int] = lambda _: 0
        """Called when a user deletes the account: removes the user's changes, gives their number."""
        self.jwks_outage = False
        """The servers cannot fetch the key set: they refuse every token, also valid ones."""
        self.two_factor_mended = False
        """The measured service fails at enabling the second factor and at every correct backup code; mended, not."""
        self.mails: list[Mail] = []

        self._clock = clock
        self._db = AccountDatabase(database)
        self._keys = SigningKey(self._db.secret("signing key"), self._db.secret("key id", 16).hex())
        self.secret = self._db.secret("cookies")
        self.sessions = Sessions(self._db)
        self.spaces = Spaces(self._db)
        self.vaults = Vaults(self._db)
        self.lockout = Lockout(self._db)
        self.rate_limits = RateLimits()
        self._registering = threading.Lock()

    def close(self) -> None:
        """Closes the database."""
        self._db.close()

    def now(self) -> int:
        """Milliseconds since 1970."""
        return self._clock() // 1_000_000

    # --- users

    def create_user(
        self,
        email: str,
        password: str,
        name: str,
        *,
        user_id: str | None = None,
        space_id: str | None = None,
        email_verified: bool = True,
        bootstrap: bool = True,
    ) -> User:
        """A new user with a personal space, and what the service writes into the change log at registration.

        ``bootstrap=False`` for a log that holds those rows already. Raises :class:`ValueError` for an address that is
        taken.
        """
        now = self.now()
        user = User(
            user_id or credentials.opaque_id(), email.lower(), name, email_verified, "user", "public", False, now, now
        )
        with self._registering, self._db.transaction():
            if self.user_of_email(email) is not None:
                raise ValueError(f"there is a user with the address {email}")
            self._db.write(
                "INSERT INTO users (id, email, name, password, email_verified, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(user.id, user.email, name, credentials.hash_password(password), int(email_verified), now, now),
            )
            space = self.spaces.create(
                user.id,
                name,
                user.email.partition("@")[0],
                {"tier": "public", "type": "personal"},
                now,
                space_id=space_id or credentials.nano_id(),
                member_id=credentials.nano_id(),
            )
            self.note_event(user.id, "REGISTER")
        self._bootstrap_space(user.id, space.id, write=bootstrap)
        self._bootstrap_user(user.id, write=bootstrap)
        return user

    def user(self, user_id: str) -> User | None:
        """One user by id."""
        return self._user(user_id, None)

    def user_of_email(self, email: str) -> User | None:
        """One user by address, in any case."""
        return self._user(None, email.lower())

    def user_of_password(self, email: str, password: str) -> User | None:
        """The user, if there is one and the password is right."""
        row = self._db.row("SELECT id, password FROM users WHERE email = ?", email.lower())
        if row is None or not credentials.password_matches(password, row["password"]):
            return None
        return self.user(row["id"])

    def password_fits(self, user_id: str, password: str) -> bool:
        """Whether it is this user's."""
        row = self._db.row("SELECT password FROM users WHERE id = ?", user_id)
        return row is not None and credentials.password_matches(password, row["password"])

    def delete_user(self, user_id: str) -> None:
        """With everything that the account service holds of the user; tokens go on being valid until they end.

        The singletons are changes of the user's, so that they are there to be written again.
        """
        owned = [f"space {space.id}" for space, role in self.spaces.of_user(user_id) if role == "owner"]
        with self._db.transaction():
            for owner in (f"user {user_id}", *owned):
                self._db.write("DELETE FROM singletons WHERE owner = ?", owner)
            self._db.write("DELETE FROM users WHERE id = ?", user_id)

    def _user(self, user_id: str | None, email: str | None) -> User | None:
        row = self._db.row(
            "SELECT id, email, name, email_verified, role, access_tier, two_factor_enabled, created_at, updated_at"
            " FROM users WHERE id = ? OR email = ?",
            *(user_id, email),
        )
        if row is None:
            return None
        found = dict(row)
        flags = {name: bool(found[name]) for name in ("email_verified", "two_factor_enabled")}
        return User(**{**found, **flags})

    # --- the second factor

    def enable_totp(
        self, user_id: str, *, secret: str | None = None, backup_codes: list[str] | None = None, confirmed: bool = True
    ) -> tuple[str, list[str]]:
        """Gives a user a second factor: the secret (base32) and the backup codes, chosen or drawn.

        It is asked for once it is ``confirmed``, which over HTTP the first correct code does.
        """
        secret = secret or credentials.totp_secret()
        codes = credentials.backup_codes() if backup_codes is None else backup_codes
        self.sessions.arm(user_id, secret, codes)
        if confirmed:
            self.confirm_totp(user_id)
        return secret, codes

    def confirm_totp(self, user_id: str) -> None:
        """From now on a sign-in asks for it."""
        self._db.write("UPDATE users SET two_factor_enabled = 1, updated_at = ? WHERE id = ?", self.now(), user_id)

    # --- tokens

    def issue_token(self, user_id: str, *, lifetime: float = TOKEN_S, session_id: str | None = None) -> str:
        """An access token, also for a user that does not exist. ``lifetime`` is in seconds and may be negative."""
        user = self.user(user_id)
        issued = self.now() // 1_000
        return self.sign(
            {
                "iat": issued,
                "sub": user_id,
                "email": user.email if user else f"{user_id}@example.invalid",
                "role": "user",
                "sid": session_id or credentials.opaque_id(),
                "tier": user.access_tier if user else "public",
                "exp": issued + int(lifetime),
                "iss": self.issuer,
                "aud": AUDIENCE,
            }
        )

    def sign(self, claims: dict[str, jsontext.JSON], *, header: dict[str, jsontext.JSON] | None = None) -> str:
        """A token with any claims and, for tokens that are to be refused, any header."""
        return self._keys.sign(claims, header=header)

    def session_token(self, session: Session) -> str:
        """The access token that a session gives."""
        return self.issue_token(session.user_id, session_id=session.id)

    def verify_token(self, token: str) -> str:
        """The user id, as the sync server checks it. Raises :class:`TokenRefused` with that server's words."""
        if self.jwks_outage:
            url = f"{self.issuer}/api/auth/jwks"
            refused = f'Get "{url}": dial tcp {urlsplit(url).netloc}: connect: connection refused'
            raise TokenRefused(f"fetch JWKS: fetch JWKS from {url}: {refused}")
        return user_for_sync(token, self._keys, self._clock() / 1e9)

    def claims(self, token: str) -> dict[str, jsontext.JSON] | None:
        """The claims, as the account service checks them; None when it refuses."""
        return None if self.jwks_outage else claims_for_account(token, self._keys, self._clock() / 1e9, self.issuer)

    def key_set(self) -> jsontext.JSON:
        """The JWKS."""
        return self._keys.key_set()

    # --- spaces

    def create_space(
        self,
        owner_id: str,
        name: str,
        type: str,  # noqa: A002 - the service's word
        *,
        slug: str | None = None,
        space_id: str | None = None,
        metadata: jsontext.JSON = None,
        bootstrap: bool = True,
    ) -> str:
        """The id of a new space. ``metadata`` replaces ``{"type": …}``: another object, or a text."""
        space = self.spaces.create(
            owner_id,
            name,
            slug or credentials.opaque_id(12).lower(),
            {"type": type} if metadata is None else metadata,
            self.now(),
            space_id=space_id or credentials.opaque_id(),
            member_id=credentials.opaque_id(),
        )
        self._bootstrap_space(owner_id, space.id, write=bootstrap)
        return space.id

    def add_member(self, space_id: str, user_id: str, role: str = "member") -> None:
        """Makes a user a member of a space."""
        self.spaces.add(space_id, user_id, role, self.now())

    def remove_member(self, space_id: str, user_id: str) -> None:
        """Ends a membership."""
        self.spaces.remove(space_id, user_id)

    def spaces_of(self, user_id: str) -> frozenset[str]:
        """The ids of all spaces that a user is a member of."""
        return frozenset(space.id for space, _ in self.spaces.of_user(user_id))

    # --- vault, subscription, events

    def set_vault(self, user_id: str, mode: Mode, master_key: bytes) -> str | None:
        """Makes or replaces a user's vault; gives the recovery code of a zero-knowledge one."""
        return self.vaults.put(user_id, mode, master_key, self.now())

    def set_subscription(self, user_id: str, *, active: bool) -> None:
        """Switches cloud sync on or off; it is on to begin with."""
        self._db.write("INSERT OR REPLACE INTO subscriptions VALUES (?, ?)", user_id, int(active))

    def subscription_active(self, user_id: str) -> bool:
        """Whether cloud sync is on."""
        row = self._db.row("SELECT active FROM subscriptions WHERE user_id = ?", user_id)
        return row is None or bool(row["active"])

    def settings(self, user_id: str) -> dict[str, jsontext.JSON]:
        """The web app's: ``globalSettings``, ``appOverrides`` and ``deviceSettings``."""
        row = self._db.row("SELECT body FROM settings WHERE user_id = ?", user_id)
        return _SETTINGS if row is None else {**_SETTINGS, **jsontext.parse(row["body"])}

    def set_settings(self, user_id: str, **changed: jsontext.JSON) -> None:
        """Puts others in place of some of the three."""
        body = jsontext.dumps({**self.settings(user_id), **changed}).decode()
        self._db.write("INSERT OR REPLACE INTO settings VALUES (?, ?)", user_id, body)

    def note_event(self, user_id: str, type: str) -> None:  # noqa: A002 - the service's word
        """Writes the security log that the data export shows."""
        self._db.write("INSERT INTO security_events VALUES (?, ?, ?)", user_id, type, self.now())

    def events(self, user_id: str) -> list[tuple[str, int]]:
        """The security log, newest first: type and milliseconds."""
        rows = self._db.rows("SELECT type, at FROM security_events WHERE user_id = ? ORDER BY rowid DESC", user_id)
        return [(row["type"], row["at"]) for row in rows]

    # --- rows that the service writes into the change log

    def bootstrap(self, user_id: str) -> tuple[bool, dict[str, bool]]:
        """Writes the singletons that are missing: whether the user's was, and for each space whether its was."""
        user = self._bootstrap_user(user_id, write=True)
        return user, {
            space.id: self._bootstrap_space(user_id, space.id, write=True) for space, _ in self.spaces.of_user(user_id)
        }

    def _bootstrap_user(self, user_id: str, *, write: bool) -> bool:
        data: dict[str, jsontext.JSON] = {"id": "singleton", "userId": user_id, "freeform": ""}
        data |= {name: {} for name in ("about", "social", "leisure", "routine", "nutrition")}
        data |= {"goals": [], "interests": [], "interview": {"skippedIds": [], "answeredIds": []}}
        return self._bootstrap(f"user {user_id}", user_id, "profile", "userContext", data, write=write)

    def _bootstrap_space(self, user_id: str, space_id: str, *, write: bool) -> bool:
        data: dict[str, jsontext.JSON] = {"id": str(uuid4()), "content": ""}
        return self._bootstrap(
            f"space {space_id}", user_id, "kontext", "kontextDoc", data, space_id=space_id, write=write
        )

    def _bootstrap(
        self,
        owner: str,
        user_id: str,
        app: str,
        table: str,
        data: dict[str, jsontext.JSON],
        *,
        space_id: str | None = None,
        write: bool,
    ) -> bool:
        if not self._db.write("INSERT OR IGNORE INTO singletons VALUES (?)", owner):
            return False
        if write and self.on_bootstrap is not None:
            now = iso(self.now())
            change: dict[str, jsontext.JSON] = {"table": table, "id": data["id"], "op": "insert", "data": data}
            change |= {"fieldMeta": {name: now for name in data if name != "id"}}
            change |= {"actor": dict(_BOOTSTRAP_ACTOR), "origin": "system", "schemaVersion": 1}
            self.on_bootstrap(user_id, app, change if space_id is None else {**change, "spaceId": space_id})
        return True

    # --- mail

    def send_verification(self, user: User) -> None:
        """Puts the mail with the link that confirms an address into :attr:`mails`."""
        now = self.now() // 1_000
        token = sign_mailed({"email": user.email, "iat": now, "exp": now + 3_600}, self.secret)
        link = f"{self.issuer}/api/auth/verify-email?token={token}&callbackURL=%2F"
        self.mails.append(Mail(user.email, "E-Mail bestätigen — Mana", link))

    def verify_mailed(self, token: str) -> User | None:
        """Confirms the address that a mailed link belongs to; gives the user if that was still to be done.

        Raises :class:`ValueError` when the link is not ours or is over.
        """
        claims = mailed_claims(token, self.secret, self._clock() / 1e9)
        if claims is None:
            raise ValueError("not a link of this service")
        confirmed = self._db.write(
            "UPDATE users SET email_verified = 1, updated_at = ? WHERE email = ? AND email_verified = 0",
            *(self.now(), claims["email"]),
        )
        return self.user_of_email(claims["email"]) if confirmed else None
