"""One person's rows out of relational databases, and back into them, by a data-model profile."""

from __future__ import annotations

from ...sources.loading import load_profile, shipped
from ...sources.target import LoadAction, LoadConflict
from .check import Checked, Counted, check_profile
from .draft import Drafted, draft_profile
from .everybody import export_everybody
from .export import export_rows
from .load import Loaded, LoadOrder, LoadPlan, load_rows
from .person import DatabaseExport
from .reading import Found
from .split import Split, split_database
from .stores import StorePlaces
from .summary import Everybody

__all__ = [
    "Checked",
    "Counted",
    "DatabaseExport",
    "Drafted",
    "Everybody",
    "Found",
    "LoadAction",
    "LoadConflict",
    "LoadOrder",
    "LoadPlan",
    "Loaded",
    "Split",
    "StorePlaces",
    "check_profile",
    "draft_profile",
    "export_everybody",
    "export_rows",
    "load_profile",
    "load_rows",
    "shipped",
    "split_database",
]
