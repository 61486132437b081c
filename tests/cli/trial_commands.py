"""Commands for tries of the frame, under the frame's own program."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import click

from manabackup import errors
from manabackup.cli.execution import execute
from manabackup.cli.frame import command, program, secret_options, strict_option, target_options
from manabackup.cli.run import Exit, Run, outcome
from manabackup.operations.account.settings import SECRETS
from manabackup.operations.progress import Progress, Step


@command("show-settings")
def show_settings(run: Run) -> None:
    """Print the settings."""
    settings = run.settings
    run.terminal.result(
        {
            "profile": settings.account.profile,
            "authUrl": settings.account.auth_url,
            "stateDir": None if settings.state_dir is None else str(settings.state_dir),
            "json": settings.json,
            "progress": settings.progress,
            "verbosity": settings.verbosity,
        }
    )


@command("show-secret")
@secret_options(*SECRETS)
@click.option("--confirm", is_flag=True)
@click.argument("name")
@click.argument("again", nargs=-1)
def show_secret(run: Run, name: str, again: tuple[str, ...], confirm: bool) -> None:
    """Print a secret, or several, as no real command does."""
    secrets = [run.new_passphrase(each) if confirm else run.secret(each) for each in (name, *again)]
    run.terminal.result({"secret": secrets[0], "secrets": secrets})


@command("speak")
@click.argument("text")
def speak(run: Run, text: str) -> None:
    """Say a text in every voice."""
    run.terminal.note(f"note {text}")
    run.terminal.detail(f"detail {text}")
    run.terminal.warning(f"warned {text}")
    logging.getLogger("manabackup.trial").info("log %s", text)
    run.terminal.result({"text": text}, [f"result {text}"])


@command("work")
@secret_options(*SECRETS)
@click.option("--ask")
def work(run: Run, ask: str | None) -> None:
    """Show progress, and ask for a secret meanwhile."""
    with run.terminal.progress({Step.PLAN: "working"}) as progress:
        progress(Progress(Step.PLAN, 1, 3))
        run.terminal.warning("in between")
        if ask:
            run.secret(ask)
        progress(Progress(Step.PLAN, 3, 3, "at the end"))


@command("fail")
@click.argument("kind")
def fail(run: Run, kind: str) -> None:
    """End with an error."""
    if kind == "nesting":
        raise RecursionError
    if kind == "memory":
        raise MemoryError
    if kind == "bug":
        raise KeyError("hunter2")
    if kind == "open":
        Path("/no/such/file").read_bytes()
    if kind.isdigit():
        raise OSError(int(kind), os.strerror(int(kind)), "/some/file")
    raise getattr(errors, kind)("line one\nline two \x1b[2J", hint="try \x07 again")


@command("end")
@strict_option
@click.option("--losses", type=int, default=0)
@click.option("--notices", type=int, default=0)
@click.option("--differences", is_flag=True)
def end(run: Run, losses: int, notices: int, differences: bool, strict: bool) -> Exit | None:
    """Do all there is to do."""
    if differences:
        return Exit.DIFFERENCES
    return outcome(losses=losses, notices=notices, strict=strict)


@command("wait")
def wait(run: Run) -> None:
    """Wait until somebody interrupts."""
    try:
        run.terminal.result({"pid": os.getpid()})
        run.terminal.flush()
        while True:
            signal.pause()
    finally:
        run.terminal.note("tidied up")


@command("pour")
def pour(run: Run) -> None:
    """Write more than anybody reads."""
    while True:
        run.terminal.write(b"x" * 65536)


@command("open-vault")
@secret_options("token", "recovery-code", "key")
@target_options()
@click.option("--target", is_flag=True)
def open_vault(run: Run, target: bool) -> None:
    """Tell whose vault opens, and the fingerprint of its key."""
    from manabackup.cli.access import account_access, target_access

    access = target_access(run) if target else account_access(run)
    with access.connect() as connection:
        cipher = access.vault_key(connection).cipher
        fingerprint = cipher.fingerprint if cipher else None
        run.terminal.result({"userId": connection.user_id, "fingerprint": fingerprint})


if __name__ == "__main__":
    whole = program()
    for one in (show_settings, show_secret, speak, work, fail, end, wait, pour, open_vault):
        whole.add_command(one)
    sys.exit(execute(sys.argv[1:], whole))
