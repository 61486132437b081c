"""Private fields that stand in clear.

The web app takes every value that does not begin with ``enc:1:`` for plaintext, and leaves text that begins so as it
is: it never comes to be encrypted there. Here a value is ciphertext when it has the whole form of one, or when a key
opens it. What a later version of the encryption may have written is plaintext for both; nobody but that version knows
what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..crypto.fields import FieldCipher, is_encrypted, may_be_encrypted
from ..errors import FieldDecryptionError
from ..model.registry import Table
from ..text.jsontext import JSON

_OTHER_VERSION = re.compile("enc:(?!1:)[0-9]+:")


def is_clear(value: JSON, cipher: FieldCipher | None = None) -> bool:
    """Whether a private field's value can be read by whoever holds it. Null says nothing and is never encrypted.

    ``cipher`` finds what is encrypted and spelled as no writer spells it.
    """
    if value is None or is_encrypted(value):
        return False
    return not may_be_encrypted(value) or not _opens(value, cipher)


def fields_in_clear(table: Table, values: Mapping[str, JSON], cipher: FieldCipher | None = None) -> list[str]:
    """The names of the private fields of a row that stand in clear, sorted."""
    return sorted(name for name in table.encrypted if is_clear(values.get(name), cipher))


def is_of_other_version(value: JSON) -> bool:
    """Whether a value in clear looks like ciphertext of another version: to encrypt it could make it unreadable."""
    return type(value) is str and _OTHER_VERSION.match(value) is not None


def _opens(value: str, cipher: FieldCipher | None) -> bool:
    try:
        return cipher is not None and bool(cipher.decrypt(value))
    except FieldDecryptionError:
        return False
