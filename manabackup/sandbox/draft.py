"""What is needed to make up one row: randomness, prose, the time, and the ids of rows that exist already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, Literal, TypeVar

from ..text.jsontext import JSON, Number, number_text
from .prose import Prose

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN_IDS = 256
"""How many ids of each table are remembered for references: any number of rows must fit into little memory."""


def microseconds(instant: datetime) -> int:
    """Microseconds since the epoch."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def timestamp(instant_us: int) -> str:
    """An instant as a browser writes it: ISO 8601, UTC, milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=instant_us // 1000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def uuid4(rng: Random) -> str:
    """A version 4 UUID (RFC 9562, 5.4) out of ``rng``."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def opaque_id(rng: Random, length: int) -> str:
    """Letters and digits, as the account service makes ids of users (32) and other services theirs."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(letters[int(rng.random() * 62)] for _ in range(length))


def number(value: float, digits: int) -> JSON:
    """``value`` with ``digits`` decimal places, in the form in which :mod:`manabackup.text.jsontext` holds numbers."""
    text = number_text(f"{value:.{digits}f}")
    return Number(text) if "." in text else int(text)


class Draft:
    """The source that shapes draw values from. ``now`` (microseconds since the epoch) moves with the account's life."""

    def __init__(self, rng: Random, prose: Prose) -> None:
        self.rng = rng
        self.prose = prose
        self.now = 0
        self._random = rng.random
        self._known: dict[str, list[str]] = {}

    # --- chance

    def chance(self, share: float) -> bool:
        """True in ``share`` of all cases."""
        return self._random() < share

    def pick(self, choices: Sequence[T]) -> T:
        """One of ``choices``."""
        return choices[int(self._random() * len(choices))]

    def integer(self, low: int, high: int) -> int:
        """Between ``low`` and ``high``, both included."""
        return low + int(self._random() * (high - low + 1))

    def decimal(self, low: float, high: float, digits: int = 1) -> JSON:
        """A number with at most ``digits`` decimal places."""
        return number(low + self._random() * (high - low), digits)

    def maybe(self, make: Callable[[], JSON], share: float = 0.5) -> JSON:
        """What ``make`` gives, in ``share`` of all cases, else null."""
        return make() if self._random() < share else None

    def text(self, templates: Sequence[str]) -> str:
        """One of ``templates``, filled."""
        return self.prose.fill(templates)

    def texts(self, templates: Sequence[str], most: int) -> list[str]:
        """Up to ``most`` of them, perhaps none."""
        return [self.prose.fill(templates) for _ in range(int(self._random() * (most + 1)))]

    # --- time

    def instant(self, days: float = 0.0) -> str:
        """Now, or up to about a day around so many days from now, to the minute."""
        if not days:
            return timestamp(self.now)
        shifted = self.now + int((days + self._random() - 0.5) * 86_400_000_000)
        return timestamp(shifted - shifted % 60_000_000)

    def day(self, days: float = 0.0) -> str:
        """A date ``YYYY-MM-DD``, so many days from now."""
        return timestamp(self.now + int(days * 86_400_000_000))[:10]

    def clock(self) -> str:
        """A time of day ``HH:MM``."""
        return f"{self.integer(5, 23):02d}:{self.integer(0, 11) * 5:02d}"

    # --- ids

    def id(self) -> str:
        """A new random id."""
        return uuid4(self.rng)

    def media(self) -> str:
        """An id of the media service, which holds files outside the rows."""
        return f"med_{opaque_id(self.rng, 22)}"

    def remember(self, table: str, row_id: str) -> None:
        """Makes ``row_id`` a target of later references; after some hundred it takes another's place."""
        known = self._known.setdefault(table, [])
        if len(known) < _KNOWN_IDS:
            known.append(row_id)
        else:
            known[int(self._random() * _KNOWN_IDS)] = row_id

    def ref(self, table: str) -> str | None:
        """The id of a row of ``table``, or null when there is none yet."""
        known = self._known.get(table)
        return known[int(self._random() * len(known))] if known else None

    def refs(self, table: str, most: int) -> list[str]:
        """Ids of up to ``most`` rows of ``table``, each once."""
        found = {self.ref(table): None for _ in range(int(self._random() * (most + 1)))}
        return [row_id for row_id in found if row_id is not None]

    def linked(self, table: str) -> str:
        """As :meth:`ref`, for what cannot be null: sometimes, as in life, it points at a row that nobody has."""
        found = self.ref(table) if self._random() < 0.95 else None
        return found if found is not None else self.id()


Maker = Callable[[Draft], JSON]
RowMaker = Callable[[Draft], dict[str, JSON]]
Fields = Mapping[str, Maker]

Times = Literal["none", "created", "both", "number"]
"""Which times the table's store writes into its rows. Most write none; junctions write ``createdAt`` and ``updatedAt``;
``wetterLocations.createdAt`` is a number (milliseconds since the epoch)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows of one table are made and changed."""

    make: RowMaker
    times: Times = "none"
    weight: float = 1.0
    """How many rows the table gets, compared with the others."""
    edits: tuple[tuple[str, ...], ...] = ()
    """Groups of fields that change together; empty: each field for itself."""
