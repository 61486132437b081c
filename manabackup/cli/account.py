"""``login``, ``logout``, ``token``: whose session this computer holds, and letting somebody act in its place."""

from __future__ import annotations

import click

from ..errors import UsageError
from ..host.secret_sources import variable
from ..operations.account.handing_over import access_token
from ..operations.account.login import Credentials, Login, WrongPasswordError
from ..text.printable import printable
from .access import account_access
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
    credentials = Credentials(
        email=lambda: _email(run),
        password=lambda: run.secret("password"),
        second_factor=lambda: run.secret("totp"),
        backup_code=(lambda: run.secret("backup-code")) if run.source("backup-code") else None,
    )
    new = None
    while new is None:
        try:
            new = Login(account, run.state, run.terminal.warning).sign_in(credentials, anew=force)
        except WrongPasswordError as error:
            if not run.once_more("password", error):
                raise
    run.terminal.result(
        {"userId": new.user_id, "email": new.email, "authUrl": new.auth_url, "profile": account.profile},
        [f"signed in as {new.email} (user {new.user_id}) at {new.auth_url}"],
    )


@command("logout")
def logout(run: Run) -> None:
    """End the session and forget it.

    The session is forgotten here even when the server cannot be told.
    """
    session = Login(run.settings.account, run.state, run.terminal.warning).sign_out()
    run.terminal.result(
        {"signedOut": session is not None, "email": session.email if session else None},
        [f"signed out: {session.email}" if session else "nobody was signed in"],
    )


@command("token")
def token(run: Run) -> None:
    """Print an access token of whoever is signed in, for somebody who is to restore into the account.

    Who has it can do what you can, for the quarter of an hour that it lives. It opens no private field: for that a key
    is needed. Nothing but the token goes to the standard output; with --json also until when it is good, and the
    account's personal space, which `restore --personal-space` wants to know.
    """
    with account_access(run).connect() as connection:
        given = access_token(connection)
    until = "" if given.expires_at is None else f", until {given.expires_at.astimezone():%H:%M}"
    run.terminal.note(f"speaks for account {given.user_id}{until}: give it to nobody who is not to act as you")
    if given.personal_space is not None:
        run.terminal.note(f"restore also wants --personal-space {printable(given.personal_space)}")
    run.terminal.result(given.to_json(), [given.token])


def _email(run: Run) -> str:
    email = run.settings.email or ask("e-mail address")
    if not email:
        raise UsageError("no e-mail address was given", hint=f"--email ADDRESS, or {variable('email')}")
    return email
