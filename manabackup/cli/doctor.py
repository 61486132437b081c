"""``doctor``: everything that a backup needs, looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from ..operations.doctor import Check, Examined, Level, Patient, examine, machine_zone, token_at_hand
from ..text.printable import one_line
from .frame import command, secret_options
from .run import Exit, Run

_SIGNS = {Level.WELL: "ok", Level.ATTENTION: "look", Level.BROKEN: "BROKEN", Level.UNKNOWN: "?"}
_LONGEST = 400


@command("doctor")
@secret_options("token")
@click.option("--offline", is_flag=True, help="Ask no server.")
@click.option("--thorough", is_flag=True, help="Read the mirror and the last archive to their ends.")
@click.option("--strict", is_flag=True, help="Let what should only be looked at end with exit code 4 too.")
def doctor(run: Run, offline: bool, thorough: bool, strict: bool) -> Exit:
    """Look at everything that a backup needs, and say what to do.

    Each line says that something is well, or what to do about it. Nothing is written, nobody is asked for a secret, and
    it works where other commands do not. A command that gives a token is not run. When something is broken the exit
    code is 4.
    """
    patient = Patient(
        settings=run.settings,
        environ=os.environ,
        zone=machine_zone(),
        trouble=run.trouble,
        token=lambda: token_at_hand(run.settings),
        offline=offline,
        thorough=thorough,
    )
    found = examine(patient)
    run.terminal.result(found.to_json(), _lines(found))
    failing = {Level.BROKEN, Level.ATTENTION} if strict else {Level.BROKEN}
    return Exit.DIFFERENCES if any(check.level in failing for check in found.checks) else Exit.DONE


def _lines(found: Examined) -> Iterator[str]:
    for check in found.checks:
        yield f"{check.id:12}  {_SIGNS[check.level]}: {one_line(check.found, _LONGEST)}"
        if check.advice is not None:
            yield f"{'':12}  -> {one_line(check.advice, _LONGEST)}"
    yield _summary(found.checks)


def _summary(checks: tuple[Check, ...]) -> str:
    broken = sum(check.level is Level.BROKEN for check in checks)
    looks = sum(check.level is Level.ATTENTION for check in checks)
    if not broken and not looks:
        return "all is well"
    parts = [f"{broken} broken"] if broken else []
    parts += [f"{looks} to look at"] if looks else []
    return ", ".join(parts)
