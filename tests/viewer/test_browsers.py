"""The page's reader, store and policy in real browsers, from the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.reader import open_archive
from tests.support.shares import some
from tests.viewer import example
from tests.viewer.browsers import PlaywrightTab, Tab, chromium, firefox
from tests.viewer.reading import HOSTILE, VECTORS, differing, hostile_cases
from tests.viewer.trial import READ, asked, write_trial

OPEN = """async (passphrase) => {
  const { given, Store } = trial;
  trial.asked = [];
  const ask = async (outer, wrong) => (trial.asked.push([outer.producedBy, wrong]), passphrase.shift() ?? null);
  try {
    const options = { modules: given.modules, code: given.code, passphrase: ask };
    trial.store = await Store.open(trial.input.files[0] ?? given.archive, options);
    return { summary: trial.store.summary, asked: trial.asked };
  } catch (error) {
    return { verdict: error.verdict, code: error.code, message: String(error), asked: trial.asked };
  }
}"""
ALL_ROWS = """async () => {
  const tables = [];
  for (const { table } of trial.store.summary.tables) {
    const list = await trial.store.list([table], { sort: "table" });
    const kept = await list.texts(0, list.total);
    const deleted = await trial.store.list([table], { sort: "table", filters: { deleted: true } });
    tables.push([table, kept.map((row) => row.text), deleted.total]);
  }
  return tables;
}"""


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def tab(request: pytest.FixtureRequest) -> Iterator[Tab]:
    if request.param == "firefox":
        with firefox() as driven:
            yield driven
    else:
        with chromium() as browser:
            yield PlaywrightTab(browser)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    plain, sealed = folder / "plain.mana", folder / "sealed.mana"
    example.write(plain, example.example())
    example.write(sealed, example.example(), passphrase=example.PASSPHRASE)
    damaged, tampered = folder / "damaged.mana", folder / "tampered.mana"
    content = bytearray(sealed.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    tampered.write_bytes((HOSTILE / "outer-user.mana").read_bytes())
    return {"plain": plain, "sealed": sealed, "damaged": damaged, "tampered": tampered}


@pytest.fixture
def page(tab: Tab, tmp_path: Path) -> Tab:
    """A page without an archive, freshly loaded."""
    write_trial(tmp_path / "page.html")
    tab.requests.clear()
    tab.errors.clear()
    tab.open(tmp_path / "page.html")
    return tab


def carrying(tab: Tab, folder: Path, archive: Path) -> Tab:
    write_trial(folder / "carrying.html", archive)
    tab.open(folder / "carrying.html")
    return tab


def only_itself(requests: list[str]) -> bool:
    """Whether a page asked for nothing but itself and the worker that it made."""
    return all(address.startswith(("file:///", "blob:null/", "data:")) for address in requests)


def test_hostile_archives_get_the_verdicts_of_their_index(page: Tab) -> None:
    cases = some(hostile_cases(), of=3)
    results = page.call(READ, *asked([(HOSTILE / case["file"], case.get("passphrase")) for case in cases]))
    assert differing(cases, results) == []


@pytest.mark.parametrize("kind", ["plain", "sealed"])
def test_every_row_is_the_one_that_the_archive_has(
    tab: Tab, tmp_path: Path, archives: dict[str, Path], kind: str
) -> None:
    carrying(tab, tmp_path, archives[kind])
    opened = tab.call(OPEN, ["wrong", example.PASSPHRASE])
    assert opened["summary"]["sealed"] is (kind == "sealed")
    assert [wrong for _, wrong in opened["asked"]] == ([False, True] if kind == "sealed" else [])
    with open_archive(archives[kind], lambda: example.PASSPHRASE) as archive:
        expected = {table: [row.line.decode() for row in archive.rows(table)] for table in archive.tables}
    found = {table: (texts, deleted) for table, texts, deleted in tab.call(ALL_ROWS)}
    assert found.keys() == expected.keys()
    for table, (texts, deleted) in found.items():
        assert set(texts) <= set(expected[table])
        assert len(texts) + deleted == len(expected[table]), table
    report = tab.call("async () => trial.store.verify()")
    assert (report["whole"], report["problems"]) == (True, [])


def test_lists_and_rows_of_what_lies_in_memory_show_what_was_read_by_now(page: Tab, tmp_path: Path) -> None:
    rows: list[example.Row] = [
        {"id": f"{n:05}", "title": f"Notiz {n}", "content": "Wort " * 200} for n in range(20_000)
    ]
    example.write(tmp_path / "large.mana", {"notes": rows}, passphrase=example.PASSPHRASE)
    page.choose("#choose", tmp_path / "large.mana")
    page.call(OPEN, [example.PASSPHRASE])
    first, row, whole, again = page.call("""async () => {
      const first = await trial.store.list(["notes"], { patience: 0 });
      const row = await trial.store.row("notes", 0, 0);
      const whole = await trial.store.list(["notes"]);
      const again = await trial.store.row("notes", 0);
      const told = ({ complete, item, history }) => [complete, item.title, history !== null];
      return [[first.complete, first.total], told(row), [whole.complete, whole.total], told(again)];
    }""")
    assert first[0] is False, "a worker that never waits hears no timer"
    assert first[1] < whole[1] == len(rows)
    assert whole[0] is True
    assert row == [False, "Notiz 0", False], "nobody waits for 20,000 rows to read one"
    assert again == [True, "Notiz 0", True]


@pytest.mark.parametrize(
    ("kind", "passphrases", "verdict", "times_asked"),
    [
        ("sealed", ["wrong", "wrong again"], "needsPassphrase", 3),
        ("damaged", [example.PASSPHRASE], "damaged", 0),
        ("tampered", ["correct horse battery staple"], "tampered", 1),
    ],
)
def test_the_three_ways_of_wrong_are_told_apart(
    page: Tab, archives: dict[str, Path], kind: str, passphrases: list[str], verdict: str, times_asked: int
) -> None:
    page.choose("#choose", archives[kind])
    answer = page.call(OPEN, passphrases)
    assert answer["verdict"] == verdict
    assert len(answer["asked"]) == times_asked, "damage is told before anybody is asked for a passphrase"


def test_A7_nothing_leaves_and_nothing_runs_but_the_page(tab: Tab, tmp_path: Path, archives: dict[str, Path]) -> None:
    tab.requests.clear()
    tab.errors.clear()
    carrying(tab, tmp_path, archives["plain"])
    tab.call(OPEN, [])
    assert tab.call("async () => (await trial.store.search('Garten')).ready || true")
    assert tab.errors == []
    assert only_itself(tab.requests), tab.requests
    outcome: Any = tab.call(
        """async () => {
          const tried = {};
          tried.fetch = await fetch("https://example.org/").then(() => "left", () => "blocked");
          const script = document.createElement("script");
          try { script.textContent = "globalThis.ran = true"; document.body.append(script); } catch {}
          tried.script = globalThis.ran ? "ran" : "blocked";
          const link = document.createElement("a");
          try { link.setAttribute("onclick", "globalThis.clicked = true"); document.body.append(link); } catch {}
          link.click();
          tried.handler = globalThis.clicked ? "ran" : "blocked";
          const image = new Image();
          tried.image = await new Promise((done) => {
            image.onload = () => done("left");
            image.onerror = () => done("blocked");
            image.src = "https://example.org/pixel.gif";
          });
          return [tried, trial.violations];
        }"""
    )
    tried, violations = outcome
    assert set(tried.values()) == {"blocked"}, tried
    assert {"connect-src", "img-src"} <= set(violations)


def test_the_work_is_done_in_a_worker_and_without_one_in_the_page(
    tab: Tab, tmp_path: Path, archives: dict[str, Path]
) -> None:
    carrying(tab, tmp_path, archives["plain"])
    in_worker, in_page = tab.call(
        """async () => {
          const { given, Store } = trial;
          let workers = 0;
          const Real = globalThis.Worker;
          globalThis.Worker = class extends Real { constructor(url) { super(url); workers += 1; } };
          const first = await Store.open(given.archive, { modules: given.modules, code: given.code });
          globalThis.Worker = class { constructor() { throw new DOMException("no", "SecurityError"); } };
          const second = await Store.open(given.archive, { modules: given.modules, code: given.code });
          const tables = first.summary.tables.map(({ table }) => table);
          const counts = [];
          for (const store of [first, second]) {
            await store.index();
            counts.push([(await store.list(tables)).total, (await store.search("Garten")).total]);
            store.forget();
          }
          globalThis.Worker = Real;
          return [[workers, ...counts[0]], counts[1]];
        }"""
    )
    assert in_worker[0] == 1
    assert in_worker[1:] == in_page
    assert min(in_page) > 0


def test_what_was_forgotten_answers_nobody(tab: Tab, tmp_path: Path, archives: dict[str, Path]) -> None:
    carrying(tab, tmp_path, archives["plain"])
    tab.call(OPEN, [])
    answer = tab.call(
        """async () => {
          const waiting = trial.store.index();
          trial.store.forget();
          const late = trial.store.activity();
          return Promise.all([waiting, late].map((each) => each.then(() => "answered", (error) => error.name)));
        }"""
    )
    assert answer == ["AbortError", "AbortError"]


def test_the_vectors_of_the_web_app_open(page: Tab) -> None:
    sealed = VECTORS / "archives" / "sealed-pw-umlaut.mana"
    result = page.call(READ, *asked([(sealed, "Überraschung-größer-ß"), (sealed, "Überraschung-größer-ß".upper())]))
    assert [each["exit"] for each in result] == [0, 12]
