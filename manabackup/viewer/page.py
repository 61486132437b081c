"""Puts the page together: its code, its policy, and the archive that it carries.

All of a page but the two stretches :attr:`ViewerPage.about` and the archive is the same for every archive: its *code*,
whose SHA-256 is the page's *digest*. ``pagefile`` reads pages back.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import pybase64

from ..about import __version__
from ..model.registry import formats_folder
from ..text import jsontext
from .scripts import bundle

ABOUT = b'<script type="application/json" id="about">'
ARCHIVE = b'<script type="application/octet-stream" id="archive">'
END = b"</script>"
LINE_BYTES = 768
"""Of the archive in one line of base64, which has 1,024 characters then: for those who look at a page in an editor."""
_ENTRY = "main.js"
_HERE = "\0"
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data: blob:; worker-src blob:; "
    "connect-src 'none'; form-action 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types inert worker"
)
"""What an archive holds can neither run nor leave (Content Security Policy Level 3; Trusted Types)."""


@dataclass(frozen=True, slots=True)
class Code:
    """A page without what differs from archive to archive, in three pieces: before, between and behind these."""

    before: bytes
    between: bytes
    behind: bytes

    def digest(self) -> str:
        """Names the code: SHA-256 of its pieces, lower-case hex."""
        return hashlib.sha256(self.before + self.between + self.behind).hexdigest()


@lru_cache(maxsize=1)
def code() -> Code:
    """The code that this version writes."""
    return assemble(sources(), modules())


def assemble(files: Mapping[str, str], described: bytes) -> Code:
    """The code that some files (path → text) make, with the description of Mana's tables."""
    script = bundle(_ENTRY, files.__getitem__)
    style = "".join(files[path] for path in sorted(files) if path.endswith(".css"))
    policy = _POLICY.format(script=_source(script), style=_source(style))
    html = files["page.html"]
    html = _placed(html, "csp", f'<meta http-equiv="Content-Security-Policy" content="{policy}">')
    html = _placed(html, "style", f"<style>{style}</style>")
    html = _placed(html, "script", f'<script type="module" id="code">{script}</script>')
    data = f'<script type="application/json" id="modules">{_inert(described)}</script>\n'
    before, behind = _placed(html, "data", data + ABOUT.decode() + _HERE).split(_HERE)
    return Code(before.encode(), END + b"\n" + ARCHIVE, END + behind.encode())


@dataclass(frozen=True)
class ViewerPage:
    """A page of this version, for one archive or, with ``name`` None, for any that somebody chooses."""

    name: str | None
    """Of the archive's file, as the page shows it."""

    @cached_property
    def about(self) -> bytes:
        """What the page says of itself: JSON that is no HTML, whatever the archive is called."""
        return about(code().digest(), __version__, self.name)

    def parts(self, archive: Iterable[bytes]) -> Iterator[bytes]:
        """The page's bytes. ``archive`` gives the archive in pieces, each but the last of whole lines."""
        yield code().before + self.about + code().between
        for piece in archive:
            yield from base64_lines(piece)
        yield code().behind


def about(digest: str, version: str, name: str | None) -> bytes:
    """The stretch of a page that says what it is, for whoever makes one and whoever checks one."""
    archive: dict[str, Any] | None = None if name is None else {"name": name}
    return _inert(jsontext.dumps({"version": version, "digest": digest, "archive": archive})).encode()


def base64_lines(data: bytes) -> Iterator[bytes]:
    """``data`` as lines of base64, each of :data:`LINE_BYTES` but for the last."""
    text = pybase64.b64encode(data)
    width = LINE_BYTES // 3 * 4
    yield b"".join(b"%s\n" % text[at : at + width] for at in range(0, len(text), width))


def _placed(html: str, name: str, piece: str) -> str:
    place = f"<!-- {name} -->"
    if html.count(place) != 1:
        raise ValueError(f"page.html has no one place for {name}")
    return html.replace(place, piece)


def _source(text: str) -> str:
    """As a policy names a script or a style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _inert(json: bytes) -> str:
    """JSON that HTML takes for nothing else."""
    return json.decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def sources() -> dict[str, str]:
    """Path → text of the files under ``page/`` that a page is made of."""
    folder = Path(str(resources.files("manabackup.viewer"))) / "page"
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".js", ".css", ".html")]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def modules() -> bytes:
    """The description of Mana's tables, as pages have it."""
    return (formats_folder() / "modules.json").read_bytes()
