"""The page as people use it: in Chromium and in Firefox, from the disk, with an archive inside."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from manabackup.operations.archives.report import report, write
from manabackup.viewer.page import ViewerPage
from tests.viewer import example
from tests.viewer.browsers import PlaywrightTab, driver, firefox, launched, require
from tests.viewer.test_store import write_odd

PRINT = """window.print = () => {
  const days = [...document.querySelectorAll(".day h2")].map((title) => title.textContent);
  window.printed = [document.querySelectorAll(".day article").length, days[0], days.at(-1)];
}"""
TAKE = """async () => {
  const found = async (selector, text) => {
    for (;;) {
      const node = [...document.querySelectorAll(selector)].find((each) => text.test(each.innerText));
      if (node) return node.click();
      await new Promise((done) => requestAnimationFrame(done));
    }
  };
  await found("#side a", /^Finan/);
  await found("main summary", /Take along|Mitnehmen/);
  await found("main button", /^JSON$/);
}"""
MOVES = """() => document.getAnimations().length + [...document.querySelectorAll("*")].filter((node) => {
  const { scrollBehavior, transitionDuration, animationName } = getComputedStyle(node);
  return scrollBehavior !== "auto" || animationName !== "none" || !/^0s(, 0s)*$/.test(transitionDuration);
}).length"""
WIDTHS = """(images) => Promise.all(images.map(async (image) => {
  if (!image.complete || image.naturalWidth === 0) await new Promise((done) => image.addEventListener("load", done));
  return image.naturalWidth;
}))"""
WEEKDAYS = ("Donnerstag, 3.", "Mittwoch, 2.", "Dienstag, 1.")
V1 = Path(__file__).parents[2] / "fixtures" / "v1" / "life.mana"
NOW = "2026-04-28T20:00:00+02:00"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    with driver() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Any) -> Iterator[Any]:
    with launched(playwright, "chromium") as started:
        yield started


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest, playwright: Any) -> Iterator[Any]:
    if request.param == "chromium":
        yield request.getfixturevalue("chromium")
    else:
        with launched(playwright, "firefox") as started:
            yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages for the invented account, plain and sealed, for one that lost something, and for no archive."""
    folder = tmp_path_factory.mktemp("pages")
    rows = example.example()
    example.write(folder / "plain.mana", rows)
    example.write(folder / "sealed.mana", rows, passphrase=example.PASSPHRASE)
    few = {table: rows[table] for table in ("notes", "events", "timeBlocks")}
    example.write(folder / "pictures.mana", few, passphrase=example.PASSPHRASE, kept=example.files())
    illustrated, inside = example.illustrated(HTML_WITH_PICTURES)
    example.write(folder / "illustrated.mana", illustrated, kept=inside)
    example.write(folder / "partial.mana", rows, partial=True)
    return {path.stem: write_page(path) for path in folder.glob("*.mana")} | {"empty": write_page(folder / "empty")}


def write_page(archive: Path) -> Path:
    content = [archive.read_bytes()] if archive.exists() else []
    path = archive.with_suffix(".html")
    path.write_bytes(b"".join(ViewerPage(archive.name if content else None).parts(content)))
    return path


@contextmanager
def shown(browser: Any, page: Path, **options: Any) -> Iterator[Any]:
    """Playwright's page, as somebody in Berlin sees it on 28 April 2026; whatever goes wrong in it fails the test."""
    wanted = {"viewport": DESK, "locale": "de-DE", "timezone_id": "Europe/Berlin", **options}
    tab = PlaywrightTab(browser, **wanted)
    tab.page.set_default_timeout(90_000)
    tab.page.clock.install(time=NOW)
    tab.open(page)
    try:
        yield tab.page
        # What the policy stops in somebody's HTML is said on the console, and is no error of the page.
        assert [error for error in tab.errors if "Content Security Policy" not in error] == []
        assert [address for address in tab.requests if not address.startswith(("file:", "blob:", "data:"))] == []
    finally:
        tab.close()


@contextmanager
def opened(browser: Any, page: Path, **options: Any) -> Iterator[Any]:
    with shown(browser, page, **options) as seen:
        seen.get_by_text("Unversehrt. Jedes Byte").wait_for()
        yield seen


def go(page: Any, label: str) -> None:
    """To an app, by the list at the side."""
    menu = page.get_by_role("button", name="Menü")
    if menu.is_visible():
        menu.click()
    page.locator("#side").get_by_role("link", name=re.compile(rf"^{label}\b")).click()
    page.locator("#side a[aria-current]", has_text=label).wait_for(state="attached")
    page.locator("main:not([aria-busy]) h1").wait_for()


