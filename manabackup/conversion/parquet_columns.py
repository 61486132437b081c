"""Which columns a table's rows have in a Parquet file, of which types, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final, NamedTuple

import pyarrow as pa

from ..model.tables import Label, MoneyField, TableModel
from ..model.values import DateKind, decimal, moment, values_at
from ..text import jsontext
from ..text.jsontext import JSON
from .columns import columns_of
from .joined import Joined
from .places import instant
from .reading import Reading, ReadRow

Fit = Callable[[JSON], object]
"""Makes a cell of a value that is not null; None for what the column's type does not hold."""
Make = Callable[[ReadRow], object]
"""Makes a cell of a row."""
_TEXTS: Final = pa.list_(pa.string())
_INSTANT: Final = pa.timestamp("us", tz="UTC")
_AMOUNT: Final = pa.decimal128(38, 9)
_STAMPS: Final[Mapping[str, DateKind]] = dict.fromkeys(
    ("createdAt", "updatedAt", "deletedAt", "visibilityChangedAt", "unlistedExpiresAt"), "datetime-utc"
)
"""Times that rows of all tables may bear."""
_LARGEST: Final = 2**53
"""Beyond it, not every integer is a double."""
_LARGEST_AMOUNT: Final = Decimal(10) ** 29
_FINER = re.compile(r"\.\d{7}")


class ParquetColumn(NamedTuple):
    """A field of the rows themselves."""

    type: pa.DataType
    fit: Fit


class Beside(NamedTuple):
    """A column that is made out of others, or of what other rows say."""

    type: pa.DataType
    make: Make


class ParquetColumns:
    """The columns of one table: ``id``, fields, what stands beside them, and ``more`` for what fits nowhere."""

    def __init__(self, reading: Reading, name: str, joined: Joined) -> None:
        self._reading = reading
        self.fields: dict[str, ParquetColumn] = {}
        self.beside: dict[str, Beside] = {}
        self._taken = {"id", "more"}
        model = reading.model(name)
        secrets = frozenset() if reading.options.include_secrets or model is None else model.secrets
        fields = [(field, kind) for field, kind in columns_of(model).fields if field not in secrets]
        for field, kind in fields:
            self._taken.add(field.casefold())
            self.fields[field] = self._column(model, field, kind)
        if model is not None:
            for field, kind in fields:
                self._describe(model, field, nested=kind == "json")
            self._join(model, joined)
        self._add("created", _INSTANT, lambda row: instant(row.created, reading.zone))
        self._add("modified", _INSTANT, lambda row: instant(row.modified, reading.zone))

    @property
    def schema(self) -> pa.Schema:
        """Names and types, in their order."""
        types = {"id": pa.string()}
        types |= {name: column.type for name, column in self.fields.items()}
        types |= {name: column.type for name, column in self.beside.items()}
        return pa.schema([*types.items(), ("more", pa.json_())])

    def cells(self, row: ReadRow) -> list[object]:
        """What stands in the columns."""
        values, more = row.values, {}
        cells: list[object] = [_text(row.id)]
        for name, column in self.fields.items():
            value = values.get(name)
            cell = None if value is None else column.fit(value)
            if cell is None and value is not None:
                more[name] = value
            cells.append(cell)
        cells += [column.make(row) for column in self.beside.values()]
        if cells[0] is None:
            more["id"] = row.id
        others = [name for name in values if name not in self.fields and name != "id"]
        more.update({name: values[name] for name in others})
        cells.append(_json(more) if more else None)
        return cells

    def _column(self, model: TableModel | None, field: str, kind: str) -> ParquetColumn:
        dates = {**_STAMPS, **(model.dates if model is not None else {})}
        if kind == "number":
            return (
                ParquetColumn(_INSTANT, _epoch)
                if dates.get(field) == "epoch-ms"
                else ParquetColumn(pa.float64(), _number)
            )
        if kind == "boolean":
            return ParquetColumn(pa.bool_(), lambda value: value if isinstance(value, bool) else None)
        if kind == "text":
            return _DATES.get(dates.get(field, "month")) or ParquetColumn(pa.string(), _text)
        listed = model.fields[field].type if model is not None and field in model.fields else ""
        if listed in ("string[]", "enum[]"):
            return ParquetColumn(_TEXTS, lambda value: _list(value, _text))
        if listed == "number[]":
            return ParquetColumn(pa.list_(pa.float64()), lambda value: _list(value, _number))
        return ParquetColumn(pa.json_(), _json)

    def _add(self, name: str, of: pa.DataType, make: Make) -> None:
        """A column beside the fields; where a field has its name already, under another one."""
        while name.casefold() in self._taken:
            name += "_"
        self._taken.add(name.casefold())
        self.beside[name] = Beside(of, make)

    def _describe(self, model: TableModel, field: str, *, nested: bool) -> None:
        """Instants of mixed times, values inside nested ones, labels, amounts."""
        paths = [field]
        if nested:
            known = dict.fromkeys([*model.dates, *model.enums, *model.units, *(text.path for text in model.texts)])
            paths += [path for path in known if path.startswith(f"{field}.") and "[]" not in path]
        for path in paths:
            if path != field:
                self._inside(model, path)
            if model.dates.get(path) == "datetime-mixed":
                self._add(f"{path}_utc", _INSTANT, self._instant_at(path))
            labels = model.enums.get(path, self._reading.modules.visibility if path == "visibility" else {})
            if any(label != (value, value) for value, label in labels.items()):
                self._add(f"{path}_label", *self._label(model, path, labels))
        for money in model.money:
            if money.path.partition(".")[0] == field and "[]" not in money.path:
                self._money(model, money)

    def _inside(self, model: TableModel, path: str) -> None:
        """A single value of a nested one, which the column of its field has, too."""
        if path in model.units:
            column = ParquetColumn(pa.float64(), _number)
        else:
            column = _DATES.get(model.dates.get(path, "month")) or ParquetColumn(pa.string(), _text)

        def make(row: ReadRow) -> object:
            value = next(values_at(row.values, path), None)
            return None if value is None else column.fit(value)

        self._add(path, column.type, make)

    def _instant_at(self, path: str) -> Make:
        zone = self._reading.zone
        return lambda row: instant(next(values_at(row.values, path), None), zone)

    def _label(self, model: TableModel, path: str, labels: Mapping[str, Label]) -> tuple[pa.DataType, Make]:
        language = self._reading.language

        def one(value: JSON) -> str | None:
            label = labels.get(value if isinstance(value, str) else str(value))
            return None if label is None else label.of(language)

        if path in model.fields and model.fields[path].type == "enum[]":
            several = lambda row: [label for value in _members(row.values.get(path)) if (label := one(value))]  # noqa: E731
            return _TEXTS, several
        return pa.string(), lambda row: one(next(values_at(row.values, path), None))

    def _money(self, model: TableModel, money: MoneyField) -> None:
        """The exact amount in whole units with its sign, and its currency."""

        def of(row: ReadRow, part: str) -> Any:
            return next((getattr(found, part) for path, found in model.amounts(row.values) if path == money.path), None)

        self._add(f"{money.path}_decimal", _AMOUNT, lambda row: _amount(of(row, "amount")))
        self._add(f"{money.path}_currency", pa.string(), lambda row: _text(of(row, "currency")))
        if money.per_path is not None:
            self._add(f"{money.path}_per", pa.string(), lambda row: _text(of(row, "per")))

    def _join(self, model: TableModel, joined: Joined) -> None:
        """Names of tags, times of blocks."""
        zone = self._reading.zone
        if model.tags is not None:
            self._add(
                "tag_names", _TEXTS, lambda row: _list(joined.tags(model, row.id, row.values), _text_with_replacements)
            )
        if model.date_path is not None and ">" in model.date_path:
            field = model.date_path.partition(">")[0]

            def part(name: str, make: Callable[[JSON], object]) -> Make:
                def cell(row: ReadRow) -> object:
                    block = joined.block(row.values.get(field))
                    return None if block is None else make(getattr(block, name))

                return cell

            for name, attribute in (("starts", "start"), ("ends", "end")):
                self._add(name, pa.string(), part(attribute, _text))
                self._add(f"{name}_utc", _INSTANT, part(attribute, lambda value: instant(value, zone)))
            self._add("all_day", pa.bool_(), part("all_day", bool))


