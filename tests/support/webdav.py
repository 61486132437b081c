"""A WebDAV server for tests: WsgiDAV, on a folder, with a user and a password."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER, PASSWORD = "anna", "geheim: ümlaut"


@contextmanager
def webdav(folder: Path, *, spares: bool = True) -> Iterator[int]:
    """The port of a server whose root is ``folder``; one that does not spare what lies in the way is a bad double.

    It takes no names that end with ``.part`` or ``.filepart``, as Nextcloud and ownCloud take none
    (``BLACKLIST_FILES_REGEX`` in Nextcloud's ``OCP\\Files\\FileInfo``).
    """
    from cheroot.wsgi import Server
    from wsgidav.fs_dav_provider import FolderResource
    from wsgidav.wsgidav_app import WsgiDAVApp

    FolderResource.get_available_bytes = _available  # which servers tell (RFC 4331), and this one does not by itself

    app: Any = WsgiDAVApp(
        {
            "provider_mapping": {"/": {"root": str(folder)}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
            "logging": {"enable": False},
            "verbose": 0,
            "lock_storage": True,
            "property_manager": None,
        }
    )

    def choosy(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith((".part", ".filepart")):
            start_response("400 Bad Request", [("Content-Length", "0")])
            return []
        if not spares:
            environ["HTTP_OVERWRITE"] = "T"
        return app(environ, start_response)

    logging.getLogger("wsgidav").setLevel(logging.CRITICAL)  # what is logged of an error keeps its files open
    server = Server(("127.0.0.1", 0), choosy)
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield int(server.bind_addr[1])
    finally:
        server.stop()
        thread.join()


def _available(folder: Any) -> int:
    room = os.statvfs(folder._file_path)  # noqa: SLF001 # it has no other name
    return room.f_bavail * room.f_frsize
