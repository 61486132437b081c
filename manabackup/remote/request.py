"""What is asked of a server, once or again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

_IN_PATH = "/%:@!$&'()*+,;="
"""What may stand in a path as it is (RFC 3986, section 3.3), ``%`` included: names come percent-encoded."""

_IN_QUERY = _IN_PATH + "?~"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without what every request to the same server has in common."""

    method: str
    path: str
    """Begins with ``/``; percent-encoded where it holds names."""
    params: Mapping[str, str] | None = None
    query: str = ""
    """In place of ``params``: a query that somebody else wrote and perhaps signed, sent as it is."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Iterable[bytes] | None = field(default=None, repr=False)
    """In pieces, which can be gone through several times, with a ``Content-Length`` of the caller's."""
    proof: Callable[[], Mapping[str, str]] | None = field(default=None, repr=False)
    """Headers besides that are made anew for each attempt: who asks, where that is proved for a while only."""

    def name(self, host: str) -> str:
        """Method, host and path, for messages."""
        return f"{self.method} {host}{quote(self.path, safe=_IN_PATH)}"

    def url(self, base_url: str) -> str:
        """Where it is sent."""
        written = urlencode(self.params, errors="surrogatepass") if self.params else quote(self.query, safe=_IN_QUERY)
        query = f"?{written}" if written else ""
        return base_url + quote(self.path, safe=_IN_PATH) + query
