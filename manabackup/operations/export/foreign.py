"""Fields that may be other members': they are believed to be once the key has shown that it is the account's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ...rows.completeness import Case

FOREIGN = "foreignOrUndecryptable"
_MOST_HELD = 10_000


class ForeignFields:
    """Passes cases on to ``note``.

    Under a wrong key nothing opens, and everything looks like somebody else's. So such cases are held back until the
    key has opened a field. Where it opens none, or none before so many that did not open, they are losses.
    """

    def __init__(self, note: Callable[[Case], object]) -> None:
        self._note = note
        self._held: list[Case] = []
        self._shown = False
        """The key has opened a field."""

    def take(self, cases: Iterable[Case], *, opened: bool) -> None:
        """The cases of a block, and whether the key opened a field there."""
        if opened and not self._shown:
            self._shown = True
            self._pass_on()
        for case in cases:
            if self._shown or case.kind != FOREIGN:
                self._note(case)
                continue
            self._held.append(case)
            if len(self._held) > _MOST_HELD:
                self._pass_on()

    def finish(self) -> None:
        """There are no more."""
        self._pass_on()

    def _pass_on(self) -> None:
        for case in self._held:
            self._note(case if self._shown else replace(case, kind="undecryptable"))
        self._held.clear()
