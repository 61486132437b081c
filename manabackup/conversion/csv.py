"""``csv``: a folder with a file for each table (RFC 4180), for spreadsheets.

What a cell can hold is text; ``docs/convert.md`` says how everything else is written, and what is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from ..host.output_folder import AtomicFolder
from ..model.tables import MoneyField, TableModel
from ..model.values import decimal, values_at
from ..text.jsontext import JSON
from . import csv_inventory
from .columns import columns_of
from .csv_readme import readme
from .csv_records import open_table, text_of, written
from .file_names import Names
from .joined import Joined
from .reading import Reading, ReadRow

Cell = Callable[[ReadRow], str]


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
    rows = reading.rows(name)
    first = next(rows, None)
    if first is None:
        return 0
    columns = _columns(reading, name, joined)
    plan = [(field, None) if isinstance(cell, _Plain) else (field, cell) for field, cell in columns.items()]
    known = {field for field, cell in plan if cell is None} | {"id"}
    count = 0
    with open_table(reading, folder, (file_name,), name) as write:
        write([*columns, "more"])
        for row in chain((first,), rows):
            values = row.values
            record = []
            for field, cell in plan:
                if cell is not None:
                    record.append(cell(row))
                else:
                    value = values.get(field)
                    record.append(value if type(value) is str else "" if value is None else written(value))
            record.append("" if known.issuperset(values) else _more(values, known))
            write(record)
            count += 1
    return count


# --- columns ----------------------------------------------------------------------------------------------------------


def _columns(reading: Reading, name: str, joined: Joined) -> dict[str, Cell]:
    """Header → what makes the cell of a row."""
    model = reading.model(name)
    columns: dict[str, Cell] = {"id": lambda row: row.id}
    fields = columns_of(model).fields
    secrets = frozenset() if reading.options.include_secrets or model is None else model.secrets
    for field, kind in fields:
        if field in secrets:
            continue
        columns[field] = _Plain()
        if model is not None:
            columns |= _described(reading, model, field, nested=kind == "json")
    if model is not None:
        if model.tags is not None:
            columns["tag_names"] = lambda row: "; ".join(joined.tags(model, row.id, row.values))
        if model.date_path is not None and ">" in model.date_path:
            columns |= _timed(model.date_path.partition(">")[0], joined)
    columns["created"] = lambda row: row.created or ""
    columns["modified"] = lambda row: row.modified or ""
    return columns


class _Plain:
    """Stands for the value of a field as it is."""

    def __call__(self, row: ReadRow) -> str:
        raise NotImplementedError  # the field is read by whoever writes the record


def _described(reading: Reading, model: TableModel, field: str, *, nested: bool) -> dict[str, Cell]:
    """Further columns of a field: values inside it, labels, amounts."""
    found: dict[str, Cell] = {}
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


def _at(path: str) -> Cell:
    return lambda row: written(next(values_at(row.values, path), None))


def _label(reading: Reading, path: str, labels: Mapping[str, Any]) -> Cell:
    language = reading.language

    def cell(row: ReadRow) -> str:
        value = next(values_at(row.values, path), None)
        several = value if isinstance(value, list) else [value]
        found = [labels.get(one if isinstance(one, str) else str(one)) for one in several if one is not None]
        return "; ".join(label.of(language) for label in found if label is not None)

    return cell


def _money(model: TableModel, money: MoneyField) -> dict[str, Cell]:
    """The exact amount in whole units with its sign, and its currency."""

    def of(row: ReadRow, part: str) -> str:
        for path, found in model.amounts(row.values):
            if path == money.path:
                return f"{found.amount:f}" if part == "amount" else str(getattr(found, part) or "")
        return ""

    columns: dict[str, Cell] = {
        f"{money.path}_amount": lambda row: of(row, "amount"),
        f"{money.path}_currency": lambda row: of(row, "currency"),
    }
    if money.per_path is not None:
        columns[f"{money.path}_per"] = lambda row: of(row, "per")
    return columns


def _timed(field: str, joined: Joined) -> dict[str, Cell]:
    def part(name: str) -> Cell:
        def cell(row: ReadRow) -> str:
            block = joined.block(row.values.get(field))
            return "" if block is None else written(getattr(block, name))

        return cell

    return {"starts": part("start"), "ends": part("end"), "all_day": part("all_day")}


def _more(values: Mapping[str, JSON], known: set[str]) -> str:
    rest = {name: value for name, value in values.items() if name not in known}
    return text_of(rest) if rest else ""


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
