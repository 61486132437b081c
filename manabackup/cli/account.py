"""``login``, ``logout``: whose session this computer holds."""

from __future__ import annotations

import click

from ..errors import UsageError
from ..host.secret_sources import variable
from ..operations.account.login import Credentials, Login
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
    new = Login(account, run.state, run.terminal.warning).sign_in(credentials, anew=force)
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


def _email(run: Run) -> str:
    email = run.settings.email or ask("e-mail address")
    if not email:
        raise UsageError("no e-mail address was given", hint=f"--email ADDRESS, or {variable('email')}")
    return email
