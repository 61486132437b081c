"""What a store of objects is asked, whoever runs it, and what asking has in common."""

from __future__ import annotations

import base64
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from ..errors import ManabackupError, OutputError
from ..host.set_aside import SetAside
from ..remote.answers import Answer
from ..remote.request import Request
from ..remote.transport import Transport
from .asking import exists_already
from .ranges import RangedBytes

TRIAL_WORDS = b"By this object manabackup sees whether this bucket spares what lies in the way.\n"


@dataclass(frozen=True, slots=True)
class New:
    """An object that is to appear."""

    path: str
    """Begins with the slash behind the bucket's name."""
    size: int
    run: str
    """Which run writes it: the object keeps it, and is known by it where an answer was lost."""
    spare: bool
    """Whether it may only appear where nothing is."""
    look: bool
    """Whether to look before it appears: the store does not."""
    until: datetime | None = None
    """How long nobody is to be able to remove it."""


class Store(ABC):
    """Connections to a bucket, asked as somebody, until they are closed.

    Whatever it does raises what its place says. Errors name the archive that it is about by ``shown``.
    """

    lock_hint: ClassVar[str]
    """What a bucket takes whose objects can be locked."""

    def __init__(self, transport: Transport, shown: str) -> None:
        self.transport = transport
        self._shown = shown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.close()

    # --- asking

    @abstractmethod
    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Request:
        """A request that proves who asks. ``path`` begins with the slash behind the bucket's name."""

    def ask(self, request: Request) -> Answer:
        """What the server answers, whatever it is. Raises :class:`ServerError`."""
        return self.transport.request(request)

    def asked(self, request: Request, *statuses: int) -> Answer:
        """An answer of one of these statuses. Raises what any other means."""
        answer = self.ask(request)
        if answer.status not in statuses:
            raise self.refused(answer)
        return answer

    @abstractmethod
    def refused(self, answer: Answer) -> ManabackupError:
        """What an answer means that is not what was asked for."""

    # --- objects that are there

    @abstractmethod
    def open(self, path: str) -> RangedBytes:
        """An object by ranges, which lets go of the connections when it is closed."""

    @abstractmethod
    def head(self, path: str, *, blind: bool = False) -> Mapping[str, str] | None:
        """What is known of an object; None where there is none, or where that is not for ``blind`` keys to know."""

    @abstractmethod
    def keys(self, folder: str) -> Iterable[str]:
        """Of the objects in a folder, each with the slash that it begins with here; and what folders in it begin with.

        The latter end with a slash.
        """

    @abstractmethod
    def delete(self, path: str) -> None:
        """Takes away an object."""

    def require_lock(self, path: str, until: datetime) -> None:
        """Raises :class:`OutputError` where an object is not locked for so long.

        A bucket may have a lock of its own, which is shorter, or can be taken away.
        """
        locked = self._locked_until(self.head(path) or {})
        if locked is None or locked < until:
            raise OutputError(
                f"{self._shown} is there, and is not locked: the server passed over --retain",
                hint=self.lock_hint,
            )

    @abstractmethod
    def _locked_until(self, found: Mapping[str, str]) -> datetime | None:
        """Until when nobody can remove an object, by what is known of it; None where somebody can now."""

    # --- objects that are to appear

    @abstractmethod
    def put(self, new: New, held: SetAside) -> None:
        """The whole object in one request."""

    @abstractmethod
    def put_parts(self, new: New, held: SetAside, size: int) -> None:
        """The object in parts of ``size`` bytes, a multiple of 256 KiB."""

    @abstractmethod
    def spares(self, trial: str) -> bool:
        """Whether an object that is there is spared; the one that it is tried with stays."""

    @abstractmethod
    def spares_parts(self, trial: str) -> bool:
        """The same where an object is put together of parts."""

    def _look(self, new: New) -> None:
        """Right before an object appears, where the store itself spares nothing."""
        if new.look and self.head(new.path, blind=True) is not None:
            raise exists_already(self._shown)


Opening = Callable[[str, str], Store]
"""Connections to the bucket of a name, for messages that name something."""


def parts_of(held: SetAside, size: int) -> Iterator[bytes]:
    """All of it, in parts of ``size`` bytes, the last one smaller."""
    part = bytearray()
    for piece in held.sent():
        part += piece
        while len(part) >= size:
            yield bytes(part[:size])
            del part[:size]
    if part:
        yield bytes(part)


def md5_of(pieces: Iterable[bytes]) -> str:
    """In Base64: by which a store finds what was changed on the way, not what somebody wants to change."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return base64.b64encode(digest.digest()).decode("ascii")
