"""``json``: one file for those who read with their eyes, or with ``jq``.

Rows stand under the names of their tables, indented. With ``resolve``, a field that holds the id of another row has a
neighbour ``<field>_title`` with that row's title.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from ..text import jsontext
from ..text.jsontext import JSON
from .joined import ids_at, referenced, titles
from .reading import Reading, ReadRow

_INDENT = b"\n      "
_MOST_BYTES = 1 << 20


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file."""
    known = titles(reading, referenced(reading)) if reading.options.resolve else {}
    manifest = {**reading.archive.manifest.raw}
    file.write(b'{\n  "manifest": ' + _pretty(manifest, b"\n  ") + b',\n  "tables": {')
    for number, name in enumerate(reading.tables):
        file.write((b"," if number else b"") + b"\n    " + jsontext.dumps(name) + b": [")
        pending, size, first = [], 0, True
        for row in reading.rows(name):
            values = _resolved(reading, name, row, known) if known else row.values
            text = (b"" if first else b",") + _INDENT + _pretty(values, _INDENT)
            first = False
            pending.append(text)
            size += len(text)
            if size >= _MOST_BYTES:
                file.write(b"".join(pending))
                pending, size = [], 0
        file.write(b"".join(pending) + (b"]" if first else b"\n    ]"))
    file.write(b"\n  },\n")
    left_out = reading.left_out.to_json()
    file.write(b'  "leftOut": ' + _pretty(left_out, b"\n  ") + b"\n}\n")


def _resolved(reading: Reading, table: str, row: ReadRow, known: Mapping[tuple[str, str], str]) -> dict[str, JSON]:
    """The row with titles beside its ids."""
    model = reading.model(table)
    if model is None:
        return row.values
    beside: dict[str, JSON] = {}
    for path, target in model.references.items():
        if "." in path:
            continue
        found = [known.get((target, identifier)) for identifier in ids_at(row.values, path)]
        name = path.removesuffix("[]")
        if any(title is not None for title in found):
            beside[f"{name}_title"] = found if path.endswith("[]") else found[0]
    if not beside:
        return row.values
    values: dict[str, JSON] = {}
    for name, value in row.values.items():
        values[name] = value
        if f"{name}_title" in beside and f"{name}_title" not in row.values:
            values[f"{name}_title"] = beside[f"{name}_title"]
    return values


def _pretty(value: JSON, begin: bytes) -> bytes:
    """Indented JSON; no string in JSON holds a line break, so each one there is begins a line."""
    return jsontext.dumps_indented(value).removesuffix(b"\n").replace(b"\n", begin)
