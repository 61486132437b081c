"""Secrets are where their owner put them and nowhere else; what is to be sealed is not on the disk in clear."""

from __future__ import annotations

import base64
import hashlib
import re
import signal
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from manabackup.crypto.recovery import parse_recovery_code
from manabackup.sandbox import Asked, Sandbox
from manabackup.sandbox.credentials import totp
from manabackup.sandbox.plan import Plan
from manabackup.text import jsontext
from tests.support.homes import PASSPHRASE, Computer, Owner, entry, move_in
from tests.support.line import Line
from tests.support.patience import PATIENCE


@pytest.fixture(scope="module")
def owner(box: Sandbox) -> Owner:
    """An account of some megabytes, so that an export cannot be held in memory alone."""
    return move_in(box, Plan(seed=9, rows=250, row_bytes=120_000, edits=0, plaintext=0, tables=["notes"]))


def _spellings(secret: str | bytes) -> set[bytes]:
    """A secret as it is, in hexadecimal and in base64."""
    raw = secret.encode() if isinstance(secret, str) else secret
    encoded = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    return {raw, raw.hex().encode(), raw.hex().upper().encode(), *encoded, *(text.rstrip(b"=") for text in encoded)}


@dataclass
class Watch:
    """Runs commands and keeps all that anybody else could see of them."""

    computer: Computer
    seen: dict[str, bytes] = field(default_factory=dict)
    arguments: set[bytes] = field(default_factory=set)

    def __call__(self, *arguments: str, **env: str) -> int:
        process = subprocess.Popen(
            [*self.computer.program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**self.computer.environ, **env},
        )
        while True:
            self._look(process.pid)
            try:
                out, err = process.communicate(timeout=0.02)
                break
            except subprocess.TimeoutExpired:
                continue
        name = " ".join(arguments)
        self.seen[f"{name}: stdout"] = out
        self.seen[f"{name}: stderr"] = err
        return process.returncode

    def _look(self, process: int) -> None:
        """Command lines of the process and of its children, as ``ps`` shows them to everybody."""
        with suppress(OSError):  # it has ended
            self.arguments.add(Path(f"/proc/{process}/cmdline").read_bytes())
            for task in Path(f"/proc/{process}/task").iterdir():
                for child in (task / "children").read_text().split():
                    self._look(int(child))


