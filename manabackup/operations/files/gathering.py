"""References brought together by the file that they lead to, whatever the number of rows: sorted on disk, encrypted.

Two steps, since an id may be a row's of ``images`` in place of a file's: first all references by such an id meet the
row of this id, if there is one, and go on to its file; then all meet that lead to the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...crypto.spools import SpoolFile
from ...host.sorting import LineSorter
from ...limits import MIB
from ...model.files import IMAGES, MANAS, Leads, Reference, image_target, references
from ...rows.blobs import Referrer
from ...text import jsontext
from ...text.jsontext import JSON, dumps_to_keep
from .records import FileLossKind, LostFile

_BY_ID = (Leads.ID, Leads.IMAGE)
_NO_SUCH_IMAGE = "no such image"
_NO_FILE = "an image without a file"
_NO_ADDRESS = "not an address"

SORTED_IN_MEMORY = 6 * MIB
"""Of each sorter: there are three beside those of the rows, and files pass by as well."""

Pair = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Referred:
    """A file that rows refer to."""

    leads: Leads
    """``MEDIA``, ``STORAGE``, ``MUSIC``, ``INLINE``, ``FOREIGN`` or ``UNRESOLVED``."""
    target: str
    rows: tuple[Referrer, ...]
    size: int | None = None
    """Bytes, where a row is known to tell them truly."""
    lost: LostFile | None = None
    """Why it is known beforehand that there is none."""


def count_references(table: str, values: Mapping[str, JSON]) -> int:
    """Places in a row that lead to a file of Mana's."""
    return sum(found.leads in MANAS for found in references(table, values))


def gathered(table: str, values: Mapping[str, JSON], is_private: Callable[[str], bool]) -> tuple[list[Pair], int]:
    """The references of a row as :class:`Gatherer` takes them, and how many of them :func:`count_references` counts.

    ``is_private`` says of a field whether it was ciphertext.
    """
    identifier = str(values["id"])
    pairs: list[Pair] = []
    count = 0
    for found in references(table, values):
        count += found.leads in MANAS
        private = is_private(found.field.partition(".")[0].removesuffix("[]"))
        pairs.append(_pair(found, Referrer(table, identifier, found.field, private)))
    if table == IMAGES:
        pairs.append((_key(Leads.ID, identifier.lower()), dumps_to_keep({"image": _told(image_target(values))})))
    return pairs, count


class Gatherer:
    """Takes the references of all rows, and gives the files that they lead to."""

    def __init__(self, make_file: Callable[[], SpoolFile]) -> None:
        self._by_id = LineSorter(make_file, budget=SORTED_IN_MEMORY)
        self._by_file = LineSorter(make_file, budget=SORTED_IN_MEMORY)

    def add(self, pairs: Iterable[Pair]) -> None:
        """References as :func:`gathered` gives them."""
        by_id: list[Pair] = []
        by_file: list[Pair] = []
        for pair in pairs:
            (by_id if pair[0].startswith(_ID_PREFIX) else by_file).append(pair)
        self._by_id.add(by_id)
        self._by_file.add(by_file)

    def add_media(self, identifier: str, referrer: Referrer) -> None:
        """A reference that stands in no row."""
        self._by_file.add([_pair(Reference(referrer.field, Leads.MEDIA, identifier), referrer)])

    def files(self) -> Iterator[Referred]:
        """Each file once, in the order of their addresses; ends the gatherer."""
        for key, lines in self._by_id.groups():
            self._by_file.add(_resolved(key.removeprefix(_ID_PREFIX), [jsontext.parse(line) for line in lines]))
        for key, lines in self._by_file.groups():
            leads, _, target = key.partition(":")
            values = [jsontext.parse(line) for line in lines]
            rows = dict.fromkeys(
                Referrer(value["table"], value["id"], value["field"], value.get("private") is True) for value in values
            )
            sizes = {value["size"] for value in values if value.get("size") is not None}
            reason = next((value["reason"] for value in values if "reason" in value), _NO_ADDRESS)
            lost = LostFile(FileLossKind.UNRESOLVED, reason) if leads == Leads.UNRESOLVED.value else None
            yield Referred(Leads(leads), target, tuple(rows), sizes.pop() if len(sizes) == 1 else None, lost)


_ID_PREFIX = f"{Leads.ID.value}:"


def _resolved(identifier: str, values: list[dict[str, JSON]]) -> Iterator[Pair]:
    """References by an id, by the file that they lead to."""
    image = next((value["image"] for value in values if "image" in value), None)
    is_image = any("image" in value for value in values)
    for value in values:
        if "image" in value:
            continue
        only_image = value.pop("leads") == Leads.IMAGE.value
        if image is not None:
            leads, target, size = image
            yield (
                _key(Leads(leads), target),
                dumps_to_keep({**value, "size": size} if size is not None else value),
            )
        elif is_image or only_image:
            reason = _NO_FILE if is_image else _NO_SUCH_IMAGE
            yield _key(Leads.UNRESOLVED, identifier), dumps_to_keep({**value, "reason": reason})
        else:
            yield _key(Leads.MEDIA, identifier), dumps_to_keep(value)


def _pair(found: Reference, referrer: Referrer) -> Pair:
    value = referrer.to_json()
    if found.size is not None:
        value["size"] = found.size
    if found.leads in _BY_ID:
        return _key(Leads.ID, found.target), dumps_to_keep({**value, "leads": found.leads.value})
    return _key(found.leads, found.target), dumps_to_keep(value)


def _told(found: Reference | None) -> JSON:
    return None if found is None else [found.leads.value, found.target, found.size]


def _key(leads: Leads, target: str) -> str:
    return f"{leads.value}:{target}"
