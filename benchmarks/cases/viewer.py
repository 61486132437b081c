"""The page of ``view`` in Chromium: the first list of a large table, a search over it, and the memory that takes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manabackup.operations.archives.view import view

from ..data import prose
from ..measure import MIB, BrokenOutputError, run
from ..report import Line
from ..setting import Setting
from .export import write_archive

_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
_PATIENCE = 900_000
"""Milliseconds."""


def measure(setting: Setting) -> list[Line]:
    """One archive in three tables, chosen in a page without one; what a person waits for."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        return [Line("page, first list", "not measured", "needs chromium and make viewer-tools", "", "≤ 3 s")]
    archive, page_file = setting.scratch / "viewer.mana", setting.scratch / "viewer.html"
    run(write_archive, folder=setting.data(prose(setting.rows)).folder, target=str(archive))
    view(None, page_file, force=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        try:
            page = browser.new_page(locale="en-GB")
            page.set_default_timeout(_PATIENCE)
            page.goto(page_file.as_uri())
            return [*_waits(page, archive, setting.rows), _memory()]
        finally:
            browser.close()


def _waits(page: Any, archive: Path, rows: int) -> Iterator[Line]:
    with _stopwatch() as opened:
        page.set_input_files("input[type=file]", str(archive))
        page.get_by_role("navigation").get_by_role("link").nth(1).wait_for()
    yield Line(f"page, opening {archive.stat().st_size / MIB:,.0f} MB", f"{opened[0]:.2f} s", "", "", "≤ 1 s")
    with _stopwatch() as listed:
        page.get_by_role("navigation").get_by_role("link").nth(1).click()
        page.locator("main a.item, main article").first.wait_for()
    yield Line(f"page, first list of {rows:,} rows", f"{listed[0]:.2f} s", "", "", "≤ 3 s")
    with _stopwatch() as indexed:
        page.get_by_role("searchbox").fill("und")
        page.locator("main a.hit").first.wait_for()
        page.locator("main progress").wait_for(state="detached")
    yield Line("page, first search", f"{indexed[0]:.2f} s", "", "", "")
    with _stopwatch() as searched:
        page.get_by_role("searchbox").fill("garten")
        page.locator("main mark", has_text="arten").first.wait_for()
    yield Line("page, search by the index", f"{searched[0]:.2f} s", "", "", "≤ 1 s")
    if page.locator("main a.hit").count() == 0:
        raise BrokenOutputError("the page finds nothing")


@contextmanager
def _stopwatch() -> Iterator[list[float]]:
    """A list that holds the seconds of its block, once that has ended."""
    begun = time.perf_counter()
    taken: list[float] = []
    yield taken
    taken.append(time.perf_counter() - begun)


def _memory() -> Line:
    """The largest share of memory that a process of the browser has: the one of page and worker."""
    shares = [share for share in map(_share, _descendants(os.getpid())) if share is not None]
    return Line("page, memory of its process", f"{max(shares) / MIB:,.0f} MB", "", "", "< 1,000 MB")


def _descendants(process: int) -> Iterator[int]:
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        yield int(child)
        yield from _descendants(int(child))


def _share(process: int) -> int | None:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)
