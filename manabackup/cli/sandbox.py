"""The group ``sandbox``."""

from __future__ import annotations

from .frame import Group

sandbox = Group(
    "sandbox",
    [("serve", "serve", "serve an invented account on a port of this computer")],
    help="An embedded server with the protocols of Mana's, for tries without an account.",
)
