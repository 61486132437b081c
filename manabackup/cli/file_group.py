"""The group ``files``."""

from __future__ import annotations

from .frame import Group

files = Group(
    "files",
    [
        ("pull", "file_commands", "fetch the files that the account's rows refer to"),
        ("verify", "file_commands", "check the files that were fetched"),
    ],
    help="Pictures, recordings and documents, which rows refer to, and which are kept on this computer beside the "
    "mirror.",
)
