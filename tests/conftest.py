"""What holds for all tests."""

from __future__ import annotations

import signal
from functools import lru_cache

from hypothesis import HealthCheck, settings

from manabackup.crypto import seal

# A busy machine is no failure: speed is measured in benchmarks/.
settings.register_profile("manabackup", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("manabackup")

# What a script starts in the background ignores interrupts, and so would all that is started from here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# One archive is damaged in a thousand ways, and to derive its key takes a good part of a second: the same passphrase,
# salt and count give the same key. Before anybody has imported it by name.
seal.derive_key = lru_cache(maxsize=4_096)(seal.derive_key)
