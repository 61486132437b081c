"""Doctor: everything that a backup needs is looked at, and of each thing is said that it is well, or what to do.

It works where nothing else does: no home folder, no network, a session that has ended, settings or a mirror that are
damaged. It writes nothing, and asks nobody for a secret.
"""

from __future__ import annotations

from ...host.zone import machine_zone
from .checks import Check, Level
from .examining import Examined, Patient, doctor, examine, token_at_hand

__all__ = ["Check", "Examined", "Level", "Patient", "doctor", "examine", "machine_zone", "token_at_hand"]
