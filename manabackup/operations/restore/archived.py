"""A row of an archive on its way into an account: what it says, and how that is written there.

Private fields are compared opened and travel encrypted. A field of which the archive can say nothing — what was left
encrypted under a key that is not at hand, a link that belongs to the account it was made in — is *unknown*: the target
keeps what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...crypto.fields import FieldCipher, is_encrypted, may_be_encrypted
from ...errors import FieldDecryptionError
from ...model.projection.record import is_deleted as deleted
from ...rows.equality import equal_values
from ...text import jsontext
from ...text.jsontext import JSON

_NONE: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class ArchivedRow:
    """One row. Values are what the archive holds, parsed; those of a rekeyed archive may be ciphertext."""

    id: str
    """In the target."""
    values: dict[str, JSON]
    """Without ``id`` and without the columns of identity."""
    times: Mapping[str, str] = field(default_factory=dict)
    """Field, or path into one, → when it was last written, as far as the archive knows."""
    common_time: str = ""
    """The time of the fields that :attr:`times` does not name."""
    private: frozenset[str] = _NONE
    """Fields that are ciphertext in the target."""
    unknown: frozenset[str] = _NONE
    """Fields of which the archive says nothing; :attr:`values` does not hold them."""
    columns: frozenset[str] = _NONE
    """The columns of identity of its table."""
    in_clear: bool = False
    """It goes to where others are to read it."""
    cipher: FieldCipher | None = None
    """The target's key. Without it a ciphertext equals only itself, and nothing can be encrypted."""
    text: Callable[[str], bytes] | None = None
    """The own text of a field's value; by default the canonical one."""
    ciphertext: frozenset[str] = _NONE
    """Fields whose value is ciphertext as it stands here. What else begins like ciphertext is text."""

    @property
    def is_deleted(self) -> bool:
        """Whether it lay in the bin."""
        return deleted(self.values)

    def time(self, name: str) -> str:
        """When a field was last written, or anything within it; ``""`` when nobody knows."""
        path = f"{name}."
        return max(
            [self.times.get(name, self.common_time), *(t for at, t in self.times.items() if at.startswith(path))]
        )

    @property
    def last_modified(self) -> str:
        """The largest time, ``""`` when there is none."""
        return max([self.common_time, *self.times.values()])

    def is_same(self, name: str, theirs: JSON) -> bool:
        """Whether the target's value of a field equals the archive's. Null and absent are the same."""
        ours, encrypted = self.values.get(name), name in self.ciphertext
        if not encrypted and not may_be_encrypted(theirs):
            return equal_values(ours, theirs)
        if type(theirs) is str and ours == theirs and (encrypted or self.cipher is None):
            return True
        if self.cipher is None:
            return False
        try:
            return equal_values(
                jsontext.parse(self.cipher.decrypt(str(ours))) if encrypted else ours,
                opened(self.cipher, theirs),
                exact=True,
            )
        except FieldDecryptionError:
            return False

    def wire(self, name: str) -> JSON:
        """A field's value as it goes to the server; each call encrypts anew."""
        value = self.values[name]
        if value is None or self.in_clear or name not in self.private or name in self.ciphertext:
            return value
        assert self.cipher is not None
        return self.cipher.encrypt(self.text(name) if self.text is not None else jsontext.dumps(value))

    def keeps(self, name: str, theirs: JSON) -> bool:
        """Whether the target's form of an equal value may stay: private values encrypted, where they are to be."""
        if may_be_encrypted(theirs) and (is_encrypted(theirs) or self._opens(theirs)):
            return not self.in_clear
        return self.in_clear or name not in self.private

    def _opens(self, value: str) -> bool:
        try:
            return self.cipher is not None and bool(self.cipher.decrypt(value))
        except FieldDecryptionError:
            return False

    def wire_values(self) -> dict[str, JSON]:
        """All fields as they go to the server."""
        return {name: self.wire(name) for name in self.values}


def opened(cipher: FieldCipher, value: JSON) -> JSON:
    """What the server's value says. What has not the form of ciphertext and does not open is text.

    Raises :class:`FieldDecryptionError`.
    """
    if not may_be_encrypted(value):
        return value
    try:
        return jsontext.parse(cipher.decrypt(value))
    except FieldDecryptionError:
        if is_encrypted(value):
            raise
        return value
