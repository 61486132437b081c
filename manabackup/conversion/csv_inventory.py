"""The inventory in CSV: a file for each collection, with the columns that its owner gave it."""

from __future__ import annotations

from typing import Any

from ..host.output_folder import AtomicFolder
from ..model.values import first_text, values_at
from .csv_records import open_table, written
from .file_names import Names
from .joined import Joined
from .reading import Reading, ReadRow

_NONE = ""


def convert(reading: Reading, folder: AtomicFolder, joined: Joined) -> list[tuple[str, str, int]]:
    """Write the files; gives (path, table, records)."""
    model = reading.model("invItems")
    assert model is not None
    collections = {row.id: row for row in reading.rows("invCollections")}
    categories, locations = joined.names("invCategories"), joined.names("invLocations")
    names, files = Names(), []
    place = "Inventar" if reading.language == "de" else "Inventory"
    items = reading.grouped("invItems", lambda row: first_text(row.values, "collectionId"))
    for identifier in sorted({_NONE, *collections}):
        rows = items.of(identifier)
        first = next(rows, None)
        if first is None:
            continue
        collection = collections.get(identifier)
        title = first_text(collection.values, "name") if collection is not None else _NONE
        fields = _fields(collection)
        name = names.name((), title, identifier, otherwise=place, ending=".csv")
        header = ["id", "name", "description", "status", "quantity", "price", "currency", "category", "location"]
        count = 0
        with open_table(reading, folder, (place, name), "invItems") as write:
            write([*header, "tag_names", *(label for _, label in fields)])
            while first is not None:
                money = dict(model.amounts(first.values)).get("purchaseData.price")
                cells = [first.id, first_text(first.values, "name"), first_text(first.values, "description")]
                status = first.values.get("status")
                cells += [model.value_label("status", status, reading.language) or first_text(first.values, "status")]
                cells += [written(first.values.get("quantity"))]
                cells += [f"{money.amount:f}" if money else _NONE, money.currency or _NONE if money else _NONE]
                cells += [categories.get(first_text(first.values, "categoryId"), _NONE)]
                cells += [locations.get(first_text(first.values, "locationId"), _NONE)]
                cells += ["; ".join(joined.tags(model, first.id, first.values))]
                own = first.values.get("fieldValues")
                cells += [written(own.get(key)) if isinstance(own, dict) else _NONE for key, _ in fields]
                write(cells)
                count += 1
                first = next(rows, None)
        files.append((f"{place}/{name}", "invItems", count))
    reading.left_out.note("dangling", "invItems", sum(1 for _ in items.unasked()))
    return files


def _fields(collection: ReadRow | None) -> list[tuple[str, str]]:
    """(id, name) of a collection's own fields, in their order."""
    if collection is None:
        return []
    found: list[tuple[Any, str, str]] = []
    for field in values_at(collection.values, "schema.fields[]"):
        if isinstance(field, dict) and isinstance(field.get("id"), str):
            order = field.get("order")
            found.append((order if type(order) is int else 0, field["id"], first_text(field, "name") or field["id"]))
    found.sort(key=lambda field: field[0])
    return [(identifier, name) for _, identifier, name in found]
