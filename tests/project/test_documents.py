"""What CONTRIBUTING and the architecture's page name is there: paths, targets, modules, chapters, floors, decisions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DOCUMENTS = [CONTRIBUTING, ARCHITECTURE]
TO_BE_MADE = "(*to be made*)"


def _spans(document: Path) -> Iterator[tuple[str, bool]]:
    """What stands in backquotes outside of fenced blocks, and whether it is said not to be there yet."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for found in re.finditer(r"`([^`]+)`", text):
        yield found[1], text[found.end() :].lstrip().startswith(TO_BE_MADE)


def _commands(document: Path) -> Iterator[str]:
    """Lines of its fenced blocks, and commands in its sentences."""
    for block in re.findall(r"^```sh\n(.*?)^```", document.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        yield from (line.partition("#")[0].strip() for line in block.splitlines())
    yield from (span for span, _ in _spans(document) if span.startswith(("make ", "python -m ")))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_is_named_is_there(document: Path) -> None:
    top = {path.name for path in ROOT.iterdir()}
    named = [(span, absent) for span, absent in _spans(document) if " " not in span and span.split("/")[0] in top]
    assert len(named) > 20
    for path, to_be_made in named:
        assert (ROOT / path).exists() is not to_be_made, path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", document.read_text("utf-8"))
    assert links
    for link in links:
        path, _, chapter = link.partition("#")
        target = document.parent / path
        assert target.exists(), link
        titles = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
        assert not chapter or chapter in {title.lower().replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_chapter_and_contract_in_quotes_is_there(document: Path) -> None:
    sources = ("pyproject.toml", "formats/mana-v2.md", "CHANGELOG.md")
    everything = "".join((ROOT / name).read_text("utf-8") for name in sources)
    for title in re.findall(r'"([^"\n]+)"', document.read_text("utf-8")):
        assert re.search(rf'(?m)^#+ {re.escape(title)}|^id = "{re.escape(title)}"', everything), title


def test_every_command_that_contributing_names_can_be_called() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = list(_commands(CONTRIBUTING))
    assert len(commands) > 10
    for command in commands:
        program, *words = command.split()
        if program == "make":
            assert words[0] in targets, command
        elif program.endswith("python") and words[:2] != ["-m", "pytest"]:
            assert words[0] == "-m", command
            assert find_spec(words[1]) is not None, command
        else:
            paths = [word for word in words[2:] if word.startswith("tests/")]
            assert program.endswith("python"), command
            assert all((ROOT / path).exists() for path in paths), command


def test_the_floors_are_drawn_as_the_contract_holds_them() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (floors,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    drawing = ARCHITECTURE.read_text("utf-8").split("```")[1]
    drawn = [line.split("   ")[0] for line in drawing.strip().splitlines()]
    assert [_rooms(line) for line in drawn] == [_rooms(layer.replace("manabackup.", "")) for layer in floors]
    described = set(re.findall(r"^\| `manabackup/(\w+)/`", ARCHITECTURE.read_text("utf-8"), re.MULTILINE))
    packages = {path.parent.name for path in (ROOT / "manabackup").glob("*/__init__.py")}
    assert described == packages


def test_every_use_case_is_in_the_contracts_and_in_the_architecture() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    listed = {contract["id"]: contract.get("modules", contract.get("forbidden_modules")) for contract in contracts}
    rooms = {path.parent.name for path in (ROOT / "manabackup" / "operations").glob("*/__init__.py")}
    use_cases = {f"manabackup.operations.{room}" for room in rooms - {"account", "files"}}
    for contract in ("use-cases", "account", "files"):
        assert set(listed[contract]) == use_cases, contract
    (row,) = re.findall(r"^\| `manabackup/operations/` \|(.*)", ARCHITECTURE.read_text("utf-8"), re.MULTILINE)
    assert rooms <= set(re.findall(r"`(\w+)`", row))


def _rooms(line: str) -> set[str]:
    return set(re.findall(r"\w+", line))


def test_every_decision_is_listed_and_the_architecture_links_with_its_number() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    listed = re.findall(r"^\* \[(\d{4})\]\(([\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [name for _, name in listed] == files
    assert all(name.startswith(number) for number, name in listed)
    for number, name in re.findall(r"\[(\d+)\]\(decisions/([\w-]+\.md)\)", ARCHITECTURE.read_text("utf-8")):
        assert int(name[:4]) == int(number)
