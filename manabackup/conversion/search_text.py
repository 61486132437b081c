"""What of a row somebody may look for: its texts, names and labels; no ids, stamps, colours, secrets, ciphertext.

It is what the viewer's search looks at (``manabackup/viewer/page/model/search-text.js``).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

from ..crypto.fields import is_encrypted
from ..model.modules import Modules
from ..model.tables import TextFormat
from ..model.values import decimal, first_text
from ..text.jsontext import JSON, Number

_TECHNICAL = re.compile(r"(?:^id|Ids?|At|By|Token|Path|Key|Model|Date|Blob|Index|Version|hash|checksum)$")
_TECHNICAL_NAMES = frozenset(
    ("color", "icon", "visibility", "tiptap", "style", "theme", "timezone", "recurrenceRule", "params")
)
_SECRETS = frozenset(("password", "token", "publicToken", "grant"))
"""Of tables that nobody has described."""
_UNSEEN = re.compile(
    r"<(script|style|head|title|template|noscript)\b[^>]*>.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)", re.IGNORECASE | re.DOTALL
)
_BLOCK_ENDS = re.compile(
    r"</?(?:p|div|h[1-6]|li|ul|ol|tr|table|blockquote|pre|section|article|header|footer|figure|hr|br)\b[^>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]*>")
_BLANK_LINES = re.compile(r"[ \t]*\n\s*")


class SearchText:
    """The words of the rows of one table."""

    def __init__(self, modules: Modules, table: str) -> None:
        model = modules.table(table)
        self._model = model
        self._secrets = modules.secrets | (model.secrets if model is not None else _SECRETS)
        self._formats: Mapping[str, TextFormat] = {text.path: text.format for text in model.texts} if model else {}
        self._titles = frozenset((*model.title_paths, *model.title_fallback)) if model else frozenset()
        self._passed = frozenset((*model.references, *model.dates)) if model else frozenset()
        self._money = frozenset(money.path for money in model.money) if model else frozenset()

    def title(self, values: Mapping[str, JSON]) -> str:
        """What a row is called; empty where it has no title."""
        values = {name: value for name, value in values.items() if not (type(value) is str and is_encrypted(value))}
        if self._model is None:
            return next((text for name in ("title", "name") if (text := first_text(values, name))), "")
        return self._model.title(values) or ""

    def pieces(self, values: Mapping[str, JSON]) -> Iterator[str]:
        """What else stands in a row, the title's own fields too: texts first, and labels in both languages."""
        late: list[str] = []
        for name, value in values.items():
            if not _is_spoken(name) or name in self._secrets or name in self._passed:
                continue
            labels = self._labels(name, value)
            if labels:
                late += labels
            elif name in self._titles or any(path.startswith(name) for path in self._formats):
                yield from self._texts(name, value)
            else:
                late += self._texts(name, value)
        yield from late

    def _labels(self, name: str, value: JSON) -> list[str]:
        if self._model is None or not isinstance(value, str | int) or isinstance(value, bool):
            return []
        label = self._model.enums.get(name, {}).get(str(value))
        return [] if label is None else list(dict.fromkeys(label))

    def _texts(self, path: str, value: JSON) -> Iterator[str]:
        """Without recursion: a row may hold thousands of nested lists."""
        waiting: list[tuple[str, JSON]] = [(path, value)]
        while waiting:
            place, found = waiting.pop()
            if isinstance(found, str):
                if found and not is_encrypted(found):
                    yield _html_text(found) if self._formats.get(place) == "html" else found
            elif isinstance(found, list):
                waiting += [(place, each) for each in reversed(found)]
            elif isinstance(found, dict):
                waiting += [(f"{place}.{name}", each) for name, each in reversed(found.items()) if _is_spoken(name)]
            elif (place == "year" or place in self._money) and (number := decimal(found)) is not None:
                yield found.text if isinstance(found, Number) else f"{number:f}"


def _is_spoken(name: str) -> bool:
    return _TECHNICAL.search(name) is None and name not in _TECHNICAL_NAMES and not name.startswith("__")


def _html_text(text: str) -> str:
    text = _TAG.sub("", _BLOCK_ENDS.sub("\n", _UNSEEN.sub("", text)))
    return _BLANK_LINES.sub("\n", html.unescape(text)).strip()
