"""The web app, of which there is nothing here but the head of its pages: it names the servers' addresses."""

from __future__ import annotations

from collections.abc import Mapping

from ..text import jsontext
from .files_edge import Call, Reply, not_found


class WebPage:
    """Every page of the web app. ``addresses``: name of a server → address, or empty.

    Of the names ``MEDIA`` and ``API`` are the web app's; what it calls the other two is not known here.
    """

    def __init__(self) -> None:
        self.addresses: Mapping[str, str] = {}

    async def answer(self, call: Call) -> Reply:
        """The answer to one call."""
        if call.method not in ("GET", "HEAD"):
            return not_found()
        lines = "".join(
            f"window.__PUBLIC_MANA_{name}_URL__ = {jsontext.dumps(address).decode()};\n"
            for name, address in self.addresses.items()
        )
        page = f'<!doctype html>\n<html lang="de">\n<head>\n<script>{lines}</script>\n'
        page += '<meta charset="utf-8" />\n<title>Mana</title>\n</head>\n<body></body>\n</html>\n'
        return Reply(200, (("Content-Type", "text/html"),), page.encode())
