"""What the documents show: their blocks, and the commands in them with the output that they promise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
GUIDE = ROOT / "docs" / "guide.md"
AUDIT = ROOT / "docs" / "audit.md"
RESTORE = ROOT / "docs" / "restore.md"
TUTORIALS = [
    ROOT / "docs" / "tutorials" / f"{name}.md"
    for name in ("first-backup", "another-account", "every-night", "verify-in-ci", "diary")
]
"""In the order in which somebody goes through them."""
IN_GERMAN = ROOT / "docs" / "de" / "tutorials"
_BLOCK = re.compile(r"^```(?P<kind>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A command after ``$``, and what stands below it."""

    text: str
    """Both as they stand in the document, without the ``$``."""
    command: str
    output: str


def blocks(document: Path, kind: str) -> list[str]:
    """The fenced blocks of a kind."""
    return [found["text"] for found in _BLOCK.finditer(document.read_text("utf-8")) if found["kind"] == kind]


def shown_commands(document: Path) -> list[Shown]:
    """The commands of all ``console`` blocks, in their order. A line that ends with a backslash goes on."""
    found = []
    for block in blocks(document, "console"):
        assert block.startswith("$ "), block
        for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = text.replace("\\\n", "").partition("\n")
            found.append(Shown(text, command, output))
    return found
