"""Which values of an archive are ciphertext.

Text may begin like ciphertext: somebody's note may be about it. So this tool's archives mark what is ciphertext in the
rows' meta lines (``formats/mana-v2.md``, "What is ciphertext"), and nobody has to guess. Of all others, the web app's
and those of version 0.1.0, it is told as well as it can be: a value is ciphertext when the key at hand opens it, or
when it has the whole form of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ..archive.reader import Archive
from ..crypto.fields import FieldCipher, is_encrypted
from ..errors import FieldDecryptionError
from ..text.jsontext import JSON
from .archived import is_ours

Listed: TypeAlias = Collection[str] | None
"""The fields that a meta line names as ciphertext; None where there is no line, or it names none."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How an archive tells ciphertext from text that begins like it."""

    complete: bool
    """Whether it does so at all."""
    fields_plaintext: bool

    @classmethod
    def of(cls, archive: Archive) -> Marks:
        """Those of an open archive."""
        manifest = archive.manifest
        return cls(is_ours(archive) and manifest.ciphertext_marked, manifest.fields_plaintext)

    def is_ciphertext(self, name: str, listed: Listed) -> bool | None:
        """Whether a field whose value begins like ciphertext is some; None where nobody can say."""
        if listed is not None and self.complete:
            return name in listed
        if not self.fields_plaintext:
            return True  # every writer of such archives has left out, or encrypted, what else begins so
        return False if self.complete else None

    def opened(self, name: str, value: str, listed: Listed, cipher: FieldCipher | None) -> bytes | None:
        """The JSON text inside a field's value, which begins like ciphertext; None when the value itself is text.

        Raises :class:`FieldDecryptionError` for ciphertext that does not open; reason ``noKey`` without ``cipher``.
        """
        told = self.is_ciphertext(name, listed)
        if told is False:
            return None
        try:
            if cipher is None:
                raise FieldDecryptionError("no key was given", reason="noKey")
            return cipher.decrypt(value)
        except FieldDecryptionError:
            if told is None and not is_encrypted(value):
                return None
            raise


def listed_in(meta: Mapping[str, JSON] | None) -> Listed:
    """What a parsed meta line names as ciphertext."""
    names = meta.get("ciphertext") if meta is not None else None
    return [name for name in names if type(name) is str] if type(names) is list else None
