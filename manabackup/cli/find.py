"""``find``: the rows of an archive that have some words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import click

from ..operations.archives.find import Hit, Question, SearchOptions
from ..operations.archives.find import find as search
from ..operations.progress import Step
from ..text.printable import counted, one_line
from .archives import weak_kdf_option
from .files import archive_argument, located
from .frame import command, secret_options
from .passphrases import Passphrases
from .run import Run

_LONGEST_TITLE = 200


@command("find")
@secret_options("passphrase")
@weak_kdf_option
@click.option("--app", "apps", multiple=True, metavar="APP", help="Only this app. May be given several times.")
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Only this table. May be given several times.")
@click.option("--include-deleted", is_flag=True, help="Also rows in the bin.")
@archive_argument("file")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
def find(
    run: Run,
    file: str,
    words: tuple[str, ...],
    apps: tuple[str, ...],
    tables: tuple[str, ...],
    include_deleted: bool,
    allow_weak_kdf: bool,
) -> None:
    """Search the rows of an archive for words.

    Found is what has all words, each anywhere within a word of its titles, texts and labels; case and accents do not
    count: `strasse` finds Straße. Words in one pair of quotation marks follow each other: '"green tea"'. `cat --id`
    prints a row. With --json one object a line.
    """
    question = Question.of(" ".join(words))
    count = 0
    with run.terminal.progress({Step.SEARCH: "searching"}) as progress:

        def found(passphrase: Callable[[], str]) -> Iterator[Hit]:
            hits = search(
                located(file),
                question,
                passphrase,
                options=SearchOptions(apps, tables, include_deleted),
                allow_weak_kdf=allow_weak_kdf,
                progress=progress,
            )
            first = next(hits, None)  # with it the archive is open
            return hits if first is None else chain([first], hits)

        for hit in Passphrases(run).opening(file, found):
            count += 1
            with progress.hidden():
                run.terminal.result(hit.to_json(), _lines(hit))
    run.terminal.note(f"found: {counted(count, 'row')}")


def _lines(hit: Hit) -> list[str]:
    title = one_line(hit.title, _LONGEST_TITLE)
    lines = [f"{one_line(hit.table)}  {one_line(hit.id)}  {title}".rstrip()]
    return lines if not hit.excerpt else [*lines, f"    {one_line(hit.excerpt)}"]
