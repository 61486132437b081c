"""What another program tells: keys and tokens that it holds, or gets for somebody who has signed in to it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from ..errors import AccessError, JSONTextError
from ..text import jsontext

_SECONDS = 60.0


def told(command: Sequence[str], whose: str, *, hint: str = "run it yourself to see why") -> jsontext.JSON:
    """The JSON that a command prints. Raises :class:`AccessError`, in which nothing of its output stands."""
    try:
        done = subprocess.run(  # noqa: S603 # what its owner has set up
            list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
        if done.returncode != 0:
            raise AccessError(f"{whose} failed ({done.returncode})", hint=hint)
        return jsontext.parse(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired, JSONTextError):
        raise AccessError(f"{whose} gives no keys", hint=hint) from None
