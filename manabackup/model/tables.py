"""What the rows of one table mean: the types of ``formats/modules.json``, and what every reader of rows asks of them.

Values are those of :mod:`manabackup.text.jsontext`. What is not of the form that the description states is nothing, and
never an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from ..text.jsontext import JSON
from .values import DateKind, Moment, decimal, first_text, moment, shortened, texts_at, values_at

Language = Literal["de", "en"]
Role = Literal[
    "main",
    "detail",
    "taxonomy",
    "settings",
    "technical",
    "flag",
    "link",
    "time",
    "junction",
    "junction-ordered",
    "junction-other",
]
TextFormat = Literal["plain", "markdown", "html", "tiptap"]
FileKind = Literal[
    "mediaId",
    "url",
    "mediaId-or-url",
    "url-or-data",
    "url-in-text",
    "external-url",
    "s3-music",
    "s3-storage",
    "mediaId-or-s3-music",
    "mediaId-or-s3-storage",
    "fk-images",
    "mediaId-or-fk-images",
    "emoji",
    "legacy",
    "unknown",
]


class Label(NamedTuple):
    """What something is called."""

    de: str
    en: str

    def of(self, language: Language) -> str:
        """In one of the two languages."""
        return self.de if language == "de" else self.en


class FieldType(NamedTuple):
    """What a field holds, as the web app's own types have it."""

    type: str
    """``string``, ``number``, ``boolean``, ``enum``, ``object``, ``any``; with ``[]`` a list of those."""
    nullable: bool
    encrypted: bool


class TextField(NamedTuple):
    """A field with prose."""

    path: str
    format: TextFormat
    note: str | None


class MoneyField(NamedTuple):
    """A field with an amount of money."""

    path: str
    minor: bool
    """Integers, hundredths of the currency."""
    currency: str | None
    """Of every row; shown by the app, stored nowhere."""
    currency_path: str | None
    per_path: str | None
    """A rate: where it stands what it is paid for (``hour``, ``day``)."""
    negative: tuple[str, str] | None
    """(path, value): rows in which the value makes the amount negative."""
    hours_where: tuple[str, str] | None
    """(path, value): rows in which the value makes the number hours, and no money."""


class FileField(NamedTuple):
    """A field that leads to a file."""

    path: str
    kind: FileKind
    note: str | None


class TagFields(NamedTuple):
    """The places that a row's tags stand in; its tags are all of them."""

    ids: tuple[str, ...]
    """Paths of ids of tags."""
    names: tuple[str, ...]
    """Paths of names."""
    junctions: tuple[str, ...]
    """Tables of pairs."""


class Money(NamedTuple):
    """An amount, exact."""

    amount: Decimal
    currency: str | None
    """As the row has it (ISO 4217 where people keep to it); None where it says nothing."""
    per: str | None


@dataclass(frozen=True, slots=True)
class Junction:
    """A table of pairs (thing, tag)."""

    entity: str
    """The field with the thing's id."""
    tag: str
    old_tag: str | None
    """The field of old rows."""
    tag_table: str

    def pair(self, values: Mapping[str, JSON]) -> tuple[str, str] | None:
        """(id of the thing, id of the tag) of a row."""
        entity, tag = values.get(self.entity), values.get(self.tag)
        if not tag and self.old_tag is not None:
            tag = values.get(self.old_tag)
        return (entity, tag) if isinstance(entity, str) and isinstance(tag, str) and entity and tag else None


