"""``csv``: a folder with a file for each table (RFC 4180), for spreadsheets.

What a cell can hold is text; ``docs/convert.md`` says how everything else is written, and what is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from ..host.output_folder import AtomicFolder
from ..model.tables import MoneyField, TableModel
from ..model.values import decimal, values_at
from ..text.jsontext import JSON
from . import csv_inventory
from .columns import columns_of
from .csv_readme import readme
from .csv_records import Records, open_table, text_of, written
from .file_names import Names
from .joined import Joined
from .reading import Reading, ReadRow

CellText = Callable[[ReadRow], str]


def convert(reading: Reading, folder: AtomicFolder) -> None:
    """Fill the folder."""
    joined, names, files = Joined(reading), Names(), []
    for name in reading.tables:
        file_name = names.name((), name, name, otherwise="table", ending=".csv")
        count = _table(reading, folder, name, file_name, joined)
        if count:
            files.append((file_name, name, count))
    for name in reading.tables:
        model = reading.model(name)
        for money in model.money if model is not None else ():
            if "[]." in money.path and model is not None:
                file_name = names.name((), f"{name}.{money.path.partition('[')[0]}", name, otherwise="x", ending=".csv")
                count = _lines(reading, folder, model, money, file_name)
                if count:
                    files.append((file_name, name, count))
    if reading.has("invItems"):
        files += csv_inventory.convert(reading, folder, joined)
    folder.write(readme(reading, files).encode(), "README.txt")


def _table(reading: Reading, folder: AtomicFolder, name: str, file_name: str, joined: Joined) -> int:
    """One table; tells how many rows. A table without rows has no file."""
    model = reading.model(name)
    if model is not None:
        joined.prepare(model)
    records = Records(reading, name)
    columns = _columns(reading, name, joined)
    blocks = (block for block in reading.blocks(name, _recorder(records, columns)) if block[1])
    first = next(blocks, None)
    if first is None:
        return 0
    with folder.file(file_name) as file:
        file.write(records.begin + records.record(list(map(records.cell, [*columns, "more"]))))
        count = 0
        for text, rows in chain((first,), blocks):
            file.write(text)
            count += rows
    return count


def _recorder(records: Records, columns: Mapping[str, _Column]) -> Callable[[Iterator[ReadRow]], tuple[bytes, int]]:
    """What makes records of rows; it tells how many."""
    places = {field: at for at, (field, column) in enumerate(columns.items()) if column.cell is None}
    made = [(at, column.of, column.cell) for at, column in enumerate(columns.values()) if column.cell is not None]
    empty = [b""] * (len(columns) + 1)
    finished = records.cell

    def recorded(rows: Iterator[ReadRow]) -> tuple[bytes, int]:
        found = []
        for row in rows:
            values = row.values
            cells = empty.copy()
            # Most fields of a table are not in most rows: nothing is done about those.
            for field, value in values.items():
                at = places.get(field)
                if at is None:
                    cells[-1] = finished(_more(values, places))
                elif type(value) is str:
                    cells[at] = finished(value)
                elif value is not None:
                    cells[at] = finished(written(value))
            for at, of, cell in made:
                if of is None or of in values:
                    text = cell(row)
                    if text:
                        cells[at] = finished(text)
            found.append(records.record(cells))
        return b"".join(found), len(found)

    return recorded


# --- columns ----------------------------------------------------------------------------------------------------------


class _Column(NamedTuple):
    """Where the cells of a column come from."""

    cell: CellText | None = None
    """What makes one of a row; None: it is the field as it is."""
    of: str | None = None
    """The field without which a cell is empty."""


def _columns(reading: Reading, name: str, joined: Joined) -> dict[str, _Column]:
    """Header → what stands below it."""
    model = reading.model(name)
    columns = {"id": _Column()}
    fields = columns_of(model).fields
    secrets = frozenset() if reading.options.include_secrets or model is None else model.secrets
    for field, kind in fields:
        if field in secrets:
            continue
        columns[field] = _Column()
        if model is not None:
            described = _described(reading, model, field, nested=kind == "json")
            columns |= {header: _Column(cell, field) for header, cell in described.items()}
    if model is not None:
        if model.tags is not None:
            columns["tag_names"] = _Column(lambda row: "; ".join(joined.tags(model, row.id, row.values)))
        if model.date_path is not None and ">" in model.date_path:
            field = model.date_path.partition(">")[0]
            columns |= {header: _Column(cell, field) for header, cell in _timed(field, joined).items()}
    columns["created"] = _Column(lambda row: row.created or "")
    columns["modified"] = _Column(lambda row: row.modified or "")
    return columns


def _described(reading: Reading, model: TableModel, field: str, *, nested: bool) -> dict[str, CellText]:
    """Further columns of a field: values inside it, labels, amounts."""
    found: dict[str, CellText] = {}
    if nested:
        for path in dict.fromkeys([*model.dates, *model.enums, *model.units, *(text.path for text in model.texts)]):
            if path.startswith(f"{field}.") and "[]" not in path:
                found[path] = _at(path)
    for path in [field, *found]:
        labels = model.enums.get(path)
        if labels is None and path == "visibility":
            labels = reading.modules.visibility
        if labels and any(label != (value, value) for value, label in labels.items()):
            found[f"{path}_label"] = _label(reading, path, labels)
    for money in model.money:
        if money.path.partition(".")[0] == field and "[]" not in money.path:
            found |= _money(model, money)
    return found


def _at(path: str) -> CellText:
    return lambda row: written(next(values_at(row.values, path), None))


def _label(reading: Reading, path: str, labels: Mapping[str, Any]) -> CellText:
    language = reading.language
    nested = "." in path

    def cell(row: ReadRow) -> str:
        value = next(values_at(row.values, path), None) if nested else row.values.get(path)
        if value is None:
            return ""
        if type(value) is str:
            label = labels.get(value)
            return "" if label is None else str(label.of(language))
        several = value if isinstance(value, list) else [value]
        found = [labels.get(one if isinstance(one, str) else str(one)) for one in several if one is not None]
        return "; ".join(label.of(language) for label in found if label is not None)

    return cell


def _money(model: TableModel, money: MoneyField) -> dict[str, CellText]:
    """The exact amount in whole units with its sign, and its currency."""

    def of(row: ReadRow, part: str) -> str:
        for path, found in model.amounts(row.values):
            if path == money.path:
                return f"{found.amount:f}" if part == "amount" else str(getattr(found, part) or "")
        return ""

    columns: dict[str, CellText] = {
        f"{money.path}_decimal": lambda row: of(row, "amount"),
        f"{money.path}_currency": lambda row: of(row, "currency"),
    }
    if money.per_path is not None:
        columns[f"{money.path}_per"] = lambda row: of(row, "per")
    return columns


def _timed(field: str, joined: Joined) -> dict[str, CellText]:
    def part(name: str) -> CellText:
        def cell(row: ReadRow) -> str:
            block = joined.block(row.values.get(field))
            return "" if block is None else written(getattr(block, name))

        return cell

    return {"starts": part("start"), "ends": part("end"), "all_day": part("all_day")}


def _more(values: Mapping[str, JSON], known: Container[str]) -> str:
    return text_of({name: value for name, value in values.items() if name not in known})


def _lines(reading: Reading, folder: AtomicFolder, model: TableModel, money: MoneyField, file_name: str) -> int:
    """The members of a list with amounts, one record each: the lines of invoices."""
    field, _, amount = money.path.partition("[].")
    shape = re.findall(r"\w+", model.shapes.get(field, ""))
    names = [name for name in shape if name != amount]
    count = 0
    header = [f"{model.name}.id", f"{model.name}.title", "line", *names, amount, "currency"]
    with open_table(reading, folder, (file_name,), model.name) as write:
        write(header)
        for row in reading.rows(model.name):
            members = row.values.get(field)
            for number, member in enumerate(members if isinstance(members, list) else []):
                if not isinstance(member, dict):
                    continue
                price = decimal(member.get(amount))
                price = price.scaleb(-2) if price is not None and money.minor else price
                currency = written(next(values_at(row.values, money.currency_path or ""), None))
                cells = [row.id, model.title(row.values) or "", str(number + 1)]
                cells += [written(member.get(name)) for name in names]
                write([*cells, "" if price is None else f"{price:f}", currency])
                count += 1
    return count
