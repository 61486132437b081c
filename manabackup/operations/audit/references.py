"""References that lead nowhere (``formats/registry.json``, ``references``; junction tables have theirs there, too).

References and the rows that they may lead to are brought together on the disk, encrypted, in constant memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from ...crypto.fields import is_encrypted
from ...crypto.spools import SpoolFile
from ...host.sorting import LineSorter
from ...limits import MIB
from ...model.projection import Record
from ...model.registry import Registry, Table
from ...text import jsontext
from ...text.jsontext import JSON
from .findings import Findings

_BUDGET = 8 * MIB
_EACH = "[]"
_ROW, _REFERENCE = "0", "1%012x"
"""End a key: a row comes before what leads to it. No two references have a key in common, however many there are."""
_REFERENCE_LENGTH = 13
_LIVE, _DELETED = b"l", b"d"
_TAGS = "globalTags"
"""What the app's tag list makes never reaches the server."""


class References:
    """Takes every record of an account, in any order. What leads into ``unreadable`` tables is not judged."""

    def __init__(
        self, registry: Registry, make_file: Callable[[], SpoolFile], unreadable: Collection[str] = ()
    ) -> None:
        self._registry = registry
        self._sorter = LineSorter(make_file, budget=_BUDGET)
        self._unreadable = unreadable
        self._targets = {target for table in registry.tables for target in table.references.values()}
        self._count = 0

    def add(self, table: Table, record: Record, values: Mapping[str, JSON]) -> None:
        """A record that is not absent, with its ``values`` as far as they can be read."""
        pairs = []
        if table.name in self._targets:
            state = _LIVE if record.state == "live" else _DELETED
            pairs.append((_key(table.name, record.id, _ROW), state))
        if record.state == "live":
            for path, target in table.references.items():
                if target in self._unreadable or target not in self._registry.by_name:
                    continue
                for reference in _references(path, values):
                    if reference not in self._registry.well_known_ids.get(target, ()):
                        case = jsontext.dumps_to_keep([target, table.name, record.id, path.removesuffix(_EACH)])
                        pairs.append((_key(target, reference, _REFERENCE % self._count), case))
                        self._count += 1
        self._sorter.add(pairs)

    def find(self, findings: Findings) -> None:
        """Adds what is found; ends the sorter."""
        row, state = "", b""
        for key, line in self._sorter.pairs():
            if line in (_LIVE, _DELETED):
                row, state = key[: -len(_ROW)], line
                continue
            target, table, record, name = jsontext.parse(line)
            if row != key[:-_REFERENCE_LENGTH]:
                kind = "danglingTag" if target == _TAGS else "danglingReference"
            elif state == _DELETED:
                kind = "referenceToDeleted"
            else:
                continue
            findings.of(kind).add(table, record, name, reason=target)


def _key(table: str, record: str, end: str) -> str:
    return jsontext.dumps([table, record]).decode() + end


def _references(path: str, values: Mapping[str, JSON]) -> Iterator[str]:
    """The ids that a field refers to, each as often as it stands there; of ciphertext nobody knows where it leads."""
    value = values.get(path.removesuffix(_EACH))
    for item in (value if type(value) is list else ()) if path.endswith(_EACH) else (value,):
        if type(item) is str and item and not is_encrypted(item):
            yield item
