"""How long tests wait for what comes for certain, unless it is broken."""

from __future__ import annotations

PATIENCE = 600.0
"""Seconds that nothing takes, on a busy machine either."""
