"""Everything of this program that reads what strangers wrote, as one table of functions of bytes.

The ordinary suite drives them with hypothesis (``test_fuzz``), ``make fuzz`` with libFuzzer (``__main__``).
Whatever the bytes, only errors of our own may come out, and what comes out besides must be true: each target says what.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support import handmade
from tests.support.v1_exports import FOLDER as V1

from .archives import (
    archive,
    container,
    events,
    events_program,
    manifest,
    meta,
    plain_program,
    rows,
    sealed_program,
    sums,
)
from .seeds import CHANGES, JSON, META, archives, programs, values
from .texts import changes, coding, encrypted_value, json_text, page, recovery_code, timestamp, token

Run = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """One reader of foreign bytes."""

    name: str
    run: Run
    """Raises nothing, whatever the bytes; :class:`AssertionError` when something untrue comes out."""
    seeds: Callable[[], Sequence[bytes]]
    """Inputs that are fine, and make a good start."""
    made_by: Callable[[bytes], bytes] | None = None
    """The input is a program, and this makes of it what is run."""

    def __call__(self, data: bytes) -> None:
        self.run(data if self.made_by is None else self.made_by(data))


TARGETS = {
    target.name: target
    for target in (
        Target("container", container, archives),
        Target("container-structure", container, programs, plain_program),
        Target("archive", archive, archives),
        Target("archive-structure", archive, programs, plain_program),
        Target("sealed-structure", archive, programs, sealed_program),
        Target("v1", events, lambda: [path.read_bytes() for path in sorted(V1.glob("*.mana"))]),
        Target("v1-structure", events, programs, events_program),
        Target(
            "manifest", manifest, lambda: [part.packed for part in (handmade.ours()[0], handmade.sealed_by_us()[1])]
        ),
        Target(
            "rows", rows, lambda: [handmade.ROWS["notes"], b'\xef\xbb\xbf{"id":"a","__fieldMeta":{"x":{"at":"1"}}}\r\n']
        ),
        Target("meta", meta, lambda: META),
        Target("sums", sums, lambda: [handmade.ours()[-2].packed]),
        Target("json", json_text, lambda: JSON),
        Target("value", encrypted_value, values),
        Target(
            "recovery-code", recovery_code, lambda: [b"FFFE-FDFC" * 8, b"FFFE-FDFC-FBFA-F9F8" * 4 + b"\nAAAA\nZGVm"]
        ),
        Target(
            "page",
            page,
            lambda: [
                b'{"serverChanges":%s,"conflicts":[],"syncedUntil":"2026-05-01T00:00:00Z"}' % some for some in CHANGES
            ],
        ),
        Target("changes", changes, lambda: CHANGES),
        Target(
            "coding", coding, lambda: [bytes([0]) + zlib.compress(b"x" * 300, wbits=31), b"\2" + zlib.compress(b"x")]
        ),
        Target("token", token, lambda: [b"e30.eyJzdWIiOiJ1IiwiZXhwIjoxfQ.x"]),
        Target("timestamp", timestamp, lambda: [b"2026-05-01T12:00:00.123456789Z", b"0001-01-01T00:00:00+23:59"]),
    )
}
