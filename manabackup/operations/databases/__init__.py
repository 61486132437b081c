"""One person's rows out of relational databases, by a data-model profile."""

from __future__ import annotations

from ...sources.loading import load_profile, shipped
from .check import Checked, Counted, check_profile
from .export import DatabaseExport, export_rows
from .reading import Found
from .stores import StorePlaces

__all__ = [
    "Checked",
    "Counted",
    "DatabaseExport",
    "Found",
    "StorePlaces",
    "check_profile",
    "export_rows",
    "load_profile",
    "shipped",
]
