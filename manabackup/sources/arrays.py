"""PostgreSQL's text of arrays (documentation of PostgreSQL, "Array Input and Output Syntax")."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..text.jsontext import JSON

_TOKEN = re.compile(r'[{}]|,|"(?:[^"\\]|\\.)*"|(?:[^{},"\\]|\\.)+', re.DOTALL)
_FLAT = re.compile(r"\{[^{}]*\}")
"""An array of one level in which nothing is quoted."""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_array(text: str, element: Callable[[str], JSON]) -> JSON:
    """Nested lists of elements, NULL as None; the text itself where bounds or a delimiter are not the usual ones.

    ``element`` makes a value of an element's text. An array whose first index is not 1 begins with its bounds
    (``[0:1]={5,6}``), and what a list cannot hold stays as it is.
    """
    if not text.startswith("{"):
        return text
    if '"' not in text and "\\" not in text and _FLAT.fullmatch(text) is not None:
        parts = text[1:-1].split(",")
        return [None if part == "NULL" else element(part) for part in parts] if parts != [""] else []
    root: list[JSON] = []
    open_lists = [root]
    end = 0
    for token in _TOKEN.finditer(text):
        if token.start() != end or not open_lists:
            return text
        end = token.end()
        match token[0]:
            case "{":
                inner: list[JSON] = []
                open_lists[-1].append(inner)
                open_lists.append(inner)
            case "}":
                open_lists.pop()
            case ",":
                pass
            case part if part.startswith('"'):
                open_lists[-1].append(element(_ESCAPED.sub(r"\1", part[1:-1])))
            case part if part.upper() == "NULL":
                open_lists[-1].append(None)
            case part:
                open_lists[-1].append(element(_ESCAPED.sub(r"\1", part)))
    return root[0] if end == len(text) and len(open_lists) == 1 and len(root) == 1 else text
