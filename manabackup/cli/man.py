"""``man``: manual pages, made of the commands themselves."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from .files import STDOUT, AtomicFile, check_place, force_option, writing_to
from .frame import command
from .manpages import pages
from .run import Run

_FOLDER, _FILE = 0o755, 0o644
"""Nothing in them is anybody's: other users read them, too."""


@command("man")
@click.option(
    "-o", "--output", required=True, metavar="DIR", help="The folder to write them into; it is made if need be."
)
@force_option
def man(run: Run, output: str, force: bool) -> None:
    """Write manual pages: one for the program, and one for each command.

    Where `man` looks for them: ~/.local/share/man/man1. What is installed from a package has them already.
    """
    if output == STDOUT:
        raise UsageError("manual pages are several files, and - is the standard output", hint="-o names a folder")
    folder = Path(output)
    with writing_to(folder):
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(_FOLDER)
    written = pages(click.get_current_context().find_root())
    for name in written:
        check_place(folder / name, force=force)
    for name, text in written.items():
        with AtomicFile(folder / name, force=force) as page:
            page.write(text.encode())
        with writing_to(folder / name):
            (folder / name).chmod(_FILE)
    run.terminal.result({"folder": output, "pages": sorted(written)}, [f"{output}: {len(written)} pages"])
