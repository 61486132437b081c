"""Requests under an access token: renewed when it is refused, and the refusals told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..errors import SignInError, SubscriptionError
from .answers import Answer
from .challenge import refuse_page
from .request import Request
from .session import TokenSource, read_claims
from .transport import Hear, Receive, Transport, is_passing

_REFUSED_AFTER = 3
"""Attempts with tokens refused in plain words. A server without access to its own key set uses the same words."""


class Authorized:
    """One server, asked in the name of a user. Safe to share between threads."""

    def __init__(self, transport: Transport, tokens: TokenSource) -> None:
        self.transport = transport
        self._tokens = tokens

    def request(
        self,
        request: Request,
        *,
        once: bool = False,
        passing: Callable[[Answer], bool] = is_passing,
        receive: Receive | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """As :meth:`Transport.request`; a 401 stores nothing and is always worth another attempt.

        Raises also :class:`SignInError` (401 with a fresh token, 403) and :class:`SubscriptionError` (402), where it is
        the server that says so and no page in between.
        """
        return self._asked(
            request,
            lambda admitted: self.transport.request(
                admitted, once=once, passing=passing, receive=receive, seconds=seconds
            ),
        )

    def listen(self, request: Request, hear: Hear, *, silence: float) -> Answer:
        """As :meth:`Transport.listen`, and raises what :meth:`request` raises besides."""
        return self._asked(request, lambda admitted: self.transport.listen(admitted, hear, silence=silence))

    def _asked(self, request: Request, ask: Callable[[Request], Answer]) -> Answer:
        token = self._tokens.token()
        renewed = False
        for attempt in range(1, self.transport.limits.attempts + 1):
            admitted = replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})
            answer = ask(admitted)
            if answer.status in (401, 402, 403):
                refuse_page(answer)
            if answer.status != 401:
                return _admitted(answer)
            outage = b"fetch JWKS" in answer.body  # a fresh token does not help
            if not outage:
                fresh = None if renewed else self._tokens.refresh(token)
                if fresh is not None:
                    token, renewed = fresh, True
                    continue
                if attempt >= _REFUSED_AFTER or (not renewed and read_claims(token).expired()):
                    break
            if attempt < self.transport.limits.attempts:
                self.transport.pause(attempt)
        raise _refusal(answer, token)


def _admitted(answer: Answer) -> Answer:
    if answer.status == 402:
        raise SubscriptionError(f"the sync subscription is inactive ({answer.words()})")
    if answer.status == 403:
        raise SignInError(f"{answer.source}: {answer.words()}", hint="the server refuses this account")
    return answer


def _refusal(answer: Answer, token: str) -> SignInError:
    if read_claims(token).expired():
        return SignInError("the access token has expired", hint="give a new one, or sign in with `manabackup login`")
    return SignInError(
        f"{answer.source}: {answer.words()}",
        hint="if the token is a new one, the server may be unable to check it for now; try again later",
    )
