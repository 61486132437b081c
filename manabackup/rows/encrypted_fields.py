"""Whether the private fields of an encrypted archive are ciphertext, and whether a key opens them.

Such an archive is made by ``rekey``. Without its key it can be seen that nothing private stands in clear; with the key
it is known that everything can be read.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..archive import names
from ..archive.container import printable
from ..archive.reader import Archive, Row
from ..crypto.fields import FieldCipher, is_encrypted, may_be_encrypted
from ..errors import FieldDecryptionError, WrongKeyError
from ..model import registry
from ..text.jsontext import JSON
from .archived import is_ours
from .marks import Listed, Marks, listed_in
from .problem import Problem
from .side_by_side import MetaLines

MOST_PROBLEMS = 1_000
"""Fields that are named; the others are counted."""
_NONE: frozenset[str] = frozenset()


class EncryptedFields:
    """Checks the rows of an open archive. ``cipher`` is None where nobody has the key.

    Raises :class:`WrongKeyError` when the archive names another key.
    """

    def __init__(self, archive: Archive, cipher: FieldCipher | None) -> None:
        stated = archive.manifest.key_fingerprint
        if cipher is not None and stated is not None and stated != cipher.fingerprint:
            raise WrongKeyError(
                f"the archive is encrypted under another key ({stated}) than the one given ({cipher.fingerprint})"
            )
        self._archive = archive
        self._marks = Marks.of(archive)
        self._as_stored = archive.manifest.as_stored
        self._cipher = cipher
        self.fields = 0
        """Fields that are ciphertext as they should be."""
        self.found: list[Problem] = []
        """The first problems; the last one counts the others."""
        self._more = 0

    def row_blocks(self, table: str) -> Iterator[list[Row]]:
        """The rows of a table, some at a time, each checked on its way. Raises what :meth:`Archive.rows` raises."""
        known = registry.load().by_name.get(table)
        registered = known.encrypted if known is not None else _NONE
        ours = is_ours(self._archive)
        metas = MetaLines(self._archive, table) if ours else None
        before = 0
        for block in self._archive.reader.row_blocks(table, ordered=ours):
            for number, row in enumerate(block, before + 1):
                meta = metas.of(row.id) if metas is not None else None
                private = registered.union(_also_encrypted(meta))
                self._check(row, private, listed_in(meta), f"{names.entry('data', table)}:{number}")
            before += len(block)
            yield block

    def _check(self, row: Row, private: frozenset[str], listed: Listed, where: str) -> None:
        for name, value in row.values().items():
            if may_be_encrypted(value) and self._marks.is_ciphertext(name, listed):
                reason = self._reason(value)
                if reason is None:
                    self.fields += 1
                else:
                    self._add(Problem("notOpened", where, f"the field {printable(name)} {reason}"))
            elif name in private and value is not None and not self._as_stored:
                self._add(Problem("notEncrypted", where, f"the private field {printable(name)} stands in clear"))

    def _reason(self, value: str) -> str | None:
        """Why a value is no good ciphertext."""
        if self._cipher is None:
            return None if is_encrypted(value) else "is no ciphertext that any key opens"
        try:
            self._cipher.open(value)
        except FieldDecryptionError as error:
            return f"does not open: {error.message}"
        return None

    def _add(self, problem: Problem) -> None:
        if len(self.found) < MOST_PROBLEMS:
            self.found.append(problem)
        else:
            self._more += 1
            self.found[MOST_PROBLEMS:] = [Problem(problem.code, None, f"and {self._more:,} more fields")]


def _also_encrypted(meta: dict[str, JSON] | None) -> list[str]:
    names_ = meta.get("sealed") if meta is not None else None
    return [name for name in names_ if isinstance(name, str)] if isinstance(names_, list) else []
