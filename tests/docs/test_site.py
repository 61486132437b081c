"""What ``make site`` looks for: pages that fetch something from elsewhere. And what every page needs to be found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .documents import ROOT
from .site import foreign

_INDEX = (ROOT / "docs" / "index.md").read_text("utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for number in range(60):
        (tmp_path / f"{number}.html").write_text(
            '<a href="https://example.org">elsewhere</a><img src="a.png">', "utf-8"
        )
    return tmp_path


def test_links_to_elsewhere_are_no_requests(site: Path) -> None:
    assert foreign(site) == []


@pytest.mark.parametrize(
    "part",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<link rel="preconnect" href="HTTPS://example.org">',
        '<img srcset="a.png 1x, http://example.org/b.png 2x">',
        '<object data="https://example.org/a.svg"></object>',
        '<meta http-equiv="refresh" content="0; url=https://example.org">',
        '<p style="background: url(https://example.org/a.png)">x</p>',
        "<style>@import 'https://example.org/a.css';</style>",
    ],
)
def test_what_a_page_fetches_from_elsewhere_is_found(site: Path, part: str) -> None:
    (site / "7.html").write_text(f"<p>before</p>{part}", "utf-8")
    (found,) = foreign(site)
    assert found.startswith("7.html: ")
    assert "example.org" in found


def test_what_a_style_fetches_from_elsewhere_is_found(site: Path) -> None:
    (site / "a.css").write_text("@font-face { src: url('https://example.org/a.woff2') }", "utf-8")
    assert foreign(site) == ["a.css: https://example.org/a.woff2"]


def test_every_page_of_the_documents_stands_in_the_list_of_pages() -> None:
    listed = set(re.findall(r"^(?:.*<)?([\w/-]+)>?$", "".join(re.findall(r"```{toctree}(.*?)```", _INDEX, re.S)), re.M))
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= listed
    linked = set(re.findall(r"\]\(([\w/.-]+)\.md\)", _INDEX))
    assert pages <= linked