def read(page: Any, label: str, title: str) -> None:
    """A row, out of the list of its app."""
    go(page, label)
    page.locator("main").get_by_role("link", name=re.compile(re.escape(title))).first.click()
    page.get_by_role("heading", level=1, name=title).wait_for()


# --- every screen, by axe ---------------------------------------------------------------------------------------------

ROWS = {
    "Notizen": "Packliste",
    "Chat": "Brot backen",
    "Rechnungen": "2026-0042",
    "Artikel": "Warum Wälder",
    "uLoad": "Fotos",
}


@pytest.mark.parametrize(
    ("browser", "scheme", "viewport"),
    [("chromium", "light", DESK), ("chromium", "dark", PHONE), ("firefox", "light", PHONE)],
    ids=["chromium-on-a-desk-in-light", "chromium-on-a-phone-in-the-dark", "firefox-on-a-phone-in-light"],
    indirect=["browser"],
)
def test_axe_finds_nothing_on_any_screen(
    browser: Any, pages: dict[str, Path], scheme: str, viewport: dict[str, int]
) -> None:
    require("axe", "axe", "axe_playwright_python")
    from axe_playwright_python.sync_playwright import Axe

    found: list[tuple[str, str, Any]] = []

    def look(page: Any, name: str) -> None:
        violations = Axe().run(page).response["violations"]
        found.extend((name, each["id"], [node["html"][:200] for node in each["nodes"]]) for each in violations)

    with opened(browser, pages["plain"], color_scheme=scheme, viewport=viewport) as page:
        page.locator("figure svg").wait_for()
        look(page, "start")
        for label in ("Kalender", "Tagebuch", "Kontakte", "Aufgaben", "Notizen", "Finanzen"):
            go(page, label)
            look(page, label)
        for label, title in ROWS.items():
            read(page, label, title)
            for summary in page.locator("main summary").all():
                summary.click()
            look(page, f"{label}: {title}")
        go(page, "Tagebuch")
        page.get_by_role("link", name="Als Liste").click()
        page.locator(".virtual .item").first.wait_for()
        look(page, "a long list")
        page.get_by_role("searchbox", name="Alles durchsuchen").fill("oma")
        page.locator("mark").first.wait_for()
        look(page, "search")
        page.get_by_role("button", name="Sperren").click()
        look(page, "forgotten")
    with opened(browser, pages["illustrated"], color_scheme=scheme, viewport=viewport) as page:
        for label, title in (("Notizen", "Ausflug"), ("Artikel", "Wald")):
            read(page, label, title)
            page.locator("main .text img").evaluate_all(WIDTHS)
            look(page, f"{label}: {title}")
    with shown(browser, pages["pictures"], color_scheme=scheme, viewport=viewport) as page:
        page.get_by_label("Passphrase", exact=True).fill(example.PASSPHRASE)
        page.keyboard.press("Enter")
        page.get_by_text("Sein Siegel beweist").wait_for()
        go(page, "Bilder und Dateien")
        look(page, "gallery")
        page.locator("a.picture").first.click()
        page.locator(".picture.large").wait_for()
        look(page, "file")
    for name, ready in (("sealed", "#passphrase"), ("empty", "#file")):
        with shown(browser, pages[name], color_scheme=scheme, viewport=viewport) as page:
            page.locator(ready).wait_for(state="attached")
            look(page, name)
            if name == "sealed":
                page.get_by_label("Passphrase", exact=True).fill("falsch")
                page.keyboard.press("Enter")
            else:
                page.set_input_files("#file", str(V1))
            page.get_by_role("alert").wait_for()
            look(page, f"{name}, and what went wrong")
    assert found == []


# --- opening and forgetting -------------------------------------------------------------------------------------------


def test_a_wrong_passphrase_is_told_and_the_right_one_opens(browser: Any, pages: dict[str, Path]) -> None:
    with shown(browser, pages["sealed"]) as page:
        page.get_by_label("Passphrase", exact=True).fill("falsch")
        page.get_by_role("button", name="Aufschließen").click()
        page.get_by_role("alert").get_by_text("öffnet das Archiv nicht").wait_for()
        page.get_by_label("Passphrase", exact=True).fill(example.PASSPHRASE)
        page.keyboard.press("Enter")
        page.get_by_text("Sein Siegel beweist").wait_for()
        assert example.PASSPHRASE not in page.content()


