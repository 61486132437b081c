"""Accounts out of Mana's own databases, for those who run it: one user's, or everybody's in one pass.

``one_user`` brings a mirror of its own up to date and exports from it; ``all_users`` reads the table of changes once
and writes an archive for each user, with a ledger beside them; ``dump`` reads what ``pg_dump`` wrote in place of a
server.
What is known of an account besides its changes, and whether its private fields are opened, is ``account``'s.
"""

from ...sources.mana_accounts import Vault
from ..ledger import Entry
from .account import Opening
from .all_users import HUMAN, AllUsers, HowWritten, export_everybody
from .dump import Dump, export_everybody_of_dump, export_user_of_dump
from .one_user import DatabasePlaces, UserExport, export_user
from .users import Users, users

__all__ = [
    "HUMAN",
    "AllUsers",
    "DatabasePlaces",
    "Dump",
    "Entry",
    "HowWritten",
    "Opening",
    "UserExport",
    "Users",
    "Vault",
    "export_everybody",
    "export_everybody_of_dump",
    "export_user",
    "export_user_of_dump",
    "users",
]