@dataclass(frozen=True, slots=True)
class App:
    """One of Mana's apps."""

    id: str
    label: Label
    group: str
    """Where people would look for it: a key of :attr:`Modules.groups`."""
    icon: str | None
    """Name of a Phosphor icon."""
    color: str | None
    """``#rrggbb``."""
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableModel:
    """What the rows of one table mean. Paths are written as ``a``, ``a.b``, ``a[]``, ``a[].b`` (:func:`values_at`)."""

    name: str
    app: str
    label: Label
    group: str
    role: Role
    scope: Literal["user", "space"]
    title_paths: tuple[str, ...]
    title_fallback: tuple[str, ...]
    """Where the title is, one of them, if the others are empty."""
    date_path: str | None
    """The date that a row goes by; ``a>b`` is the field ``b`` of the ``timeBlocks`` row that ``a`` names."""
    dates: Mapping[str, DateKind]
    texts: tuple[TextField, ...]
    enums: Mapping[str, Mapping[str, Label]]
    """Path → stored value → label."""
    flags: tuple[str, ...]
    order_path: str | None
    parent_path: str | None
    """The field with the id of the row that this one belongs to."""
    units: Mapping[str, str]
    money: tuple[MoneyField, ...]
    geo: tuple[str, ...]
    """Latitude, longitude and perhaps altitude: WGS 84 degrees, metres."""
    files: tuple[FileField, ...]
    tags: TagFields | None
    secrets: frozenset[str]
    """Fields that let whoever knows them in; no readable export has them."""
    bin_path: str | None
    """True in rows that lie in the app's own bin."""
    references: Mapping[str, str]
    """Path → table, as in the registry and, of fields that only the app's screens follow, by their values."""
    fields: Mapping[str, FieldType]
    shapes: Mapping[str, str]
    """What nested fields hold, for people."""
    note: str | None

    # --- a row's words

    def title(self, values: Mapping[str, JSON]) -> str | None:
        """A row's title as its owner gave it; None where there is none."""
        parts = [text for path in self.title_paths if (text := first_text(values, path))]
        if parts:
            return " ".join(parts)
        return next((text for path in self.title_fallback if (text := first_text(values, path))), None)

    def heading(self, values: Mapping[str, JSON], language: Language) -> str:
        """What to call a row where something must stand: its title, the begin of its text, or its date and table."""
        title = self.title(values)
        if title:
            return title
        for text in self.texts:
            if text.format in ("plain", "markdown"):
                found = first_text(values, text.path)
                if found:
                    return shortened(found)
        moment = self.date(values)
        name = self.label.of(language)
        return f"{name} {moment:%Y-%m-%d}" if isinstance(moment, date) else name

    def value_label(self, path: str, value: JSON, language: Language) -> str | None:
        """What a stored value is called; None for a value that nobody knows."""
        label = self.enums.get(path, {}).get(value) if isinstance(value, str) else None
        if label is None and type(value) is int:
            label = self.enums.get(path, {}).get(str(value))
        return None if label is None else label.of(language)

    # --- a row's times

    def date(self, values: Mapping[str, JSON], block: Mapping[str, JSON] | None = None) -> Moment | None:
        """The date that a row goes by. ``block``: the ``timeBlocks`` row of tables that have their time there."""
        path = self.date_path
        if path is None:
            return None
        _, _, beyond = path.partition(">")
        if beyond:
            return None if block is None else moment(block.get(beyond))
        found = next(values_at(values, path), None)
        return moment(found, self.dates.get(path, "datetime-mixed"))

    def all_dates(self, values: Mapping[str, JSON]) -> dict[str, Moment]:
        """Path → moment, for every date that a row has itself."""
        found = {}
        for path, kind in self.dates.items():
            value = moment(next(values_at(values, path), None), kind)
            if value is not None:
                found[path] = value
        return found

    # --- a row's tags, money, place

    def tag_ids(self, values: Mapping[str, JSON]) -> list[str]:
        """Ids of tags in the row itself, each once. There may be more in junction tables."""
        return texts_at(values, self.tags.ids) if self.tags is not None else []

    def tag_names(self, values: Mapping[str, JSON]) -> list[str]:
        """Names of tags in the row itself, each once."""
        return texts_at(values, self.tags.names) if self.tags is not None else []

    def amounts(self, values: Mapping[str, JSON]) -> Iterator[tuple[str, Money]]:
        """(path, money) of every amount in a row; of a path with ``[]`` each."""
        for field in self.money:
            if field.hours_where is not None and first_text(values, field.hours_where[0]) == field.hours_where[1]:
                continue
            for value in values_at(values, field.path):
                amount = decimal(value)
                if amount is None:
                    continue
                if field.minor:
                    amount = amount.scaleb(-2)
                if field.negative is not None and first_text(values, field.negative[0]) == field.negative[1]:
                    amount = amount.copy_negate()
                currency = field.currency
                if field.currency_path is not None:
                    currency = first_text(values, field.currency_path) or None
                per = first_text(values, field.per_path) or None if field.per_path is not None else None
                yield field.path, Money(amount, currency, per)

    def place(self, values: Mapping[str, JSON]) -> tuple[Decimal, ...] | None:
        """(latitude, longitude) in degrees and perhaps the altitude in metres; None for 0/0, which is no place."""
        numbers = [decimal(values.get(name)) for name in self.geo]
        if len(numbers) < 2:
            return None
        latitude, longitude = numbers[:2]
        if latitude is None or longitude is None:
            return None
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or (latitude == 0 and longitude == 0):
            return None
        altitude = numbers[2] if len(numbers) > 2 else None
        return (latitude, longitude) if altitude is None else (latitude, longitude, altitude)

    def in_bin(self, values: Mapping[str, JSON]) -> bool:
        """Whether a row was thrown away: a tombstone, or one in the app's own bin."""
        return bool(values.get("deletedAt")) or (self.bin_path is not None and values.get(self.bin_path) is True)