def test_an_empty_page_takes_a_file_and_tells_what_is_wrong_with_another(
    browser: Any, pages: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "no.mana").write_bytes(b"no archive at all")
    with shown(browser, pages["empty"]) as page:
        page.set_input_files("#file", str(tmp_path / "no.mana"))
        page.get_by_text("Diese Datei ist kein Archiv von Mana").wait_for()
        page.get_by_role("button", name="Ein anderes Archiv öffnen").click()
        page.set_input_files("#file", str(pages["plain"].with_suffix(".mana")))
        page.get_by_text("Unversehrt. Jedes Byte").wait_for()


@pytest.mark.parametrize("table", ["notes", "globalTags"])
def test_what_damage_left_can_be_read_and_the_damage_is_named(
    browser: Any, pages: dict[str, Path], tmp_path: Path, table: str
) -> None:
    damaged = tmp_path / "damaged.mana"
    damaged.write_bytes(with_a_flipped_bit(pages["plain"].with_suffix(".mana").read_bytes(), f"data/{table}.jsonl"))
    with shown(browser, pages["empty"]) as page:
        page.set_input_files("#file", str(damaged))
        page.get_by_text("Nicht unversehrt.").wait_for()
        assert page.get_by_text(f"data/{table}.jsonl").is_visible()
        page.locator("figure svg").wait_for()
        label = {"notes": "Notizen", "globalTags": "Tags"}[table]
        assert page.locator("main").get_by_text(f"Beschädigt, und darum nicht gezeigt: {label}").is_visible()
        page.locator("#side").get_by_role("link", name=re.compile(f"^{label}")).click()
        page.get_by_role("alert").get_by_text("Das Archiv ist beschädigt").wait_for()
        assert page.get_by_text("Was in anderen Teilen des Archivs steht").is_visible()
        assert page.locator("main").count() == 1
        read(page, "Finanzen", "Wochenmarkt")
        assert page.get_by_role("link", name=re.compile("Lebensmittel")).is_visible(), "links to what is whole"
        go(page, "Tagebuch")
        page.get_by_text("vor 1 Jahr").wait_for()
        page.get_by_role("searchbox").fill("oma")
        page.get_by_text(re.compile("^11. Treffer$")).wait_for()
        assert page.get_by_text(f"Beschädigt, und darum nicht gezeigt: {label}").is_visible()


@pytest.mark.parametrize("name", ["meta/blobs.jsonl", "meta/actors.jsonl"])
def test_rows_are_read_though_what_stands_beside_them_is_damaged(
    chromium: Any, pages: dict[str, Path], tmp_path: Path, name: str
) -> None:
    damaged = tmp_path / "damaged.mana"
    damaged.write_bytes(with_a_flipped_bit(pages["illustrated"].with_suffix(".mana").read_bytes(), name))
    with shown(chromium, pages["empty"]) as page:
        page.set_input_files("#file", str(damaged))
        page.get_by_text("Nicht unversehrt.").wait_for()
        read(page, "Notizen", "Ausflug")
        assert page.get_by_text("Danach", exact=True).is_visible()
        page.get_by_text(f"Beschädigt, und darum nicht gezeigt: {name}").wait_for()


