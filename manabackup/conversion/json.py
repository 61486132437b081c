"""``json``: one file for those who read with their eyes, or with ``jq``.

Rows stand under the names of their tables, indented. With ``resolve``, a field that holds the id of another row has a
neighbour ``<field>_title`` with that row's title.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from ..text import jsontext
from ..text.jsontext import JSON
from .joined import ids_at, referenced, titles
from .reading import Reading, ReadRow

_INDENT = b"\n      "
_BEFORE = b"," + _INDENT


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file."""
    known = titles(reading, referenced(reading)) if reading.options.resolve else {}
    manifest = {**reading.archive.manifest.raw}
    file.write(b'{\n  "manifest": ' + _pretty(manifest, b"\n  ") + b',\n  "tables": {')
    for number, name in enumerate(reading.tables):
        file.write((b"," if number else b"") + b"\n    " + jsontext.dumps(name) + b": [")
        empty = True
        for text in reading.blocks(name, _writer(reading, name, known)):
            if text:
                file.write(text[1:] if empty else text)
                empty = False
        file.write(b"]" if empty else b"\n    ]")
    file.write(b"\n  },\n")
    left_out = reading.left_out.to_json()
    file.write(b'  "leftOut": ' + _pretty(left_out, b"\n  ") + b"\n}\n")


def _writer(reading: Reading, table: str, known: Mapping[tuple[str, str], str]) -> Callable[[Iterator[ReadRow]], bytes]:
    """What writes rows of a table, a comma before each."""

    def written(rows: Iterator[ReadRow]) -> bytes:
        if known:
            return b"".join(_BEFORE + _pretty(_resolved(reading, table, row, known), _INDENT) for row in rows)
        return b"".join([_BEFORE + _pretty(row.values, _INDENT) for row in rows])

    return written


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
