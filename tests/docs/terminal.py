"""A person at a terminal: types commands and answers questions, and sees one stream of text."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from manabackup.sandbox.population import Account, populate
from tests.support import screen
from tests.support.patience import PATIENCE

from .documents import ROOT, Shown

PASSPHRASE = "vier Dutzend blaue Gießkannen"
_VARYING = (
    # What differs from run to run or between libraries that deflate, written as zeros and alike.
    (re.compile(r"\b\d{4}-\d\d-\d\d([T ])\d\d:\d\d(:\d\d(\.\d+)?(Z|\+00:00)?| UTC)"), "0000-00-00 00:00"),
    (re.compile(r"(?:\b[A-Z][a-z]{2} )?\b\d{4}-\d\d-\d\d \d\d:\d\d\b"), "0000-00-00 00:00"),
    (re.compile(r"[\d,]+ bytes\b"), "0 bytes"),
    (re.compile(r"(?<=  bytes  )[\d,]+"), "0"),
    (re.compile(r"\b\d+\.\d MiB\b"), "0 MiB"),
    (re.compile(r'"bytes": ?\d+'), '"bytes": 0'),
    (re.compile(r"(?<=[ /])(backup|mana)-\d{4}-\d\d-\d\d\b"), r"\1-0000-00-00"),
    (re.compile(r"\b[0-9a-f]{32}(?=\.sqlite)"), "0"),
)


@dataclass
class Person:
    """Sits at a home of their own, where ``docs`` is this project's, with an account on the embedded servers.

    The secrets lie there in files of their names.
    """

    home: Path
    account: Account
    environ: dict[str, str]
    answers: dict[str, str]
    addresses: dict[str, str]
    """What stands in the documents in place of the embedded servers' addresses."""
    seen: list[str] = field(default_factory=list)

    @property
    def constants(self) -> str:
        """The servers' addresses, as a script may hold them."""
        auth_url, sync_url = self.addresses
        return f"AUTH_URL, SYNC_URL = {auth_url!r}, {sync_url!r}"

    def types(self, command: str) -> str:
        """Runs a command and gives what the terminal shows, the command's end included if it failed."""
        ours, theirs = screen.open_terminal(50, 200)
        process = screen.start_at(theirs, ["bash", "-o", "pipefail", "-c", command], self.environ, folder=self.home)
        try:
            shown = screen.all_shown(ours, self._answer)
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        for address, name in self.addresses.items():
            shown = shown.replace(address, name)
        shown = shown.replace(str(self.home), "/home/anna")
        self.seen.append(shown)
        return shown

    def _answer(self, shown: str) -> str | None:
        return next((answer for question, answer in self.answers.items() if shown.endswith(question)), None)


def without_varying(text: str) -> str:
    """A text in which times, sizes and the like are all the same."""
    for pattern, plain in _VARYING:
        text = pattern.sub(plain, text)
    return text


def find_differences(person: Person, shown: Sequence[Shown]) -> Iterator[str]:
    """Types the commands of a document, and gives what differs from what stands there."""
    for one in shown:
        if not_installed(one.command):
            continue
        output = person.types(one.command)
        if not as_promised(output, one.output):
            yield f"$ {one.command}\n{output}--- promised:\n{one.output}"


def not_installed(command: str) -> list[str]:
    """The programs of a command that come with no Python and are not there."""
    return [word for word in ("jq", "unzip", "sha256sum") if word in command and shutil.which(word) is None]


def as_promised(output: str, promise: str) -> bool:
    """Whether an output is what a document shows; a line ``…`` there stands for any lines."""
    parts = [re.escape(part) for part in re.split(r"^…\n", without_varying(promise), flags=re.MULTILINE)]
    return re.fullmatch("(?:.*\n)*?".join(parts), without_varying(output)) is not None


def person(box: Sandbox, home: Path, *, environ: Mapping[str, str] = {}) -> Person:
    """Anna, with an account of 500 rows, always the same."""
    account = populate(box.log, box.accounts, Plan(seed=1, rows=500))
    auth_url = box.url.replace("127.0.0.1", "localhost")  # so that the two servers can be told apart
    box.accounts.issuer = auth_url
    (home / "docs").symlink_to(ROOT / "docs")
    assert account.recovery_code is not None
    secrets = {
        "token": box.accounts.issue_token(account.user_id),
        "recovery-code": account.recovery_code,
        "passphrase": PASSPHRASE,
        "password": account.password,
    }
    secrets["bert.key"] = bytes(range(32)).hex()
    for name, secret in secrets.items():
        (home / name).write_text(secret + "\n", "utf-8")
        (home / name).chmod(0o600)
    return Person(
        home,
        account,
        {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "MANABACKUP_AUTH_URL": auth_url,
            "MANABACKUP_SYNC_URL": box.url,
            "MANABACKUP_NO_PROGRESS": "1",
            **environ,
        },
        {
            "e-mail address: ": account.email,
            "password: ": account.password,
            "recovery code: ": account.recovery_code,
            "passphrase: ": PASSPHRASE,
            "passphrase, once more: ": PASSPHRASE,
            "passphrase of some.sealed.mana: ": PASSPHRASE,
        },
        {auth_url: "https://auth.mana.how", box.url: "https://sync.mana.how"},
    )


def new_account(box: Sandbox, anna: Person) -> None:
    """Another account of Anna's, empty as on its first day: its secrets lie in files that begin with ``new-``."""
    user_id, space_id = ("New" * 11)[:32], ("NewSpace" * 3)[:21]
    password = anna.account.password
    user = box.accounts.create_user("neu@example.org", password, "Anna Neu", user_id=user_id, space_id=space_id)
    code = box.accounts.set_vault(user.id, "zero-knowledge", bytes(range(64, 96)))
    assert code is not None
    for name, secret in {"new-recovery-code": code, "new-token": box.accounts.issue_token(user.id)}.items():
        (anna.home / name).write_text(secret + "\n", "utf-8")
        (anna.home / name).chmod(0o600)
    anna.answers["recovery code of the target account: "] = code
    anna.answers["? Type yes to go on: "] = "yes"


def learner(box: Sandbox, home: Path) -> Person:
    """Anna, as she goes through the tutorials: with a second account, and at her home the program and her secrets."""
    anna = person(box, home)
    new_account(box, anna)
    programs, secrets = home / ".local" / "bin", home / ".secrets"
    for place in (programs, secrets):
        place.mkdir(parents=True, mode=0o700)
    (programs / "manabackup").symlink_to(Path(sys.executable).with_name("manabackup"))
    anna.environ["PATH"] = os.pathsep.join([str(programs), anna.environ["PATH"]])
    for name in ("passphrase", "recovery-code"):
        shutil.copy(home / name, secrets)
    return anna
