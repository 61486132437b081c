"""The group ``profile``."""

from __future__ import annotations

from .frame import Group

profile = Group(
    "profile",
    [
        ("check", "profile_commands", "hold a profile against a database, and count what somebody would get"),
        ("draft", "profile_draft", "draft a profile from what a database says of itself"),
        ("export", "profile_commands", "write one person's rows into an archive"),
        ("load", "profile_load", "put an archive's rows into a database"),
        ("split", "profile_split", "split a shared database into a SQLite file for each person, and the rest"),
    ],
    help="Relational databases that are not Mana's, by a data-model profile: a file that says of every table whose its "
    "rows are. Profiles that this program knows by name: vivim, rebuild, rebuild-deployed.",
)
