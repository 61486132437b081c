"""Writes the real outputs below the commands of README and guides: python -m tests.docs

For when the words of the program have changed on purpose. Lines ``…`` are kept where they still stand for something.
"""

import tempfile
from pathlib import Path

from manabackup.sandbox import Sandbox

from .documents import AUDIT, GUIDE, README, RESTORE, shown_commands
from .terminal import as_promised, new_account, person


def refresh(document: Path) -> None:
    text = document.read_text("utf-8")
    with Sandbox() as box, tempfile.TemporaryDirectory() as home:
        anna = person(box, Path(home))
        anna.answers["? Type yes to go on: "] = "yes"
        if document == RESTORE:
            new_account(box, anna)
        at = 0
        for shown in shown_commands(document):
            output = anna.types(shown.command)
            at = text.index(shown.text, at)
            if not as_promised(output, shown.output):
                print(f"{document.name}: {shown.command}")
                typed = shown.text.removesuffix(shown.output)
                text = f"{text[:at]}{typed}{output}{text[at + len(shown.text) :]}"
    document.write_text(text, "utf-8")


if __name__ == "__main__":
    for document in (README, GUIDE, RESTORE, AUDIT):
        refresh(document)
