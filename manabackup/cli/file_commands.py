"""``files pull`` and ``files verify``: the files that rows refer to, kept on this computer."""

from __future__ import annotations

from contextlib import ExitStack

import click

from ..operations.account.key import KeyNotHereError
from ..operations.export.pulling_files import pull_files
from ..operations.files.access import account_store, configured_files
from ..operations.files.packing import FileCounts
from ..operations.files.verifying import verify_store
from ..operations.progress import Step
from ..text.printable import counted
from .access import account_access, pull_into
from .file_options import file_settings, foreign_option
from .frame import command, secret_options
from .meanings import FILE_LOSSES
from .memory import share_one_heap
from .run import Exit, Run, outcome


@command("pull")
@secret_options("recovery-code", "key", "token")
@file_settings
@foreign_option
@click.option("--accept-new-key", is_flag=True, help="Go on though the account's key is another one than before.")
def pull(run: Run, foreign_files: bool, accept_new_key: bool) -> Exit:
    """Fetch the files that the account's rows refer to.

    Each is fetched once, checked, and kept encrypted beside the mirror; `export --files` takes it from there. An
    interrupted run goes on where it stopped.
    """
    share_one_heap()
    access = account_access(run)
    with access.open(accept_new_key=accept_new_key) as account:
        pull_into(run, account)
        with (
            account.source() as source,
            configured_files(access, account, foreign=foreign_files) as files,
            run.terminal.progress({Step.EXPORT: "looking through rows", Step.FILES: "fetching files"}) as progress,
        ):
            counts = pull_files(source, files, progress=progress)
    run.terminal.result(counts.to_json(), [f"{told(counts)} held"])
    warn_of_losses(run, counts)
    return outcome(losses=counts.losses)


@command("verify")
@secret_options("recovery-code", "key", "token")
def verify(run: Run) -> Exit:
    """Check the files that were fetched: each is read to its end.

    What is damaged is set aside, and fetched again by the next `files pull` or `export --files`. No server is asked,
    but for the key that the files lie under, where only the server knows it.
    """
    access = account_access(run)
    with ExitStack() as stack:
        try:
            account = stack.enter_context(access.open(offline=True))
        except KeyNotHereError:
            account = stack.enter_context(access.open())
        store = stack.enter_context(account_store(access, account))
        progress = stack.enter_context(run.terminal.progress({Step.VERIFY: "reading files"}))
        report = verify_store(store, progress)
    whole = f"{counted(report.files, 'file')}, {report.bytes:,} bytes: whole"
    run.terminal.result(report.to_json(), [whole])
    if report.damaged:
        run.terminal.warning(f"{counted(report.damaged, 'file')} damaged or missing; they will be fetched again")
    return Exit.DIFFERENCES if report.damaged else Exit.DONE


def told(counts: FileCounts) -> str:
    """How many files there are."""
    return f"{counted(counts.files, 'file')}, {counts.bytes:,} bytes, of {counted(counts.references, 'reference')}"


def warn_of_losses(run: Run, counts: FileCounts) -> None:
    """Tells of the files that are not there."""
    for kind, count in sorted(counts.lost.items()):
        say = run.terminal.note if kind == "foreign" else run.terminal.warning
        say(f"{counted(count, 'file')} {FILE_LOSSES[kind]}")
