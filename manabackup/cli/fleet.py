"""The group ``fleet``."""

from __future__ import annotations

from .frame import Group

fleet = Group(
    "fleet",
    [
        ("verify", "fleet_archives", "check many archives"),
        ("roundtrip", "fleet_archives", "try out whether many archives can be restored"),
        ("convert", "fleet_archives", "make tables, notes, a calendar, … of many archives"),
        ("rekey", "fleet_archives", "encrypt many archives for another account"),
        ("report", "fleet_archives", "report on many archives, without their content"),
        ("export", "fleet_export", "write archives of many accounts"),
        ("status", "fleet_status", "what a ledger knows, what has changed first; as CSV, JUnit, a page, …"),
    ],
    help="One command over many archives or accounts; what its ledger has as done is not done again.",
)
