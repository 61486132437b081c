"""What an error means, what it comes from and what to do: the pages of ``docs/errors``, which the package brings along,
and ``docs/troubleshooting.md``, which goes through single messages.

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
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]*)[^)]*\)")
TROUBLESHOOTING = "troubleshooting"
"""The page that goes through single messages."""


def pages() -> list[str]:
    """The names of all pages."""
    return sorted(file.stem for file in _folder().glob("*.md") if file.stem != "README")


def explanation(page: str) -> str:
    """A page as text for a terminal: Markdown with each paragraph and item in one line.

    Links are their own words and, where they lead to another page, the command that shows it.

    Raises :class:`NotFoundError`.
    """
    if page == TROUBLESHOOTING:
        path = _folder().with_name(f"{page}.md")
    elif page in pages():
        path = _folder() / f"{page}.md"
    else:
        raise NotFoundError(f"there is no page {one_line(page, 80)}", hint=f"one of {', '.join(pages())}")
    return _LINK.sub(_led_on, _BREAK.sub(" ", path.read_text("utf-8")))


def _led_on(link: re.Match[str]) -> str:
    words, target = link[1], Path(link[2]).stem
    if target == TROUBLESHOOTING:
        return f"{words} (`manabackup help {TROUBLESHOOTING}`)"
    if Path(link[2]).name == "README.md" and words == _ALL:
        return f"{words} (`manabackup help errors`)"
    return f"{words} (`manabackup help errors/{target}`)" if target in pages() else words


_ALL = "all errors"


def _folder() -> Path:
    """Inside the package when installed, among the documents in a checkout."""
    packaged = Path(str(resources.files("manabackup"))) / "explained"
    return packaged if packaged.is_dir() else packaged.parent.parent / "docs" / "errors"
