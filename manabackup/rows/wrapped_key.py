"""The account's own key in an archive, as its recovery code opens it: ``account/vault.json``.

What the vault gives its owner, and nobody without the code can use. So an archive whose private fields nobody opened is
opened by its owner without a server, years later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..archive.reader import Archive
from ..errors import DamagedArchiveError, JSONTextError
from ..text import jsontext

VAULT_ENTRY = "vault.json"
"""Under ``account/``."""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A master key under a recovery code, as the vault has it: two texts of base64."""

    wrapped: str = field(repr=False)
    iv: str = field(repr=False)

    def text(self) -> bytes:
        """The entry's content, which names its members as the account service does."""
        return jsontext.dumps({"formatVersion": _VERSION, "recoveryWrappedMk": self.wrapped, "recoveryIv": self.iv})

    @classmethod
    def of(cls, archive: Archive) -> WrappedKey | None:
        """That of an open archive, if it has one. Raises :class:`DamagedArchiveError` for one that is none."""
        entry = f"account/{VAULT_ENTRY}"
        if entry not in archive.account:
            return None
        try:
            found = jsontext.parse(b"".join(archive.reader.chunks(entry)))
        except JSONTextError:
            found = None
        known = found if isinstance(found, dict) else {}
        wrapped, iv = known.get("recoveryWrappedMk"), known.get("recoveryIv")
        if not (isinstance(wrapped, str) and isinstance(iv, str)) or known.get("formatVersion") != _VERSION:
            raise DamagedArchiveError("is no wrapped key", code="line", where=entry)
        return cls(wrapped, iv)
