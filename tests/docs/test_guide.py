"""The guide: its commands and scripts are run, and its tables held against the program."""

from __future__ import annotations

import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.operations.account import settings
from manabackup.rows.completeness import LOSSES
from manabackup.sandbox import Sandbox

from .documents import GUIDE, ROOT, blocks, shown_commands
from .terminal import Person, find_differences, person

TEXT = GUIDE.read_text("utf-8")
NIGHTLY, IN_CI = blocks(GUIDE, "sh")
(CONFIG,) = blocks(GUIDE, "toml")
PROGRAM = "/home/anna/.local/bin/manabackup"
LIKE_CRON = "env PATH=/usr/bin:/bin"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture(scope="module")
def anna(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(box, tmp_path_factory.mktemp("home"))


def test_every_command_does_what_the_guide_shows(anna: Person) -> None:
    assert list(find_differences(anna, shown_commands(GUIDE))) == [], "if that is meant: python -m tests.docs"


@pytest.fixture
def backups(anna: Person) -> Path:
    """The folder of the nightly script, which is set up and has its secrets."""
    script, backups, secrets = (anna.home / name for name in ("backup-mana", "backups", ".secrets"))
    assert PROGRAM in NIGHTLY
    script.write_text(NIGHTLY.replace(PROGRAM, str(Path(sys.executable).with_name("manabackup"))), "utf-8")
    script.chmod(0o700)
    for folder in (backups, secrets):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for name in ("recovery-code", "passphrase"):
        (secrets / name).symlink_to(anna.home / name)
    login = "manabackup login --force --email anna@example.org --password-file password --quiet >/dev/null"
    assert anna.types(login) == ""
    return backups


def test_the_nightly_script_makes_one_sealed_archive_a_day_and_is_silent(anna: Person, backups: Path) -> None:
    export = "manabackup export --seal -q --recovery-code-file recovery-code --passphrase-file passphrase"
    for name, hour in (("noon", 43_200), ("tea", 57_600), ("evening", 72_000)):
        anna.types(f"SOURCE_DATE_EPOCH={1_767_225_600 + hour} {export} -o backups/mana-{name}.mana 2>/dev/null >&2")
    assert anna.types(f"{LIKE_CRON} ./backup-mana; echo $?") == "0\n"
    assert anna.types(f"{LIKE_CRON} ./backup-mana; echo $?") == "0\n"
    archives = {path.name for path in backups.iterdir()}
    kept = {"mana-noon.mana", "mana-evening.mana"}  # the oldest of all, and the newest of its day
    assert kept <= archives
    (new,) = archives - kept
    assert stat.S_IMODE((backups / new).stat().st_mode) == 0o600
    assert "sealed  yes" in anna.types(f"manabackup info backups/{new}")


@pytest.mark.usefixtures("backups")
def test_the_nightly_script_ends_as_the_program_does(anna: Person) -> None:
    (anna.home / ".secrets" / "recovery-code").unlink()
    assert anna.types(f"{LIKE_CRON} ./backup-mana; echo $?").endswith("explains it\n10\n")


def test_the_script_for_ci_needs_nothing_but_variables(anna: Person) -> None:
    folder = anna.home / "ci"
    folder.mkdir()
    (folder / "script").write_text(f"set -e\n{IN_CI}", "utf-8")
    variables = {
        "MANABACKUP_EMAIL": anna.account.email,
        "MANABACKUP_STATE_DIR": str(folder / "state"),
        **{
            f"MANABACKUP_{name.upper().replace('-', '_')}": (anna.home / name).read_text("utf-8").rstrip("\n")
            for name in ("password", "recovery-code", "passphrase")
        },
    }
    anna.environ |= variables
    try:
        shown = anna.types("cd ci && sh script && manabackup info --json backup.mana | jq -M .sealed")
    finally:
        for name in variables:
            del anna.environ[name]
    assert "signed in as" in shown
    assert "signed out" in shown
    assert shown.endswith("\ntrue\n")


def test_the_settings_in_the_guide_are_those_of_the_program() -> None:
    table = TEXT[TEXT.index("| option | variable |") : TEXT.index("S is one of")]
    keys = set(re.findall(r"`([a-z-]+)`(?:, at the top|, in seconds|: where .*?)? \|$", table, re.MULTILINE))
    assert keys == {*settings.TEXTS, *settings.SWITCHES, "verbose", "wait", "profile"}
    variables = set(re.findall(r"`MANABACKUP_([A-Z_]+)`", table)) - {"S", "S_FILE", "S_COMMAND"}
    assert variables == {key.upper().replace("-", "_") for key in keys} | {"CONFIG"}
    named = re.search(r"S is one of (.*?)\.", TEXT, re.DOTALL)
    assert named is not None
    assert tuple(re.findall(r"`([a-z-]+)`", named[1])) == settings.SECRETS


def test_the_example_of_a_configuration_file_is_understood(anna: Person) -> None:
    (anna.home / "config.toml").write_text(CONFIG, "utf-8")
    shown = anna.types("env -u MANABACKUP_AUTH_URL manabackup --config config.toml --profile work status")
    assert "https://auth.work.example" in shown
    assert "https://sync.mana.how" in shown, "the environment wins over the profile"


def test_every_kind_of_loss_is_explained() -> None:
    assert set(re.findall(r"^\| `([a-z]\w+)` \| .+ \| .+ \|$", TEXT, re.MULTILINE)) == LOSSES


def test_every_link_leads_to_a_file() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_link_to_a_heading_finds_it() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", document.read_text("utf-8")):
            headings = re.findall(
                r"^#+ (.+)$", (document.parent / target if target else document).read_text("utf-8"), re.M
            )
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{document.name}: #{anchor}"


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(file.name for file in folder.glob("0*.md"))
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    index = (folder / "README.md").read_text("utf-8")
    for name in files:
        number, _, title = (folder / name).read_text("utf-8").partition("\n")[0].removeprefix("# ").partition(". ")
        assert f"* [{int(number):04}]({name}): {title}\n" in index
