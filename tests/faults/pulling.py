"""A pull in a process of its own, which then tells how much memory it took: ``python -m tests.faults.pulling``."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from manabackup.cli.memory import share_one_heap
from manabackup.errors import ManabackupError
from manabackup.limits import GIB, KIB, Limits
from manabackup.mirror import Mirror
from manabackup.operations import pull
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import SyncClient
from manabackup.remote.transport import Transport
from manabackup.text import jsontext
from tests.support.box import REGISTRY, USER


def main(url: str, token: str, path: str) -> None:
    """Prints one line of JSON: the error, if there was one, and the most memory that was in use, in bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (8 * GIB, 8 * GIB))
    share_one_heap()
    limits, words = Limits(attempts=1), None
    with (
        Mirror(Path(path), sync_url=url, user_id=USER) as mirror,
        Transport(url, limits=limits, sleep=lambda _: None) as transport,
    ):
        try:
            pull.run(mirror, SyncClient(transport, StaticToken(token), mirror.client_id), REGISTRY, limits=limits)
        except ManabackupError as error:
            words = error.message
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    sys.stdout.write(jsontext.dumps({"error": words, "bytes": peak}).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
