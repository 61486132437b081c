"""Signing in and out: whose session this computer keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import ManabackupError, ServerError, SignInError, UsageError
from ...remote.session import Session, SessionToken, WrongPasswordError, sign_in, sign_out
from ...remote.transport import Transport
from .settings import AccountSettings
from .state import StateFolder

__all__ = ["Credentials", "Login", "WrongPasswordError"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody signs in with. Each is asked for only when it is needed; the password is not kept."""

    email: Callable[[], str]
    password: Callable[[], str]
    second_factor: Callable[[], str]
    backup_code: Callable[[], str] | None = None
    """Goes before the second factor."""


class Login:
    """The session of one profile. ``warn`` is told of what is only in the way."""

    def __init__(self, settings: AccountSettings, state: StateFolder, warn: Callable[[str], object]) -> None:
        self._settings = settings
        self._state = state
        self._store = state.sessions(settings.profile)
        self._warn = warn

    def sign_in(self, credentials: Credentials, *, anew: bool = False) -> Session:
        """Signs in and keeps the session; the one that it takes the place of is ended.

        Raises :class:`UsageError` where somebody is signed in, unless ``anew``, :class:`WrongPasswordError`,
        :class:`SignInError`, :class:`ServerError`, :class:`LockedError`, :class:`OutputError`.
        """
        with Transport(self._settings.auth_url) as auth:
            old = self._kept()
            if old is not None and not anew and _is_alive(auth, old):
                raise UsageError(f"already signed in as {old.email}", hint="`manabackup logout` first, or --force")
            new = sign_in(
                auth,
                credentials.email(),
                credentials.password(),
                second_factor=credentials.second_factor,
                backup_code=credentials.backup_code,
            )
            try:
                with self._state.lock():
                    self._store.save(new)
            except BaseException:
                sign_out(auth, new)
                raise
            if old is not None:
                self._end(auth, old)
        return new

    def sign_out(self) -> Session | None:
        """Forgets the session and ends it; gives the one that there was.

        It is forgotten here even when the server cannot be told: :class:`ServerError`.
        """
        session = self._kept()
        with self._state.lock():
            self._store.delete()
        if session is not None:
            with Transport(session.auth_url) as auth:
                try:
                    sign_out(auth, session)
                except ServerError as error:
                    raise ServerError(
                        f"the session is forgotten here, but the server was not told: {error.message}",
                        hint="it ends by itself after a week",
                    ) from error
        return session

    def _kept(self) -> Session | None:
        """The session, where it can be read: what cannot is only in the way of signing in or out."""
        try:
            return self._store.load()
        except SignInError as error:
            self._warn(error.message)
            return None

    def _end(self, auth: Transport, session: Session) -> None:
        """Ends a session that another one replaced."""
        try:
            sign_out(auth, session)
        except ManabackupError as error:
            self._warn(f"the session before goes on until it ends by itself: {error.message}")


def _is_alive(auth: Transport, session: Session) -> bool:
    try:
        SessionToken(auth, session).token()
    except SignInError:
        return False
    return True
