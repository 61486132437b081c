"""What is read of XML in a store's answers: elements, by their names, and the text in them.

No parser of XML sees what strangers send. What is looked for holds no ``<``, and what it holds is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_REFERENCE = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));", re.ASCII)
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_LAST = 0x10FFFF


def characters(raw: bytes) -> str:
    """The text that stands there (XML 1.0, 4.1 and 4.6); what is no UTF-8 or no character is replaced."""
    return _REFERENCE.sub(_character, raw.decode("utf-8", "replace"))


def element(body: bytes, name: str) -> str:
    """The text in the first element of a name; empty where there is none."""
    match = re.search(rb"<%b>([^<]*)</%b>" % (name.encode(), name.encode()), body)
    return "" if match is None else characters(match[1])


def elements(body: bytes, name: str) -> Iterator[bytes]:
    """What stands in each element of a name, which holds none of the same name."""
    for rest in body.split(f"<{name}>".encode())[1:]:
        inner, end, _ = rest.partition(f"</{name}>".encode())
        if end:
            yield inner


def _character(match: re.Match[str]) -> str:
    if match[3] is not None:
        return _NAMED[match[3]]
    number = int(match[1]) if match[1] is not None else int(match[2], 16)
    return chr(number) if number <= _LAST and not 0xD800 <= number < 0xE000 else "\ufffd"
