"""``login``, ``logout``: whose session this computer holds."""

from __future__ import annotations

import click

from ..errors import ManabackupError, ServerError, SignInError, UsageError
from ..host.secret_sources import variable
from ..operations.account.state import SessionStore
from ..remote.session import Session, SessionToken, sign_in, sign_out
from ..remote.transport import Transport
from .frame import command, secret_options, setting_options
from .prompts import ask
from .run import Run


@command("login")
@setting_options(("--email", "ADDRESS", "The account's e-mail address."))
@secret_options("password", "totp", "backup-code")
@click.option("--force", is_flag=True, help="Sign in anew where somebody is signed in.")
def login(run: Run, force: bool) -> None:
    """Sign in, and keep the session.

    Password and second factor are asked for, unless they come from one of the sources below. The password is not kept:
    what is kept is a session, in the platform's keyring or in a file that only you can read. It ends after a week
    without use, or with `logout`.
    """
    account = run.settings.account
    state = run.state
    store = state.sessions(account.profile)
    with Transport(account.auth_url) as auth:
        old = _stored(run, store)
        if old is not None and not force and _is_alive(auth, old):
            raise UsageError(f"already signed in as {old.email}", hint="`manabackup logout` first, or --force")
        email = run.settings.email or ask("e-mail address")
        if not email:
            raise UsageError("no e-mail address was given", hint=f"--email ADDRESS, or {variable('email')}")
        new = sign_in(
            auth,
            email,
            run.secret("password"),
            second_factor=lambda: run.secret("totp"),
            backup_code=(lambda: run.secret("backup-code")) if run.source("backup-code") else None,
        )
        try:
            with state.lock():
                store.save(new)
        except BaseException:
            sign_out(auth, new)
            raise
        if old is not None:
            _end(run, auth, old)
    run.terminal.result(
        {"userId": new.user_id, "email": new.email, "authUrl": new.auth_url, "profile": account.profile},
        [f"signed in as {new.email} (user {new.user_id}) at {new.auth_url}"],
    )


@command("logout")
def logout(run: Run) -> None:
    """End the session and forget it.

    The session is forgotten here even when the server cannot be told.
    """
    state = run.state
    store = state.sessions(run.settings.account.profile)
    session = _stored(run, store)
    with state.lock():
        store.delete()
    if session is not None:
        with Transport(session.auth_url) as auth:
            try:
                sign_out(auth, session)
            except ServerError as error:
                raise ServerError(
                    f"the session is forgotten here, but the server was not told: {error.message}",
                    hint="it ends by itself after a week",
                ) from error
    run.terminal.result(
        {"signedOut": session is not None, "email": session.email if session else None},
        [f"signed out: {session.email}" if session else "nobody was signed in"],
    )


def _stored(run: Run, store: SessionStore) -> Session | None:
    """The session, where it can be read: what cannot is only in the way of signing in or out."""
    try:
        return store.load()
    except SignInError as error:
        run.terminal.warning(error.message)
        return None


def _is_alive(auth: Transport, session: Session) -> bool:
    try:
        SessionToken(auth, session).token()
    except SignInError:
        return False
    return True


def _end(run: Run, auth: Transport, session: Session) -> None:
    """Ends a session that another one replaced."""
    try:
        sign_out(auth, session)
    except ManabackupError as error:
        run.terminal.warning(f"the session before goes on until it ends by itself: {error.message}")
