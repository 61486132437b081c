"""The properties that stand before a page, as YAML: flat, each a single value or a list of such.

What can be mistaken for nothing else stands bare. Every other text is written as JSON has it, which is YAML, too (YAML
1.2.2, 1.3), but for some characters that only YAML takes for line breaks or refuses.

Ours, since a page's properties take PyYAML 1.5 ms and this 0.03 ms, in which 100,000 pages are minutes. Its way through
libyaml takes 0.13 ms and writes emoji as escapes, in titles that people are to read. PyYAML reads back what is written
here (``tests/conversion/test_front_matter.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Final

from ..text import jsontext

PropertyValue = str | bool | int | float | date | datetime
"""Times are clocks, without a zone and to the second: Obsidian takes nothing else for one."""
_BARE = re.compile(r"[^\W\d_](?:[\w.,;()!?/+&%'’„“”…–-]| (?=[^\s#-]))*")
_WORDS: Final = frozenset(("y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"))
"""Texts that YAML 1.1 or 1.2 takes for something else."""
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LONGEST_KEY: Final = 128
"""Longer ones are marked as such: a reader looks no further than 1,024 characters for the colon (YAML 1.2.2, 7.4.2)."""


def front_matter(properties: Mapping[str, PropertyValue | list[PropertyValue]]) -> bytes:
    """The lines of it. Texts hold no half characters."""
    return f"---\n{''.join(_lines(properties))}---\n".encode()


def _lines(properties: Mapping[str, PropertyValue | list[PropertyValue]]) -> Iterator[str]:
    for name, value in properties.items():
        key = _text(name)
        yield f"{key}:" if len(key) <= _LONGEST_KEY else f"? {key}\n:"
        if isinstance(value, list):
            yield "".join(f"\n- {_written(one)}" for one in value) + "\n"
        else:
            yield f" {_written(value)}\n"


def _written(value: PropertyValue) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")  # YAML 1.1 wants the point
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def _text(text: str) -> str:
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", jsontext.dumps(text).decode())
