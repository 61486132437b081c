"""The passphrases of a run's archives.

What opened one is tried at the next one before anybody is asked again, and what somebody mistyped is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import WrongPassphraseError
from .run import Run

_Result = TypeVar("_Result")
_NAME = "passphrase"


class Passphrases:
    """For the archives of one run. Where there are ``several``, a prompt names the file."""

    def __init__(self, run: Run, *, several: bool = False) -> None:
        self._run = run
        self._several = several
        self._opened: str | None = None
        """What was typed and opened an archive."""

    def opening(self, file: str, attempt: Callable[[Callable[[], str]], _Result], name: str = _NAME) -> _Result:
        """What ``attempt`` gives, which opens ``file`` with the passphrase that it calls for. Raises what it raises.

        It is made again with another one that somebody types, and writes nothing before the archive is open.
        """
        given = self._run.source(name) is not None
        if self._opened is not None and not given:
            kept = self._opened
            try:
                return attempt(lambda: kept)
            except WrongPassphraseError:
                pass  # it has another one
        typed: list[str] = []

        def passphrase() -> str:
            answer = self._run.secret(name, of=file if self._several else None)
            if not given:
                typed.append(answer)
            return answer

        while True:
            try:
                result = attempt(passphrase)
            except WrongPassphraseError as error:
                if not self._run.once_more(name, error):
                    raise
            else:
                self._opened = typed[-1] if typed else self._opened
                return result
