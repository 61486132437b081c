"""Inputs made from a string of choices: archives that were put together right, and then a few things in them wrong.

Random bytes never get past a ZIP's first check. Here every byte of a program chooses what is done next to an archive
that was fine; whoever looks for programs (hypothesis, libFuzzer) finds its way into the depth.
"""

from __future__ import annotations

import builtins
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tests.support import zips
from tests.support.zips import M16, M32, Part

_T = TypeVar("_T")

_NUMBERS = (0, 1, 2, 8, 9, 12, 20, 45, 0x0800, 0x7FFF, M16 - 1, M16, 0x7FFFFFFF, M32 - 1, M32)
_WIDE = (*_NUMBERS, M32 + 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
_HALVES = frozenset(
    [
        "version",
        "made_by",
        "flags",
        "method",
        "time",
        "date",
        "name_length",
        "extra_length",
        "comment_length",
        "disk",
        "internal",
        "here",
        "count",
        "directory_disk",
    ]
)
_NAMES = (
    b"manifest.json",
    b"data.sealed",
    b"data/notes.jsonl",
    b"meta/notes.jsonl",
    b"meta/actors.jsonl",
    b"account/data.json",
    b"SHA256SUMS",
    b"README.md",
    b"events.jsonl",
    b".nonce",
    b"data/",
    b"data/../x.jsonl",
    b"/data/x.jsonl",
    b"data/\xc3\xa4.jsonl",
    b"data/\x1b[2J.jsonl",
    b"data/%C3%A4.jsonl",
    b"data/a b.jsonl",
    b"account/\xc3\xa4",
    b"\xff",
    b"",
)
_TEXTS = (
    b"",
    b"\n",
    b"\xff",
    b"\xef\xbb\xbf",
    b"null",
    b"true",
    b"-0",
    b"1e400",
    b"[]",
    b'{"id":"a"}\n',
    b'"\\ud83d"',
    b"[" * 1100 + b"]" * 1100,
    b'{"a":' * 300 + b"1" + b"}" * 300,
    b'"enc:1:AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA=="',
    b"9" * 5000,
)


class Choices:
    """A program. What asks for more than there is gets zeros."""

    def __init__(self, program: bytes) -> None:
        self._program = program
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not used yet."""
        return max(0, len(self._program) - self._at)

    def below(self, most: int) -> int:
        """A number from 0 to ``most`` - 1."""
        count = 1 if most <= 256 else 2 if most <= 65_536 else 4
        return int.from_bytes(self.bytes(count), "big") % most

    def one_of(self, things: Sequence[_T]) -> _T:
        """One of them."""
        return things[self.below(len(things))]

    def bytes(self, count: int) -> bytes:
        """So many bytes."""
        taken = self._program[self._at : self._at + count]
        self._at += count
        return taken.ljust(count, b"\0")

    def rest(self) -> builtins.bytes:
        """What is left of the program."""
        return self.bytes(self.left)


def scrambled(content: bytes, choices: Choices) -> bytes:
    """``content`` with a few bytes flipped, cut, doubled, or put between."""
    edited = bytearray(content)
    for _ in range(1 + choices.below(4)):
        at = choices.below(len(edited) + 1)
        action = choices.below(6)
        if action == 0 and at < len(edited):
            edited[at] ^= 1 << choices.below(8)
        elif action == 1:
            del edited[at : at + 1 + choices.below(64)]
        elif action == 2:
            edited[at:at] = choices.bytes(choices.below(16))
        elif action == 3:
            edited[at:at] = choices.one_of(_TEXTS)
        elif action == 4:
            source = choices.below(len(edited) + 1)
            edited[at:at] = edited[source : source + choices.below(256)]
        else:
            del edited[at:]
            edited += choices.rest()
    return bytes(edited)


def mutated_zip(parts: Sequence[Part], choices: Choices) -> bytes:
    """The container of ``parts``, spoiled."""
    parts = [replace(part, local=dict(part.local), central=dict(part.central)) for part in parts]
    around: dict[str, Any] = {}
    for _ in range(1 + choices.below(4)):
        choices.one_of(_ACTIONS)(parts, around, choices)
        parts = parts or [Part(b"", b"")]
    blob = zips.build(parts, **around)
    return scrambled(blob, choices) if choices.below(8) == 7 else blob


def _value(name: str, choices: Choices, *, wide: bool = False) -> Any:
    if name == "signature":
        return choices.one_of((b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\10"))
    if name == "length" or (wide and name not in _HALVES and name not in ("disk", "disks")):
        return choices.one_of(_WIDE) if choices.below(2) else choices.below(2**32)
    if (wide and name not in _HALVES) or name not in _HALVES:
        return choices.one_of(_NUMBERS) if choices.below(2) else choices.below(M32)
    return min(choices.one_of(_NUMBERS), M16) if choices.below(2) else choices.below(M16)


def _field(layout: zips.Layout, choices: Choices, *, wide: bool = False) -> dict[str, Any]:
    name = choices.one_of(layout[1])
    value = _value(name, choices, wide=wide)
    if name in ("disk", "directory_disk") and layout in (zips.CENTRAL, zips.END):
        value = min(value, M16)
    return {name: value}


def _lie_locally(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    choices.one_of(parts).local |= _field(zips.LOCAL, choices)


def _lie_centrally(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    choices.one_of(parts).central |= _field(zips.CENTRAL, choices)


def _lie_twice(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    part = choices.one_of(parts)
    lie = _field(zips.LOCAL, choices)
    part.local |= lie
    part.central |= lie


def _lie_in_the_end(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    around.setdefault("end", {}).update(_field(zips.END, choices))


def _end_in_zip64(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    around.setdefault("end_64", {})
    if choices.below(2):
        around["end"] = around.get("end", {}) | choices.one_of(
            ({"count": M16, "here": M16}, {"offset": M32}, {"size": M32}, {"offset": M32, "size": M32})
        )
    if choices.below(2):
        around["end_64"] |= _field(zips.END_64, choices, wide=True)
    if choices.below(2):
        lie = _field(zips.LOCATOR, choices, wide=True)
        around["locator"] = around.get("locator", {}) | lie


def _sizes_in_zip64(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    part = choices.one_of(parts)
    honest = (part.size, len(part.packed))
    sizes = choices.one_of((honest, honest, (2**40, len(part.packed)), (part.size, 2**63), (2**64 - 1, 2**64 - 1)))
    for header in choices.one_of(((part.local,), (part.central,), (part.local, part.central))):
        header |= {"size": M32, "compressed": M32, "version": 45, "extra": zips.zip64_extra(*sizes)}


def _odd_extra(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    part = choices.one_of(parts)
    extra = choices.one_of(
        (b"UT\5\0\3\0\0\0\0", b"\1\0\0\0", b"\1\0", b"\1\0\x10\0abc", zips.zip64_extra(1, 2, 3), choices.bytes(8))
    )
    choices.one_of((part.local, part.central))["extra"] = extra


def _describe(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    part = choices.one_of(parts)
    if not part.flags & zips.DESCRIBED:
        zips.described(part, signed=bool(choices.below(2)), wide=bool(choices.below(2)))
    if choices.below(3) == 2:
        part.descriptor = scrambled(part.descriptor, choices)


def _hide_or_invent(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    part = choices.one_of(parts)
    if choices.below(2):
        part.listed = not part.listed
    else:
        part.present = not part.present


def _double(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    part = choices.one_of(parts)
    parts.insert(choices.below(len(parts) + 1), replace(part, local=dict(part.local), central=dict(part.central)))


def _drop(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    parts.pop(choices.below(len(parts)))


def _reorder(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    parts.append(parts.pop(choices.below(len(parts))))


def _overlap(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    choices.one_of(parts).central["offset"] = choices.below(512) if choices.below(2) else 0


def _rename(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    part = choices.one_of(parts)
    name = choices.one_of(_NAMES)
    if choices.below(4):
        part.name = name
    else:
        choices.one_of((part.local, part.central))["name"] = name


def _put_between(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    some = choices.bytes(1 + choices.below(8))
    place = choices.below(5)
    if place == 0:
        choices.one_of(parts).before += some
    else:
        around[("gap", "before_end", "comment", "behind")[place - 1]] = some


def _spoil_content(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    """Other bytes as they lie there, the sums as before."""
    part = choices.one_of(parts)
    part.packed = scrambled(part.packed, choices)


def _replace_content(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    """Another content, its sums in order."""
    part = choices.one_of(parts)
    content = scrambled(_content(part), choices)
    _set_content(part, content)


def _compress(parts: list[Part], around: dict[str, Any], choices: Choices) -> None:
    part = choices.one_of(parts)
    if part.method == zips.STORED and zlib.crc32(part.packed) == part.crc:
        part.method, part.packed = zips.DEFLATED, zips.stored_blocks(part.packed)
    elif choices.below(2):
        part.packed = zips.stored_blocks(part.packed, final=False)
    else:
        part.packed = zips.bomb(0x20, 1 + 258 * choices.below(20_000))
        part.method = zips.DEFLATED


def _content(part: Part) -> bytes:
    if part.method != zips.DEFLATED:
        return part.packed
    try:
        return zlib.decompressobj(-15).decompress(part.packed, 1 << 20)
    except zlib.error:
        return part.packed


def _set_content(part: Part, content: bytes) -> None:
    part.packed = zips.stored_blocks(content) if part.method == zips.DEFLATED else content
    part.crc, part.size = zlib.crc32(content), len(content)
    if part.flags & zips.DESCRIBED:
        zips.described(part)


_ACTIONS: tuple[Callable[[list[Part], dict[str, Any], Choices], None], ...] = (
    _lie_locally,
    _lie_centrally,
    _lie_twice,
    _lie_in_the_end,
    _end_in_zip64,
    _sizes_in_zip64,
    _odd_extra,
    _describe,
    _hide_or_invent,
    _double,
    _drop,
    _reorder,
    _overlap,
    _rename,
    _put_between,
    _spoil_content,
    _replace_content,
    _replace_content,
    _compress,
)
