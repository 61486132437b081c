"""The account service as an ASGI app: sign-in, sessions, tokens, spaces, vault.

It answers as the real service was recorded to answer (``fixtures/transcripts/auth``), oddities included. Where nothing
was recorded it takes the unkind side; what this tool never calls is left out and is a 404.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import auth_me, auth_native, auth_organizations, auth_v1, auth_vault
from .accounts import Accounts
from .auth_call import guard
from .auth_edge import Edge, Refused, empty_answer, json_answer, not_found
from .clock import iso
from .vault import InternalFailure

_NATIVE_PREFIXES = ("/api/auth/", "/.well-known/")
_GUARDED_PREFIX = "/api/v1/me/"


def auth_app(accounts: Accounts) -> Starlette:
    """The service over these accounts. Stateless: any number of apps may share them."""

    async def health(_request: Request) -> Response:
        return json_answer({"status": "ok", "service": "mana-auth", "timestamp": iso(accounts.now())})

    async def unrouted(request: Request, _error: Exception) -> Response:
        path = request.url.path
        if path.startswith(_NATIVE_PREFIXES):
            return empty_answer(404)
        if path.startswith(_GUARDED_PREFIX):
            try:
                guard(accounts, request)
            except Refused as refused:
                return refused.response
        return not_found()

    async def refused(_request: Request, error: Exception) -> Response:
        if not isinstance(error, Refused):
            raise error
        return error.response

    async def failed(_request: Request, _error: Exception) -> Response:
        return json_answer({"statusCode": 500, "message": "Internal server error"}, 500)

    app = Starlette(
        routes=[
            Route("/health", health, methods=["GET"]),
            *auth_native.routes(accounts),
            *auth_organizations.routes(accounts),
            *auth_v1.routes(accounts),
            *auth_vault.routes(accounts),
            *auth_me.routes(accounts),
        ],
        middleware=[Middleware(Edge, accounts=accounts)],
        exception_handlers={404: unrouted, 405: unrouted, Refused: refused, InternalFailure: failed},
    )
    app.router.redirect_slashes = False
    return app
