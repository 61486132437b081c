"""What rows of each table look like, before anything is encrypted.

About two dozen tables that people use most are in :mod:`manabackup.sandbox.handmade`; the others are put together from
the registry (encrypted fields, references, junction keys) and :mod:`manabackup.sandbox.vocabulary`. A shape gives all
fields but ``id``, the times, and the scope columns ``spaceId``, ``authorId``, ``visibility`` and ``userId``.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from ..model.registry import Table, load
from ..text.jsontext import JSON
from .draft import Draft, Maker, RowMaker, Shape, Times
from .handmade import MADE_BY_HAND
from .vocabulary import FIELDS, PLAIN, SPECIAL

_WEIGHTS: Final = {
    "locationLogs": 30.0,
    "cards": 20.0,
    "transactions": 15.0,
    "drinkEntries": 12.0,
    "bodySets": 10.0,
    "habits": 2.0,
    "files": 5.0,
}
"""Tables without a shape of their own that fill faster than others."""


def _put_together(table: Table) -> RowMaker:
    """Rows out of the registry's entry: keys and references first, as stores write them, then text, then the rest."""
    single = {path: target for path, target in table.references.items() if not path.endswith("[]")}
    several = {path[:-2]: target for path, target in table.references.items() if path.endswith("[]")}
    plain = PLAIN.get(table.name, "" if table.junction else "order isArchived").split()
    values = [(name, _maker(table, name)) for name in (*sorted(table.encrypted), *plain)]
    if table.junction and len(single) == 1:  # the other key is an id of the media service
        values.append(("mediaId", FIELDS["mediaId"]))

    def make(d: Draft) -> dict[str, JSON]:
        row: dict[str, JSON] = {
            name: d.linked(target) if table.junction else d.ref(target) for name, target in single.items()
        }
        row.update({name: d.refs(target, 3) for name, target in several.items()})
        row.update({name: maker(d) for name, maker in values})
        return row

    return make


def _maker(table: Table, name: str) -> Maker:
    texts = SPECIAL.get(f"{table.name}.{name}")
    if texts is not None:
        return lambda d: d.text(texts)
    return FIELDS.get(name, FIELDS["note"])


@lru_cache(maxsize=1)
def shapes() -> Mapping[str, Shape]:
    """Table → shape, for every table of the registry, in its order."""
    found: dict[str, Shape] = {}
    for table in load().tables:
        shape = MADE_BY_HAND.get(table.name)
        if shape is None:
            created: Times = "created" if zlib.crc32(table.name.encode()) % 3 == 0 else "none"
            weight = _WEIGHTS.get(table.name, 1.5 if table.junction else 1.0)
            shape = Shape(_put_together(table), "both" if table.junction else created, weight)
        found[table.name] = shape
    return found
