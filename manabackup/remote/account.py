"""What the account service knows of a user: spaces, settings, and its own summary of the data."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import JSONTextError, ServerError, SignInError
from ..text import jsontext
from .authorized import Authorized
from .challenge import refuse_page
from .request import Request
from .session import SIGN_IN_HINT, Session, TokenSource
from .transport import Transport


@dataclass(frozen=True, slots=True)
class Space:
    """One space that the user is a member of."""

    id: str
    name: str
    type: str | None
    """``personal``, ``brand``, ``club``, ``family``, ``team``, ``practice``, or one that came later; None when it
    cannot be read, which the web app takes for personal."""
    tier: str | None = None
    """Only on spaces that the service made by itself, such as the first personal one."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """The state of the sync subscription."""

    active: bool
    gifted: bool
    interval: str | None
    next_charge_at: str | None
    """RFC 3339, as the server writes it."""
    paused_at: str | None


def organizations(transport: Transport, session: Session) -> list[Space]:
    """The user's spaces, in the server's order. Needs a session: tokens are not taken here.

    Raises :class:`SignInError`, :class:`ServerError`.
    """
    session.check_belongs_to(transport)
    answer = transport.request(Request("GET", "/api/auth/organization/list", headers={"Cookie": session.cookie}))
    if answer.status in (401, 403):
        refuse_page(answer)
        raise SignInError("the session has ended", hint=SIGN_IN_HINT)
    if answer.status != 200:
        raise answer.error()
    body = answer.json()
    if not isinstance(body, list):
        raise ServerError(f"{answer.source}: the answer is not a list of spaces")
    spaces = []
    for item in body:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise ServerError(f"{answer.source}: a space has no id")
        name = item.get("name")
        metadata = _metadata(item.get("metadata"))
        spaces.append(
            Space(item["id"], name if isinstance(name, str) else "", metadata.get("type"), metadata.get("tier"))
        )
    return spaces


def data_export(transport: Transport, tokens: TokenSource) -> bytes | None:
    """The account service's own account of the user's data, as it is: JSON, at most ``limits.answer_bytes``.

    None when the service knows no such user. Raises :class:`SignInError`, :class:`ServerError`.
    """
    answer = Authorized(transport, tokens).request(Request("GET", "/api/v1/me/data/export"))
    if answer.status == 404 and answer.member("error") is not None:
        return None
    if answer.status != 200:
        raise answer.error()
    if not isinstance(answer.json(), dict):
        raise ServerError(f"{answer.source}: the answer is not an account's data")
    return answer.body


def settings(transport: Transport, tokens: TokenSource) -> bytes:
    """The web app's settings, which :func:`data_export` leaves out: JSON as it is, at most ``limits.answer_bytes``.

    Raises :class:`SignInError`, :class:`ServerError`.
    """
    answer = Authorized(transport, tokens).request(Request("GET", "/api/v1/settings"))
    if answer.status != 200:
        raise answer.error()
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get("globalSettings"), dict):
        raise ServerError(f"{answer.source}: the answer is not an account's settings")
    return answer.body


def subscription(transport: Transport, tokens: TokenSource) -> Subscription:
    """The sync subscription's state, from the credits server. Raises :class:`SignInError`, :class:`ServerError`."""
    answer = Authorized(transport, tokens).request(Request("GET", "/api/v1/sync/status"))
    if answer.status != 200:
        raise answer.error()
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get("active"), bool):
        raise ServerError(f"{answer.source}: the answer is not a subscription's state")
    texts = (body.get(name) for name in ("interval", "nextChargeAt", "pausedAt"))
    return Subscription(
        body["active"], body.get("gifted") is True, *(text if isinstance(text, str) else None for text in texts)
    )


def _metadata(metadata: jsontext.JSON) -> dict[str, str]:
    """The texts in a space's metadata, which are an object or the JSON text of one."""
    if isinstance(metadata, str):
        try:
            metadata = jsontext.parse(metadata)
        except JSONTextError:
            return {}
    found = metadata.items() if isinstance(metadata, dict) else ()
    return {name: value for name, value in found if isinstance(value, str) and value}
