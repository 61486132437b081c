"""Whether a built site needs nothing from elsewhere: python -m tests.docs.site FOLDER, by ``make site``

What the pages fetch is read out of them; and where there is a Chromium, it opens some, and tells what it asked for.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from os import environ
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

_FETCHED = (
    ("[src]", "src"),
    ("[srcset]", "srcset"),
    ("[poster]", "poster"),
    ("object[data]", "data"),
    ("form[action]", "action"),
    ("meta[http-equiv=refresh]", "content"),
    ("link[href]", "href"),
    ("use[href], image[href]", "href"),
)
_FOREIGN = re.compile(r"(?:\bhttps?:|^)//", re.IGNORECASE)
_IN_STYLES = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")
_OPENED = ("index.html", "docs/index.html", "docs/generated/library.html", "docs/de/index.html", "search.html?q=seal")


def fetched(file: Path) -> Iterator[str]:
    """The addresses that a page or a style sheet takes something from when it is shown."""
    text = file.read_text("utf-8")
    if file.suffix == ".html":
        page = LexborHTMLParser(text)
        for selector, attribute in _FETCHED:
            yield from (node.attributes[attribute] or "" for node in page.css(selector))
        text = "\n".join(node.text() for node in page.css("style"))
        text += "\n".join(node.attributes["style"] or "" for node in page.css("[style]"))
    yield from (first or second for first, second in _IN_STYLES.findall(text))


def foreign(site: Path) -> list[str]:
    """What pages and styles fetch from elsewhere, each with its file."""
    files = [file for kind in ("*.html", "*.css") for file in sorted(site.rglob(kind))]
    assert len(files) > 50, f"{site} is no site"
    return [f"{file.relative_to(site)}: {one}" for file in files for one in fetched(file) if _FOREIGN.search(one)]


def asked_for(site: Path) -> list[str]:
    """What Chromium asks for when it opens some of the pages."""
    from playwright.sync_api import sync_playwright

    requests: list[str] = []
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        for name in _OPENED:
            page.goto(f"{site.resolve().as_uri()}/{name}")
            page.wait_for_load_state("networkidle")
        page.wait_for_selector("#search-results li")
        browser.close()
    return requests


def main(site: Path) -> None:
    """Raises :class:`SystemExit` with what was found."""
    found = foreign(site)
    if shutil.which("chromium") is not None and _has_playwright():
        requests = asked_for(site)
        assert len(requests) > len(_OPENED), requests
        found += [f"Chromium asked for {url}" for url in requests if not url.startswith("file://")]
        print(f"-- {len(requests)} requests of Chromium stayed in the site")
    elif environ.get("MANABACKUP_BROWSERS") == "required":
        found.append("no Chromium was tried: make viewer-tools, and apt-get install chromium")
    if found:
        sys.exit("error: the site fetches what is not its own:\n  " + "\n  ".join(found))
    print(f"-- the site fetches nothing from elsewhere: {site}/index.html")


def _has_playwright() -> bool:
    from importlib.util import find_spec

    return find_spec("playwright") is not None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
