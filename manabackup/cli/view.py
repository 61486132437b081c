"""``view``: a page that opens an archive by itself, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import DamagedArchiveError, UsageError
from ..limits import MIB
from ..operations.archives.view import INLINE_LIMIT, ViewResult, fits
from ..operations.archives.view import view as write_page
from .files import archive_argument, archive_target, check_place, force_option, located, named, note_written
from .frame import command
from .run import Run

if TYPE_CHECKING:
    from ..archive.destination import Destination


@command("view")
@click.option("-o", "--output", metavar="PAGE", help="The page to write; default: FILE with .html at its end.")
@force_option
@click.option("--open", "show", is_flag=True, help="Show it in the browser.")
@click.option("--empty", is_flag=True, help="Put no archive into the page: it opens the file that somebody chooses.")
@click.option(
    "--inline-limit",
    type=click.IntRange(min=0),
    metavar="MIB",
    default=INLINE_LIMIT // MIB,
    show_default=True,
    help="Largest archive, in MiB, that is put into the page.",
)
@archive_argument("file", required=False)
def view(
    run: Run, file: str | None, output: str | None, force: bool, show: bool, empty: bool, inline_limit: int
) -> None:
    """Make a page that opens an archive by itself.

    A browser is all it takes: no server, no network, no installation. A sealed archive stays sealed inside the page
    until its passphrase is typed into it.
    """
    if file is None and not empty:
        raise UsageError("which archive?", hint="FILE, or --empty for a page that opens the file that somebody chooses")
    if output is None and file is None:
        raise UsageError("where to?", hint="-o PAGE.html")
    if show and output == "-":
        raise UsageError("--open shows a file, and - is the standard output")
    archive = None if file is None else located(file)
    if output is None and not isinstance(archive, Path):
        raise UsageError("where to?", hint="-o PAGE.html")
    file = None if file is None else named(file)
    inside = archive if archive is not None and fits(archive, inline_limit * MIB) and not empty else None
    target = archive_target(run, output or str(page_beside(Path(str(file)))), force=force, source=file)
    try:
        result = write_page(inside, target, force=force)
    except DamagedArchiveError as error:
        error.hint = error.hint or "view --empty makes a page that shows what it still can of the file chosen there"
        raise
    note_written(run, target)
    run.terminal.result(result.to_json(), [told(result)])
    if inside is None and not empty:
        run.terminal.note(
            f"{file} is larger than {inline_limit} MiB: the page takes it when it is chosen there, or --inline-limit"
        )
    elif inside is not None and not result.sealed:
        run.terminal.note("the archive in it is not encrypted: who holds the page can read it")
    if show and isinstance(target, Path):
        _show(run, target)


def page_beside(archive: Path) -> Path:
    """Where the page of an archive goes, if nothing else is said."""
    return archive.with_suffix(".html")


def check_page_beside(target: Destination, *, force: bool) -> None:
    """Whether a page can go beside an archive that is to be written. Raises as :func:`archive_target` does."""
    if not isinstance(target, Path):
        raise UsageError("--view writes a file beside the archive, which has to be a file then")
    if page_beside(target) == target:
        raise UsageError("--view writes FILE.html, which is the archive's own name")
    check_place(page_beside(target), force=force)


def write_page_beside(run: Run, target: Destination, *, force: bool) -> None:
    """The page of an archive that was just written, for ``export --view``."""
    archive = Path(str(target))
    inside = archive if fits(archive, INLINE_LIMIT) else None
    result = write_page(inside, page_beside(archive), force=force)
    note_written(run, result.page)
    run.terminal.note(told(result))


def told(result: ViewResult) -> str:
    """One line about a page that was written."""
    inside = "no archive inside" if result.archive is None else f"with {result.archive.name} inside"
    sealed = ", sealed" if result.sealed else ""
    return f"{result.page}: {inside}{sealed}, {result.bytes:,} bytes"


def _show(run: Run, page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        run.terminal.warning(f"no browser could be started: open {page} in one")
