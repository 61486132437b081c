"""A worker whose work is what its orders say, and nothing of the program's.

An order's last word ends with what to do: ``kill`` ends its process, ``kill-once`` does so the first time (its file
goes), ``hang`` takes for ever, ``grow`` takes memory without end, ``code-N`` gives that exit code, ``slow`` takes a
while.
Whatever is begun is noted in the file ``begun`` beside it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manabackup.host.orders import serve_standard_streams
from manabackup.operations.fleet import Outcome, unwired

COMMAND = (sys.executable, "-m", "tests.support.trial_worker")


def work(order: Sequence[str]) -> dict[str, Any]:
    """See above."""
    path = Path(unwired(order)[-1])
    with (path.parent / "begun").open("a") as begun:
        begun.write(f"{path.name}\n")
    what = path.stem
    if what.endswith("kill") or (what.endswith("kill-once") and path.exists()):
        path.unlink(missing_ok=not what.endswith("kill-once"))
        os.kill(os.getpid(), signal.SIGKILL)
    if what.endswith("hang"):
        time.sleep(3_600)
    if what.endswith("slow"):
        time.sleep(0.05)
    held = []
    while what.endswith("grow"):
        held.append(bytearray(1 << 24))
    code = int(what.rpartition("code-")[2]) if "code-" in what else 0
    return Outcome(code, None, "", rows=1).to_json()


if __name__ == "__main__":
    serve_standard_streams(work, memory=1 << 30)
