"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no failure: speed is measured in benchmarks/.
settings.register_profile("manabackup", deadline=None)
settings.load_profile("manabackup")
