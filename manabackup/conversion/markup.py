"""Text for files of XML and HTML: what breaks neither them nor the eye of who reads them."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from .reading import Reading

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 has no place for, other controls, and marks that turn the direction of what follows."""


class Markup:
    """Writes texts, and takes down characters that it replaced."""

    def __init__(self, reading: Reading) -> None:
        self._left_out = reading.left_out

    def text(self, text: str, table: str) -> str:
        """A text, lines and all; for the inside of an element."""
        found, replaced = _UNFIT.subn("\ufffd", text)
        if replaced:
            self._left_out.note("altered", table)
        return escape(found.replace("\r\n", "\n").replace("\r", "\n"), {'"': "&quot;"})

    def line(self, text: str, table: str) -> str:
        """A text in one line; for attributes in double quotes too."""
        return self.text(" ".join(text.split()), table)