# --- cells ------------------------------------------------------------------------------------------------------------


def _text(value: JSON) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None  # half a character
    return value


def _text_with_replacements(value: JSON) -> str | None:
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else None


def _number(value: JSON) -> float | None:
    if type(value) is float:
        return value
    return float(value) if type(value) is int and -_LARGEST <= value <= _LARGEST else None


def _list(value: JSON, fit: Fit) -> list[object] | None:
    if not isinstance(value, list):
        return None
    cells = [fit(member) for member in value]
    return None if None in cells else cells


def _members(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


def _json(value: JSON) -> str:
    return jsontext.dumps(value).decode()


def _amount(value: Decimal | None) -> Decimal | None:
    """Exact, or nothing: the number stands in its own field as it is."""
    if value is None or abs(value) >= _LARGEST_AMOUNT:
        return None
    exponent = value.normalize().as_tuple().exponent
    return value if isinstance(exponent, int) and exponent >= -9 else None


def _day(value: JSON) -> date | None:
    found = moment(value)
    return found if type(found) is date and found.isoformat() == value else None


def _utc(value: JSON) -> datetime | None:
    found = moment(value)
    if not isinstance(found, datetime) or found.tzinfo is None or _FINER.search(str(value)):
        return None
    return found.astimezone(UTC)


def _clock(value: JSON) -> datetime | None:
    found = moment(value)
    return found if isinstance(found, datetime) and found.tzinfo is None and not _FINER.search(str(value)) else None


def _time_of_day(value: JSON) -> time | None:
    found = moment(value)
    return found if isinstance(found, time) and not _FINER.search(str(value)) else None


def _epoch(value: JSON) -> datetime | None:
    number = decimal(value)
    found = moment(value, "epoch-ms") if number is not None and number == number.to_integral_value() else None
    return found if isinstance(found, datetime) else None


_DATES: Final[Mapping[DateKind, ParquetColumn]] = {
    "date": ParquetColumn(pa.date32(), _day),
    "datetime-utc": ParquetColumn(_INSTANT, _utc),
    "datetime-local": ParquetColumn(pa.timestamp("us"), _clock),
    "time-local": ParquetColumn(pa.time64("us"), _time_of_day),
}
"""Others stay text: what each of them means, its own text says."""