def with_a_flipped_bit(archive: bytes, name: str) -> bytes:
    """An archive with one bit altered in the middle of an entry's deflated bytes."""
    with zipfile.ZipFile(io.BytesIO(archive)) as container:
        entry = container.getinfo(name)
    extra = int.from_bytes(archive[entry.header_offset + 28 : entry.header_offset + 30], "little")
    begin = entry.header_offset + 30 + len(name) + extra
    altered = bytearray(archive)
    altered[begin + entry.compress_size // 2] ^= 0x10
    return bytes(altered)


def test_what_is_missing_is_said(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["partial"]) as page:
        assert page.get_by_text("3 Felder ließen sich nicht entschlüsseln").is_visible()
        page.get_by_text("Gut zu wissen").click()
        assert page.get_by_text("1 Sammlung, die diese Fassung nicht kennt").is_visible()


@pytest.mark.parametrize("how", ["the button", "ten minutes without a touch"])
def test_forgetting_takes_everything_out_of_the_page(browser: Any, pages: dict[str, Path], how: str) -> None:
    with opened(browser, pages["plain"]) as page:
        read(page, "Notizen", "Packliste Norwegen")
        if how == "the button":
            page.get_by_role("button", name="Sperren").click()
        else:
            page.clock.fast_forward("09:50")
            assert page.get_by_role("heading", name="Packliste Norwegen").is_visible()
            page.clock.run_for("00:20")
        page.get_by_text("wurde alles vergessen" if how != "the button" else "Alles wurde vergessen").wait_for()
        assert "Packliste" not in page.locator("body").inner_text()
        page.go_back()
        assert "Packliste" not in page.locator("body").inner_text()


def test_the_browsers_history_tells_of_nothing(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["plain"]) as page:
        before = page.url
        read(page, "Notizen", "Packliste Norwegen")
        page.get_by_role("searchbox").fill("oma")
        page.locator("mark").first.wait_for()
        told = page.evaluate("[location.href, JSON.stringify(history.state), document.title]")
        assert told == [before, '{"place":3}', "Suche – Mana"]
        page.go_back()
        page.get_by_role("heading", level=1, name="Packliste Norwegen").wait_for()
        assert page.title() == "Notizen – Mana"


# --- what somebody wrote stays what it is -----------------------------------------------------------------------------

SCRIPT = "<script>globalThis.ran = true</script>"
HOSTILE: dict[str, example.Row] = {
    "script": {"title": SCRIPT, "content": f"{SCRIPT}<img src=x onerror='globalThis.ran = true'>"},
    "link": {
        "title": "links",
        "content": "[a](javascript:globalThis.ran=1) [b](data:text/html,x) <javascript:x> [c](vbscript:x)",
    },
    "override": {"title": "\u202egnp.exe \u2066", "content": "\u202eumgekehrt"},
    "prototype": {"title": "names", "__proto__": {"title": "nein"}, "constructor": "x", "toString": "y"},
    "halves": {"title": "half \ud800 and \udfff", "content": "\ud83d"},
    "long": {"title": "long", "content": "Wort " * 2_000_000},
    "large": {"title": "large", "amount": 9007199254740993},
    "markdown": {"title": "marks", "content": "> " * 5000 + "\n" + "- " * 5000 + "\n" + "[" * 20000},
    "ansi": {"title": "\x1b[31mred\x00", "content": "\x1b]8;;https://example.org\x07"},
}  # fmt: skip
HTML = (
    f"""{SCRIPT}
<svg onload='globalThis.ran = true'><a xlink:href='javascript:globalThis.ran=1'><text>svg</text></a></svg>
<p style='position:fixed;inset:0' class='bar' id='app' onclick='globalThis.ran = true'>Absatz</p>
<style>body{{display:none}}</style><link rel=stylesheet href=https://example.org/x.css>
<base href=https://example.org><meta http-equiv=refresh content='0;url=https://example.org'>
<iframe srcdoc='<p>x'></iframe><form action=https://example.org><button>x</button></form>
<a href=' java\nscript:globalThis.ran=1'>eins</a><a href='https://example.org/'>zwei</a><math><mi>m</mi></math>
<img src='https://example.org/p.gif' srcset='https://example.org/q.gif 2x' alt='Bild'>
<video src=https://example.org/v></video><img src='data:image/svg+xml,<svg/>'>
<noscript><p title='</noscript><img src=x onerror=globalThis.ran=1>'></noscript>
"""
    + "<div>" * 3000
    + "tief"
)


HTML_WITH_PICTURES = f"""<p>Davor</p><a href="https://example.org/"><img src="{example.media(2)}" alt="Ein Wald"></a>
<p>Danach</p><img src="{example.uuid(40, 2).upper()}" srcset="https://example.org/q.gif 2x"
 onerror="globalThis.ran = true">
<img src="{example.media(5)}" alt="svg"><img src="{example.media(0)}" alt="not of this row">
<img src="{example.media(2)}s" alt="almost"><img src="javascript:globalThis.ran=1" alt="script">
<img src="blob:null/{example.uuid(40, 2)}" alt="blob"><img src="file:///etc/passwd" alt="disk">
<img src="https://example.org/p.gif" alt="elsewhere"><img src="//example.org/p.gif" alt="nowhere">
<img src="data:image/svg+xml,<svg/>" alt="drawing"><img src="__proto__" alt="names"><img alt="none">
"""
"""Of the addresses two lead to a picture that the archive has for this row."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "hostile.mana"
    rows = [{"id": name, **row} for name, row in HOSTILE.items()]
    deep = [{"id": "deep", "title": "deep", "metadata": json.loads("[" * 500 + "]" * 500)}]
    articles = [{"id": "html", "title": "html", "originalUrl": "javascript:globalThis.ran=1", "htmlContent": HTML}]
    tags = [{"id": "t", "name": SCRIPT, "color": "red;background:url(https://example.org)"}]
    example.write(path, {"notes": rows, "memos": deep, "articles": articles, "globalTags": tags})
    return write_page(path)


def test_hostile_content_is_shown_and_neither_runs_nor_leaves(browser: Any, hostile: Path) -> None:
    with opened(browser, hostile) as page:
        for place, name in enumerate(sorted(HOSTILE)):  # newest first: the rows of the account are as old as their ids
            go(page, "Notizen")
            page.locator("main .item").nth(place).click()
            page.get_by_text("Wie gespeichert").click()
            page.locator("pre.raw").wait_for()
            if name == "large":
                assert "9007199254740993" in page.locator("pre.raw").inner_text()
                assert page.get_by_text(re.compile(r"9\.007\.199\.254\.740\.993")).is_visible()
            if name == "script":
                assert page.get_by_role("heading", level=1).inner_text() == SCRIPT
            if name == "long":
                assert page.get_by_text("Ein langer Text: 10.000.000 Zeichen").is_visible()
        read(page, "Artikel", "html")
        page.get_by_text("Absatz", exact=True).wait_for()
        inside = page.locator("main .text")
        gone = "script, style, svg, math, iframe, form, button, img, video, link, meta, base"
        assert inside.locator(f"{gone}, [style], [id], [onclick], .bar").count() == 0
        assert [link.get_attribute("href") for link in inside.locator("a").all()] == ["https://example.org/"]
        assert inside.get_by_text("tief").is_visible(), "what stands behind a tag that nobody closed is not lost"
        addresses = [link.get_attribute("href") for link in page.locator("main a[href]").all()]
        assert [address for address in addresses if not re.match("https?:|mailto:|tel:|#", address)] == []
        assert page.evaluate("globalThis.ran") is None
        assert page.evaluate("Object.prototype.title") is None


def test_rows_that_nest_ten_thousand_deep_and_names_of_prototypes_are_shown(browser: Any, tmp_path: Path) -> None:
    write_odd(tmp_path / "odd.mana")
    with opened(browser, write_page(tmp_path / "odd.mana")) as page:
        read(page, "Notizen", "tief")
        page.get_by_text("Wie gespeichert").click()
        assert page.locator("pre.raw").inner_text().count("[") == 9_990
        read(page, "Notizen", "Prototyp")
        for table in ("__proto__", "constructor"):
            go(page, "Weitere")
            page.locator("main").get_by_role("link", name=table).first.click()
            page.locator("main .item").first.wait_for()
        assert page.evaluate("Object.prototype.polluted") is None


# --- screens ----------------------------------------------------------------------------------------------------------


def test_a_row_reads_as_people_read(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["plain"]) as page:
        read(page, "Rechnungen", "2026-0042")
        text = page.locator("main").inner_text()
        for words in ("1.010,61 CHF", "240,00 CHF", "Versendet", "30. April 2026"):
            assert words in text.replace("\u00a0", " ")
        read(page, "Aufgaben", "Steuerunterlagen sortieren")
        assert page.get_by_text("1 Stunde 30 Minuten").is_visible()
        page.get_by_role("link", name="Haushalt").click()
        page.get_by_role("heading", level=1, name="Haushalt").wait_for()
        assert page.get_by_role("link", name=re.compile("Steuerunterlagen")).is_visible(), (
            "links lead in both directions"
        )
        read(page, "Notizen", "Packliste Norwegen")
        assert page.locator(".subtitle").get_by_text("Reise").is_visible(), "a tag that a row of another table ties"
        page.get_by_text("Verlauf").click()
        assert page.get_by_text("Assistent").is_visible()
        read(page, "uLoad", "Fotos vom See")
        page.get_by_text("Wie gespeichert").click()
        assert "geheim123" not in page.content()


def test_messages_stand_in_the_order_of_their_writing(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["plain"]) as page:
        read(page, "Chat", "Brot backen")
        said = page.locator(".chat > li").all_inner_texts()
        begins = [" ".join(text.split()[1:3]) for text in said]
        assert begins == ["Wie backe", "Mit Sauerteig.", "Und wenn", "Dann setzt", "Danke! <script>alert('nur"]


def test_the_calendar_shows_series_once_and_all_day_events_on_their_days(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["plain"]) as page:
        go(page, "Kalender")
        page.get_by_role("heading", level=1, name="April 2026").wait_for()
        days = {
            # Whether the hour has one digit or two, browsers say.
            cell.locator(".visually-hidden").inner_text(): [
                re.sub(r"\b0(\d:)", r"\1", entry) for entry in cell.locator(".entry").all_inner_texts()
            ]
            for cell in page.locator(".month td").all()
        }
        assert days["Dienstag, 14. April 2026"] == ["19:00 Chorprobe"]
        assert days["Dienstag, 7. April 2026"] == ["19:30 Chorprobe"], "a copy that was changed stands in"
        assert days["Montag, 20. April 2026"] == ["Geburtstag Mira", "7:00 Laufen"]
        assert "22:15 Nachtzug nach Wien" in days["Freitag, 24. April 2026"]
        assert days["Samstag, 25. April 2026"] == ["– 7:30 Nachtzug nach Wien"]
        page.get_by_role("button", name="Mai 2026").click()
        page.get_by_role("heading", level=1, name="Mai 2026").wait_for()
        holidays = page.locator(".month .entry", has_text="Urlaub Norwegen")
        assert holidays.count() == 5
        holidays.first.click()
        page.get_by_role("heading", level=1, name="Urlaub Norwegen").wait_for()


def test_the_diary_remembers_this_day_and_prints_every_entry(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["plain"]) as page:
        go(page, "Tagebuch")
        assert page.get_by_text("vor 1 Jahr").is_visible()
        assert page.get_by_text("vor 3 Jahren").is_visible()
        page.evaluate(PRINT)
        page.get_by_role("button", name="Als Tagebuch drucken").click()
        total = len(example.journal())
        page.locator(".day article").nth(total - 1).wait_for(state="attached")
        assert page.locator(".day article").count() == total
        page.get_by_role("button", name="Als Tagebuch drucken").click()
        entries, first, last = page.evaluate("window.printed")
        assert entries == total
        assert first.endswith("2023"), "a book begins with its first day"
        assert last == "Dienstag, 28. April 2026"
        assert page.locator(".day h2").first.inner_text() == last, "on the screen the newest stays first"
        if browser.browser_type.name == "chromium":  # no driver shows Firefox's print style
            page.emulate_media(media="print")
            assert not page.locator(".bar").is_visible()
            assert not page.locator("#side").is_visible()


def test_lists_are_sorted_and_filtered(browser: Any, pages: dict[str, Path]) -> None:
    def titles() -> list[str]:
        page.locator("main:not([aria-busy])").wait_for()
        return [text.strip() for text in page.locator("main .item .title").all_inner_texts()]

    with opened(browser, pages["plain"]) as page:
        go(page, "Notizen")
        page.get_by_label("Tag", exact=True).select_option("Reise")
        page.get_by_text("1 von 6 Einträge").wait_for()
        assert titles() == ["Packliste Norwegen"]
        page.get_by_role("button", name="Filter aufheben").click()
        page.get_by_label("Ordnen").select_option("title")
        page.get_by_text("6 Einträge", exact=True).wait_for()
        assert titles()[0] == "Buchzitate"
        page.get_by_label("Zustand").select_option("archived")
        page.get_by_text("1 von 6 Einträge").wait_for()
        assert titles() == ["Geschenke"]


def test_search_marks_hits_as_one_types(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["plain"]) as page:
        page.get_by_role("searchbox").press_sequentially("steuerunterlagen")
        page.locator(".hit").first.wait_for()
        page.get_by_text("1 Treffer").wait_for()
        assert page.locator("mark").first.inner_text() == "Steuerunterlagen"
        page.get_by_role("searchbox").fill("xyzzy")
        page.get_by_text("wurde nichts gefunden").wait_for()
        assert page.evaluate("document.activeElement.id") == "search", "who types goes on typing"


def test_only_what_is_seen_of_a_long_list_is_there(browser: Any, tmp_path: Path) -> None:
    count = 20_000
    rows = [{"id": f"{number:06}", "title": f"Notiz {number}", "content": "x"} for number in range(count)]
    example.write(tmp_path / "long.mana", {"notes": rows})
    with opened(browser, write_page(tmp_path / "long.mana")) as page:
        go(page, "Notizen")
        page.get_by_label("Ordnen").select_option("table")
        page.get_by_text("Notiz 0", exact=True).wait_for()
        assert page.locator("main .item").count() < 60
        page.locator(".virtual").focus()
        page.keyboard.press("End")
        page.get_by_text(f"Notiz {count - 1}", exact=True).wait_for()
        assert page.locator("main .item").count() < 60
        page.get_by_role("link", name=re.compile(f"Notiz {count - 1}")).focus()
        page.keyboard.press("ArrowUp")
        assert f"Notiz {count - 2}" in page.evaluate("document.activeElement.innerText")


Reader = Callable[[str], list[dict[str, Any]]]
KINDS: dict[str, Reader] = {
    "JSON": lambda text: json.loads(text)["transactions"],
    "CSV": lambda text: list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))),
    "Markdown": lambda text: [{"id": part} for part in text.split("\n---\n")],
}


def test_a_list_can_be_taken_along_from_firefox_too(pages: dict[str, Path], tmp_path: Path) -> None:
    # Playwright hears of no download in this Firefox: the other way does.
    with firefox() as tab:
        tab.open(pages["plain"])
        taken = tab.download(tmp_path, TAKE)
        assert len(json.loads(taken.read_bytes())["transactions"]) == len(example.money()["transactions"])
        assert tab.errors == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_list_can_be_taken_along(chromium: Any, pages: dict[str, Path], kind: str) -> None:
    with opened(chromium, pages["plain"]) as page:
        go(page, "Finanzen")
        page.get_by_text("Mitnehmen").click()
        with page.expect_download() as download:
            page.get_by_role("button", name=kind).click()
        text = Path(download.value.path()).read_bytes().decode()
        assert len(KINDS[kind](text)) == len(example.money()["transactions"])
        assert "Wochenmarkt" in text


def test_pictures_are_shown_by_day_and_in_their_rows_and_other_files_are_only_taken_along(
    browser: Any, pages: dict[str, Path]
) -> None:
    kept = {each.line["name"]: each for each in example.files()}
    with shown(browser, pages["pictures"]) as page:
        page.get_by_label("Passphrase", exact=True).fill(example.PASSPHRASE)
        page.keyboard.press("Enter")
        page.get_by_text("Sein Siegel beweist").wait_for()
        go(page, "Bilder und Dateien")
        page.get_by_text("Dieser Browser kann das Bild nicht zeigen").wait_for()
        days = page.locator(".gallery-day")
        assert days.locator("h2").all_inner_texts()[1:] == [f"{day} Juli 2025" for day in WEEKDAYS]
        assert page.locator(".gallery img").evaluate_all(WIDTHS) == [480] * 12
        assert page.locator(".gallery-day").nth(1).locator("img").count() == 4
        assert page.get_by_text("1 Datei war nicht zu bekommen").is_visible()
        page.locator('a.picture[title="IMG_3.jpeg"]').click()
        page.get_by_role("heading", level=1, name="IMG_3.jpeg").wait_for()
        assert page.get_by_text(kept["IMG_3.jpeg"].sha256).is_visible()
        page.get_by_role("link", name=re.compile("Packliste")).click()
        page.get_by_role("heading", level=2, name="Dateien").wait_for()
        assert page.locator("main .gallery img").count() == 12
        page.get_by_role("link", name="page.html").click()
        page.get_by_role("heading", level=1, name="page.html").wait_for()
        assert page.locator("main img, main iframe, main object, main embed").count() == 0
        assert page.evaluate("globalThis.ran") is None
        if browser.browser_type.name == "chromium":  # of Firefox's downloads Playwright hears nothing
            with page.expect_download() as download:
                page.get_by_role("button", name="Diese Datei mitnehmen").click()
            assert Path(download.value.path()).read_bytes() == kept["page.html"].content


def test_pictures_stand_at_their_place_in_texts_and_nothing_else_does(browser: Any, pages: dict[str, Path]) -> None:
    def pieces() -> list[str]:
        """What stands in the row's text, in its order: words, and pictures by what is said of them."""
        found: list[str] = page.locator("main .text").evaluate(
            """(text) => [...text.querySelectorAll("p, img")].map((piece) =>
                 piece.localName === "img" ? `<${piece.alt}>` : piece.innerText.trim()).filter((said) => said !== "")"""
        )
        return found

    with opened(browser, pages["illustrated"]) as page:
        read(page, "Newsletter", "Rundbrief")
        assert page.locator("main .text img").evaluate_all(WIDTHS) == [480]
        assert pieces() == ["Davor", "<Das Haus am See>", "Danach"]
        assert page.get_by_role("heading", name="Dateien").count() == 0, "it does not stand below once more"
        page.locator("main .text a").click()
        page.get_by_role("heading", level=1, name="Bild").wait_for()

        read(page, "Notizen", "Ausflug")
        assert page.locator("main .text img").evaluate_all(WIDTHS) == [480]
        assert pieces() == ["Davor", "mitten", "<Tulpen>", "[Bild: Regen – nicht im Archiv]", "Danach"]
        assert page.get_by_text("1 Datei war nicht zu bekommen").is_visible()

        read(page, "Artikel", "Wald")
        assert page.locator("main .text img").evaluate_all(WIDTHS) == [480] * 2
        sources = page.locator("main .text img").evaluate_all("(images) => images.map((image) => image.src)")
        assert all(source.startswith("blob:") for source in sources), sources
        assert pieces() == ["Davor", "<Ein Wald>", "Danach", "<Bild>"]
        assert page.locator("main .text a a, main .text [srcset], main .text [onerror]").count() == 0
        named = page.locator("main .text .quiet").all_inner_texts()
        told = [
            "svg",
            "not of this row",
            "almost",
            "script",
            "blob",
            "disk",
            "elsewhere",
            "nowhere",
            "drawing",
            "names",
        ]
        assert named == [f"[Bild: {alt}]" for alt in [*told, "none"]]
        assert page.locator("main section").get_by_role("link", name="svg").is_visible(), "what is no picture is a file"
        assert page.evaluate("globalThis.ran") is None

        read(page, "Chat", "Malen")
        assert page.locator(".chat img").evaluate_all(WIDTHS) == [480]


def test_all_of_it_speaks_english_too(browser: Any, pages: dict[str, Path]) -> None:
    with shown(browser, pages["plain"], locale="en-GB") as page:
        page.get_by_text("Whole. Every byte was verified here").wait_for()
        page.get_by_label("Language").select_option("de")
        page.get_by_text("Unversehrt. Jedes Byte").wait_for()
        assert page.evaluate("document.documentElement.lang") == "de"


def test_a_keyboard_is_enough(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["plain"], viewport=PHONE) as page:
        page.locator("body").press("Tab")
        page.evaluate("document.activeElement.blur()")
        page.get_by_role("button", name="Menü").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.innerText") == "Menü"
        page.keyboard.press("Enter")
        page.locator("#side").get_by_role("link", name=re.compile("^Notizen")).focus()
        page.keyboard.press("Enter")
        page.get_by_role("heading", level=1, name="Notizen").wait_for()
        assert page.evaluate("document.activeElement.tagName") == "H1", "screen readers begin at the title"


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_nothing_moves_for_who_asked_for_less_motion(playwright: Any, pages: dict[str, Path], name: str) -> None:
    preferences = {"ui.prefersReducedMotion": 1}
    with launched(playwright, name, preferences) as browser:
        with opened(browser, pages["plain"], reduced_motion="reduce") as page:
            assert page.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches")
            for label in ("Übersicht", "Kalender", "Tagebuch", "Notizen"):
                go(page, label)
                assert page.evaluate(MOVES) == 0, label
        if name == "chromium":
            with opened(browser, pages["plain"], reduced_motion="no-preference") as page:
                assert page.evaluate(MOVES) > 0, "whoever did not ask sees the page scroll"


def test_nothing_sticks_out_of_a_phone_at_twice_the_size(browser: Any, pages: dict[str, Path]) -> None:
    for viewport in (PHONE, {"width": 320, "height": 640}):
        with opened(browser, pages["plain"], viewport=viewport) as page:
            for label in ("Übersicht", "Kalender", "Tagebuch", "Kontakte", "Aufgaben", "Finanzen"):
                go(page, label)
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wide <= 0, label


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_report(chromium: Any, pages: dict[str, Path], tmp_path: Path, scheme: str) -> None:
    require("axe", "axe", "axe_playwright_python")
    from axe_playwright_python.sync_playwright import Axe

    write(report(pages["partial"].with_suffix(".mana")), tmp_path / "report.html", "html", "de")
    with shown(chromium, tmp_path / "report.html", color_scheme=scheme, viewport=PHONE) as page:
        for summary in page.locator("summary").all():
            summary.click()
        assert [each["id"] for each in Axe().run(page).response["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
