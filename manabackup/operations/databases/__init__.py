"""One person's rows out of relational databases, by a data-model profile."""

from __future__ import annotations

from ...sources.loading import load_profile, shipped
from .check import Checked, Counted, check_profile
from .stores import StorePlaces

__all__ = ["Checked", "Counted", "StorePlaces", "check_profile", "load_profile", "shipped"]
