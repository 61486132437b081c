"""The encryption vault over HTTP: ``/api/v1/me/encryption-vault/*``."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import Route

from ..text import jsontext
from .accounts import Accounts
from .auth_call import Call, guarded
from .auth_edge import json_answer
from .vault import VaultRefused, Vaults

_PATH = "/api/v1/me/encryption-vault"

Ask = Callable[[Vaults, str, jsontext.JSON, int], jsontext.JSON]
"""Takes the vaults, the user id, the request's body and the time in milliseconds; gives the answer's body."""


def routes(accounts: Accounts) -> list[Route]:
    """All seven calls."""

    def route(method: str, name: str, ask: Ask) -> Route:
        def handle(call: Call, user_id: str) -> Response:
            try:
                return json_answer(ask(accounts.vaults, user_id, call.body, accounts.now()))
            except VaultRefused as refused:
                return json_answer(refused.body, refused.status)

        return Route(f"{_PATH}/{name}", guarded(accounts, handle), methods=[method])

    return [
        route("GET", "status", lambda vaults, user_id, body, now: vaults.status(user_id)),
        route("GET", "key", lambda vaults, user_id, body, now: vaults.key(user_id)),
        route("POST", "init", lambda vaults, user_id, body, now: vaults.init(user_id)),
        route("POST", "rotate", lambda vaults, user_id, body, now: vaults.rotate(user_id)),
        route("POST", "recovery-wrap", Vaults.set_recovery_wrap),
        route("DELETE", "recovery-wrap", lambda vaults, user_id, body, now: vaults.clear_recovery_wrap(user_id)),
        route("POST", "zero-knowledge", lambda vaults, user_id, body, now: vaults.set_zero_knowledge(user_id, body)),
    ]
