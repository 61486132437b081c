"""What an error means, what it comes from and what to do: the pages of ``docs/errors``, which the package brings along.

:attr:`manabackup.errors.ManabackupError.page` is the name of an error's page.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from ..errors import NotFoundError
from ..text.printable import one_line

_BREAK = re.compile(r"(?<=[^\n])\n *(?=[^\n *#])")
"""Inside a paragraph or an item."""
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def pages() -> list[str]:
    """The names of all pages."""
    return sorted(file.stem for file in _folder().glob("*.md") if file.stem != "README")


def explanation(page: str) -> str:
    """A page as text for a terminal: Markdown whose links are their own words, each paragraph and item in one line.

    Raises :class:`NotFoundError`.
    """
    if page not in pages():
        raise NotFoundError(f"there is no page {one_line(page, 80)}", hint=f"one of {', '.join(pages())}")
    return _LINK.sub(r"\1", _BREAK.sub(" ", (_folder() / f"{page}.md").read_text("utf-8")))


def _folder() -> Path:
    """Inside the package when installed, among the documents in a checkout."""
    packaged = Path(str(resources.files("manabackup"))) / "explained"
    return packaged if packaged.is_dir() else packaged.parent.parent / "docs" / "errors"
