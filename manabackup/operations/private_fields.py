"""Private fields that stand in clear.

The web app takes every value that does not begin with ``enc:1:`` for plaintext, and so does this. What a later version
of the encryption may have written looks like that, too; nobody but that version knows what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..crypto.fields import is_encrypted
from ..jsontext import JSON
from ..registry import Table

_OTHER_VERSION = re.compile("enc:[0-9]+:")


def is_clear(value: JSON) -> bool:
    """Whether a private field's value can be read by whoever holds it. Null says nothing and is never encrypted."""
    return value is not None and not is_encrypted(value)


def fields_in_clear(table: Table, values: Mapping[str, JSON]) -> list[str]:
    """The names of the private fields of a row that stand in clear, sorted."""
    return sorted(name for name in table.encrypted if is_clear(values.get(name)))


def is_of_other_version(value: JSON) -> bool:
    """Whether a value in clear looks like ciphertext of another version: to encrypt it could make it unreadable."""
    return type(value) is str and _OTHER_VERSION.match(value) is not None
