"""Pages for people that come in place of a server's answer: of a firewall that asks for proof of being a person, of a
hotspot that wants a sign-in, of a proxy. They refuse a connection, and say nothing of an account.
"""

from __future__ import annotations

import re

from ..errors import ServerError
from .answers import Answer

_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_LOOKED_AT = 4_096
"""Bytes of a body."""


def refuse_page(answer: Answer) -> None:
    """Raises :class:`ServerError` where an answer is a page: neither of the services has any."""
    kind = answer.headers.get("content-type", "").lower()
    body = answer.body[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf")
    if "cf-mitigated" in answer.headers or "html" in kind or _HTML.match(body):
        raise ServerError(
            f"{answer.source}: {answer.status}, with a page for browsers in place of the server's answer",
            hint="a firewall, a captcha or a network's sign-in page stands in between: try another network, or later",
        )
