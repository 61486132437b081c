"""Writes the real outputs below the commands of README and guides: python -m tests.docs

For when the words of the program have changed on purpose. Lines ``…`` are kept where they still stand for something.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from manabackup.sandbox import Sandbox

from .documents import AUDIT, GUIDE, IN_GERMAN, README, RESTORE, TUTORIALS, shown_commands
from .terminal import Person, as_promised, learner, new_account, person


def refresh(document: Path, anna: Person, others: Sequence[Path] = ()) -> None:
    """Types a document's commands and writes what it saw into it, and into ``others``, which show the same."""
    texts = {page: page.read_text("utf-8") for page in (document, *others)}
    at = dict.fromkeys(texts, 0)
    for shown in shown_commands(document):
        output = anna.types(shown.command)
        told = as_promised(output, shown.output)
        if not told:
            print(f"{document.name}: {shown.command}")
        for page, text in texts.items():
            at[page] = text.index(shown.text, at[page])
            if not told:
                typed = shown.text.removesuffix(shown.output)
                texts[page] = f"{text[: at[page]]}{typed}{output}{text[at[page] + len(shown.text) :]}"
    for page, text in texts.items():
        page.write_text(text, "utf-8")


def in_a_scene_of_its_own(document: Path) -> None:
    with Sandbox() as box, tempfile.TemporaryDirectory() as home:
        anna = person(box, Path(home))
        anna.answers["? Type yes to go on: "] = "yes"
        if document == RESTORE:
            new_account(box, anna)
        refresh(document, anna)


def tutorials() -> None:
    with Sandbox() as box, tempfile.TemporaryDirectory() as home:
        anna = learner(box, Path(home))
        for page in TUTORIALS:
            refresh(page, anna, [IN_GERMAN / page.name])


if __name__ == "__main__":
    for document in (README, GUIDE, RESTORE, AUDIT):
        in_a_scene_of_its_own(document)
    tutorials()
