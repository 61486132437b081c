"""Ciphertexts and nonces that stand in more than one place.

All of the account's history is brought into the order of nonce, ciphertext and place on the disk, encrypted, so that
memory does not grow with it. A *place* is a field of a row: the same ciphertext twice in one place is a retried push,
or a field that rode along unchanged, and no finding. A nonce that was used twice counts for ever, because the history
is what an attacker has; a ciphertext in two places counts while one of them holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter

from ...crypto.fields import split
from ...crypto.spools import SpoolFile
from ...errors import FieldDecryptionError
from ...host.sorting import LineSorter
from ...limits import MIB
from ...text import jsontext
from .findings import KINDS, Finding, Findings

_BUDGET = 8 * MIB
_NONCE, _CIPHERTEXT = 24, 32
"""Characters: twelve bytes and a hash of sixteen in hexadecimal."""
_HELD, _PAST = b"1", b"0"
_Pair = tuple[str, bytes]


class Ciphertexts:
    """Takes every ciphertext with its place, in any order."""

    def __init__(self, make_file: Callable[[], SpoolFile]) -> None:
        self._sorter = LineSorter(make_file, budget=_BUDGET)
        self.count = 0
        """Ciphertexts, each once for a place."""

    def add(self, table: str, record: str, values: Iterable[tuple[str, str, bool]]) -> None:
        """(field, ciphertext, whether the field holds it now) of a record; what is no ciphertext is passed over."""
        pairs = []
        for name, value, is_held in values:
            try:
                nonce, body = split(value)
            except FieldDecryptionError:
                continue
            place = jsontext.dumps([table, record, name])
            ciphertext, where = (blake2b(part, digest_size=16).hexdigest() for part in (body, place))
            # A nonce of an unusual length meets none of the others.
            head = nonce.hex() if len(nonce) * 2 == _NONCE else blake2b(nonce, digest_size=_NONCE // 2).hexdigest()
            pairs.append((f"{head}{ciphertext}{where}", (_HELD if is_held else _PAST) + place))
        self.count += len(pairs)
        self._sorter.add(pairs)

    def find(self, findings: Findings) -> None:
        """Adds what is found; ends the sorter."""
        for _, pairs in groupby(self._sorter.pairs(), key=lambda pair: pair[0][:_NONCE]):
            of_nonce = Finding(KINDS["nonceReused"])
            ciphertexts = 0
            for _, equal in groupby(pairs, key=lambda pair: pair[0][_NONCE : _NONCE + _CIPHERTEXT]):
                ciphertexts += 1
                _of_ciphertext(equal, of_nonce, findings)
            if ciphertexts > 1:
                findings.of("nonceReused").take(of_nonce)


def _of_ciphertext(pairs: Iterable[_Pair], of_nonce: Finding, findings: Findings) -> None:
    """The places of one ciphertext."""
    held = Finding(KINDS["ciphertextRepeated"])
    places = 0
    for _, of_place in groupby(pairs, key=itemgetter(0)):
        lines = [line for _, line in of_place]
        table, record, name = jsontext.parse(lines[0][1:])
        places += 1
        of_nonce.add(table, record, name)
        if any(line.startswith(_HELD) for line in lines):
            held.add(table, record, name)
    if places > 1 and held.count:
        findings.of("ciphertextRepeated").take(held)
