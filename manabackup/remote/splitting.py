"""The changes in an answer of the sync server, one by one, while it comes.

An answer is one JSON object with a list of changes among its members, in any order. Nothing but one change need be in
memory (:mod:`manabackup.text.jsonstream`). What is larger than allowed is passed over, whatever its size, and what the
rest of it tells of its name is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from ..errors import JSONTextError
from ..limits import Limits
from ..model.rawchange import UnreadableChange, event_key
from ..text import jsontext
from ..text.jsonstream import NAME_BYTES, IncomingText, KeptText, OverflowingValueError

_LIST = "serverChanges"


class AnswerText:
    """An answer on its way.

    ``on_large`` is called once for each change that is larger than ``large`` bytes, before more of it is taken.
    """

    def __init__(self, pieces: Iterable[bytes], limits: Limits, *, large: int, on_large: Callable[[], object]) -> None:
        self._text = IncomingText(pieces)
        self._limits = limits
        self._large = large
        self._on_large = on_large
        self.rest = b""
        """Afterwards: the answer with an empty list in place of the changes, and without what else is large in it."""

    def changes(self) -> Iterator[bytes | UnreadableChange]:
        """The text of each change, or what is known of one that is too large.

        Raises :class:`JSONTextError` when the answer is no object with one list of changes.
        """
        text = self._text
        members: list[bytes] = []
        found = False
        for name, raw_name in text.members():
            if name == _LIST and text.mark() == b"[":
                if found:
                    raise JSONTextError("two lists of changes in one answer")
                found = True
                for _ in text.items():
                    yield self._change()
                members.append(raw_name + b":[]")
                continue
            value = KeptText(NAME_BYTES)
            text.value(value)
            if name is not None and not value.is_over:
                members.append(raw_name + b":" + value.text())
        if text.mark():
            raise JSONTextError("more text behind the answer")
        self.rest = b"{%b}" % b",".join(members)

    def _change(self) -> bytes | UnreadableChange:
        whole = KeptText(self._limits.change_bytes, large=self._large, on_large=self._on_large, ends=True)
        try:
            self._text.value(whole)
        except OverflowingValueError:
            pass
        else:
            change = whole.text()
            if jsontext.values_at_most(change, self._limits.answer_values) <= self._limits.answer_values:
                return change
            del change
        beginning = whole.text()[:NAME_BYTES]
        self._text.put_back(whole)
        return self._passed_over(beginning)

    def _passed_over(self, beginning: bytes) -> UnreadableChange:
        """Takes the change that comes for its names alone."""
        found: dict[str, str] = {}
        if self._text.mark() != b"{":
            self._text.value(KeptText(0))
        else:
            for name, _ in self._text.members():
                value = KeptText(NAME_BYTES if name in ("eventId", "id", "table") else 0)
                self._text.value(value)
                told = None if value.is_over else jsontext.parse(value.text())
                if name is not None and isinstance(told, str):
                    found[name] = told
        event = found.get("eventId")
        key = b"\1" + sha256(beginning).digest() if event is None else event_key({"eventId": event})
        return UnreadableChange(key, found.get("id"), found.get("table", ""))
