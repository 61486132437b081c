"""``{folder}``, ``{stem}``, ``{name}`` in names of outputs and in where secrets come from: one pattern for all."""

from __future__ import annotations

import os
import re
import shlex
from typing import Final
from urllib.parse import quote

from ...errors import UsageError
from ..places import is_escaped
from .items import ENDING

PLACEHOLDERS: Final = ("folder", "stem", "name")
_PLACEHOLDER: Final = re.compile(r"\{(folder|stem|name)\}")


def has_any(text: str) -> bool:
    """Whether a text is another one for each item."""
    return _PLACEHOLDER.search(text) is not None


def filled(text: str, name: str, folder: str = "") -> str:
    """A pattern for the item ``name`` (a path, an address, or an account's name) that lies in ``folder``.

    In an address names are written as they are in one.
    """
    last = os.path.basename(name)
    values = {"folder": folder, "name": last, "stem": last.removesuffix(ENDING)}
    if is_escaped(text) and not is_escaped(name):
        values = {key: quote(value, errors="surrogateescape") for key, value in values.items()}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def filled_command(command: str, name: str, folder: str = "") -> str:
    """The same of a command as a POSIX shell splits it: a value is part of one word, whatever stands in it."""
    if not has_any(command):
        return command
    try:
        words = shlex.split(command)
    except ValueError:
        raise UsageError("a command for a secret has an open quotation mark") from None
    return shlex.join(filled(word, name, folder) for word in words)