def test_L5_no_secret_is_in_any_output_argument_or_file(box: Sandbox, line: Line, tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home", box.url)
    given = tmp_path / "given"
    given.mkdir(mode=0o700)
    account = move_in(box, Plan(seed=10, rows=60), email="two-factors@example.org").account
    seed, _ = box.accounts.enable_totp(account.user_id)
    code = str(account.recovery_code)
    secrets = {
        "password": account.password,
        "recovery code": code,
        "recovery code without dashes": code.replace("-", "").lower(),
        "recovery secret": parse_recovery_code(code),
        "master key": account.master_key,
        "passphrase": PASSPHRASE,
        "second factor": seed,
    }

    def put(name: str, content: str | bytes) -> str:
        path = given / name
        path.write_bytes(content.encode() + b"\n" if isinstance(content, str) else content)
        path.chmod(0o600)
        return str(path)

    password, recovery, phrase = put("pw", account.password), put("rc", code), put("pp", PASSPHRASE)
    key, stale = put("key", account.master_key), put("stale", box.accounts.issue_token(account.user_id, lifetime=-5))
    wrong = put("wrong", "not-the-right-one")
    secrets |= {"wrong guess": "not-the-right-one", "stale token": Path(stale).read_text().strip()}
    plain, sealed, again = (str(computer.home / name) for name in ("plain.mana", "sealed.mana", "again.mana"))
    run = Watch(computer)
    unlock = ["--recovery-code-file", recovery]
    login = ["login", "--email", account.email, "--totp-file", put("totp", totp(seed, time.time())), "-vv"]
    assert run(*login, "--password-file", wrong) == 13
    assert run(*login, "--password-command", f"cat {password}") == 0
    assert run("status", "-vv", "--json") == 0
    assert run("pull", "-vv", "--json") == 0
    assert run("pull", "-vv", "--token-file", stale) == 13
    assert run("export", "-o", plain, *unlock, "-vv") == 0
    assert run("export", "-o", sealed, "--seal", "--passphrase-file", phrase, "-vv", MANABACKUP_RECOVERY_CODE=code) == 0
    assert run("export", "-o", again, "--offline", "--key-file", key, "--json", "-vv") == 0
    assert run("export", "-o", again, "--offline", "--force", "--key-file", wrong, "-vv") == 12
    assert run("export", "-o", again, "--offline", "--force", "--recovery-code-file", wrong, "-vv") == 12
    with line.answering(lambda method, target: (503, b"later", {"Retry-After": "86400"})):
        assert run("export", "-o", again, "--force", "-vv", *unlock) == 14
    for command in (["info"], ["verify"]):
        assert run(*command, sealed, "--passphrase-file", phrase, "-vv", "--json") == 0
        assert run(*command, sealed, "--passphrase-file", wrong, "-vv") == 12
    assert run("cat", sealed, "tasks", MANABACKUP_PASSPHRASE=PASSPHRASE) == 0
    assert run("unseal", sealed, "-o", again, "--force", "--passphrase-command", f"cat {phrase}", "-vv") == 0
    assert run("seal", plain, "-o", again, "--force", "--passphrase-file", phrase, "-vv", "--private") == 0
    other = move_in(box, Plan(seed=11, rows=5), email="other@example.org").account
    other_code, other_token = str(other.recovery_code), box.accounts.issue_token(other.user_id)
    secrets |= {"other code": other_code, "other key": other.master_key, "other token": other_token}
    to = ["--to-token-file", put("to-token", other_token), "--to-recovery-code-file", put("to-code", other_code)]
    clear = str(computer.home / "clear.mana")
    opening = ["--passphrase-file", phrase]
    # Fields of other members do not open, and stay behind when an archive is made for somebody else.
    assert run("rekey", sealed, "-o", clear, *opening, "--to-key-file", put("to-key", other.master_key), "-vv") == 3
    assert run("rekey", sealed, "-o", clear, "--force", *opening, *to, "-vv", "--json") == 3
    assert run("rekey", sealed, "-o", clear, "--force", *opening, "--to-key-file", wrong, "-vv") == 12
    assert run("diff", sealed, plain, *opening, "-vv", "--values") == 0
    assert run("diff", plain, "--live", *unlock, "-vv") == 0
    assert run("roundtrip", sealed, *opening, "-vv") == 4  # they stay behind there, too
    assert run("restore", sealed, *opening, *to, "--dry-run", "-vv", "--json") == 3
    assert run("restore", sealed, *opening, *to, "--yes", "-vv") == 3
    assert run("audit", *unlock, "--full", "--sarif", str(computer.home / "audit.sarif"), "-vv", "--json") == 4
    assert run("audit", "--recovery-code-file", wrong, "-vv") == 12
    assert run("audit", "--fix-plaintext", "--dry-run", "--key-file", key, "-vv") == 4
    assert run("audit", "--fix-plaintext", "--yes", *unlock, "-vv") == 4
    session = (computer.state / "profiles" / "default" / "session.json").read_bytes()
    cookie = jsontext.parse(session)["cookie"].partition("=")[2]
    held = {str(path): path.read_bytes() for path in computer.files()}
    assert run("logout", "-vv") == 0

    tokens = {f"token {number}": token for number, token in enumerate(sorted(line.tokens))}
    assert tokens
    places = run.seen | held | {"arguments": b"\0".join(run.arguments)}
    assert len(places) > 40
    for name, secret in {**secrets, "cookie": cookie, **tokens}.items():
        for spelling in _spellings(secret):
            found = {place for place, content in places.items() if spelling in content}
            # Without a keyring the session's cookie is kept in a file of its owner's.
            found -= {str(computer.state / "profiles" / "default" / "session.json")} if name == "cookie" else set()
            assert not found, name
    assert any(b"cat" in line for line in run.arguments), "the watch saw no child: it would see no secret either"
    for path in [*computer.files(), *(path for path in computer.state.rglob("*") if path.is_dir())]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


# --- what is sealed ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def phrases(owner: Owner, box: Sandbox) -> Sequence[bytes]:
    """Stretches of private fields that the server holds as ciphertext alone, from all over the account."""
    texts: set[str] = set()
    for row in owner.truth.all_rows:
        if row.state == "live":
            for name in (row.table.encrypted & row.values.keys()) - row.plain - row.foreign:
                if isinstance(row.values[name], str):
                    texts.update(re.findall(r"[\w ,]{24,60}", row.values[name])[:1])
    account = owner.account
    seen = box.log.read_app("notes", Asked(account.user_id, account.shared_spaces, "", 0, 10**6))
    stored = b"".join(row.wire() for row in seen)
    some = [text.encode() for text in sorted(texts)[:: max(1, len(texts) // 20)]]
    return tuple(text for text in some if text not in stored)


def _open_files(process: int) -> Iterator[tuple[str, bytes]]:
    """Everything that a stopped process has open, also what has no name any more."""
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            if stat.S_ISREG(link.stat().st_mode):
                yield str(link.readlink()), link.read_bytes()


def _stopped_now_and_then(process: subprocess.Popen[str]) -> Iterator[dict[str, bytes]]:
    """What it has open, each time that it has worked a little, until it is at its end; it stands still meanwhile."""
    worked = 0
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            return
        # By its own time, and not by ours: a busy machine makes it stop no more often.
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        if (ticks := int(fields[11]) + int(fields[12])) < worked + 5:
            continue
        worked = ticks
        process.send_signal(signal.SIGSTOP)
        try:
            yield dict(_open_files(process.pid))
        finally:
            process.send_signal(signal.SIGCONT)


def _holds_any(phrases: Iterable[bytes], content: bytes) -> list[bytes]:
    return [phrase for phrase in phrases if phrase in content]


class _Search:
    """For phrases in contents, most of which are the same at each look: those are searched once."""

    def __init__(self, phrases: Iterable[bytes]) -> None:
        self._phrases = list(phrases)
        self._free: set[bytes] = set()
        """Digests of contents that hold none."""

    def finds(self, content: bytes) -> list[bytes]:
        digest = hashlib.sha256(content).digest()
        found = [] if digest in self._free else _holds_any(self._phrases, content)
        if not found:
            self._free.add(digest)
        return found


@pytest.mark.parametrize("offline", [True, False], ids=["offline", "online"])
def test_L6_nothing_private_is_on_the_disk_while_a_sealed_export_runs(
    stocked: Computer, pulled: Computer, phrases: Sequence[bytes], offline: bool
) -> None:
    assert len(phrases) >= 10
    data = entry(pulled.archive, "account/data.json")
    everything = entry(pulled.archive, "data/notes.jsonl")
    assert _holds_any(phrases, everything) == list(phrases)
    phrases = (*phrases, data[: len(data) // 2][-60:])
    search = _Search(phrases)
    stocked.archive.parent.mkdir()
    arguments = ["export", "--seal", "--force", "-o", str(stocked.archive), *(["--offline"] if offline else [])]
    looks = anonymous = 0
    # When it has a file without a name is its own affair: it is run until it was looked at in time.
    while looks < 3 or not anonymous:
        process = stocked.start(*arguments)
        for places in _stopped_now_and_then(process):
            looks += 1
            anonymous += any(place.endswith("(deleted)") for place in places)
            places |= {str(path): _content(path) for path in stocked.files()}
            for place, content in places.items():
                assert not search.finds(content), place
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        assert looks < 1_000, "nothing is ever set aside: the account is too small for this test"
    for path in stocked.files():
        assert not _holds_any(phrases, path.read_bytes()), path


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # gone since it was listed
        return b""


@pytest.mark.parametrize("command", ["seal", "unseal", "verify"])
def test_L6_nothing_private_of_a_sealed_archive_is_on_the_disk_but_where_it_was_asked_for(
    stocked: Computer, pulled: Computer, phrases: Sequence[bytes], command: str, tmp_path: Path
) -> None:
    sealed = tmp_path / "sealed.mana"
    assert stocked("seal", str(pulled.archive), "-o", str(sealed)).code == 0
    out = tmp_path / "result" / "out.mana"
    out.parent.mkdir()
    source = pulled.archive if command == "seal" else sealed
    search = _Search(phrases)
    process = stocked.start(command, str(source), *(["-o", str(out)] if command != "verify" else []))
    for places in _stopped_now_and_then(process):
        for place, content in places.items():
            assert place == str(pulled.archive) or not search.finds(content), place
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    names = {path.name for path in tmp_path.rglob("*.mana")}
    assert names == {"sealed.mana"} | ({"out.mana"} if command != "verify" else set())


def test_L5_a_crash_writes_no_core_and_no_names_of_values(stocked: Computer) -> None:
    process = stocked.start("export", "--offline", "-o", str(stocked.home / "a.mana"))
    limits = Path(f"/proc/{process.pid}/limits")
    deadline = time.monotonic() + PATIENCE
    # The first lines of the program set it, after the interpreter's own start.
    while not re.search(r"Max core file size +0 ", limits.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.send_signal(signal.SIGABRT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (-signal.SIGABRT, "", "")
    assert not [path for path in stocked.files() if path.name.startswith("core")]
