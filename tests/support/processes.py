"""The command line in processes of its own, with a home of its own and, where asked for, a terminal.

They are forks of a warm process where that makes no difference (``forks``), and ``cold`` ones are started as users do.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from manabackup.text import jsontext
from tests.support.patience import PATIENCE

from . import forks, screen

TRIAL = [sys.executable, str(Path(__file__).parents[1] / "cli" / "trial_commands.py")]
MANABACKUP = [sys.executable, "-m", "manabackup"]
PASSWORD = "Straße hunter2 "


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def record(self) -> jsontext.JSON:
        """The one JSON object on the standard output."""
        (line,) = self.out.splitlines()
        return jsontext.parse(line)


class CommandLine:
    """Runs a program under a home folder and an environment without our variables."""

    def __init__(self, home: Path, program: Sequence[str] = MANABACKUP, *, cold: bool = False) -> None:
        self.home = home
        self.cold = cold
        self.program = list(program)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("MANABACKUP_")}
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "NO_COLOR"):
            self.environ.pop(name, None)
        self.environ |= {"HOME": str(home), "TERM": "xterm", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}

    def at(self, url: str) -> CommandLine:
        """With the servers at one address, and a state folder of its own."""
        self.environ |= {f"MANABACKUP_{name}_URL": url for name in ("AUTH", "SYNC", "CREDITS")}
        self.environ["MANABACKUP_STATE_DIR"] = str(self.home / "state")
        return self

    def __call__(self, *arguments: str, env: Mapping[str, str] = {}, stdin: str = "") -> Finished:
        command, environ = [*self.program, *arguments], {**self.environ, **env}
        if not self.cold and forks.can_fork(command, environ):
            code, out, err = forks.run(command, environ, stdin.encode(), PATIENCE)
            return Finished(code, _text(out), _text(err))
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=PATIENCE,
            start_new_session=True,  # no terminal to ask at
            env=environ,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, env: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        """A process that goes on; its outputs are pipes."""
        return subprocess.Popen(
            [*self.program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**self.environ, **env},
        )

    def at_terminal(self, *arguments: str, typed: Sequence[str] = (), env: Mapping[str, str] = {}) -> Finished:
        """With a terminal for input and messages, where a line is typed at each question; ``err`` is what it shows."""
        ours, theirs = screen.open_terminal()
        command, environ = [*self.program, *arguments], {**self.environ, **env}
        typist = screen.in_turn(typed)
        with tempfile.TemporaryFile() as out:
            if not self.cold and forks.can_fork(command, environ):
                fork = forks.start(command, environ, (theirs, out.fileno(), theirs), terminal=True)
                os.close(theirs)
                shown = screen.all_shown(ours, typist)
                code = fork.wait(PATIENCE)
            else:
                process = screen.start_at(theirs, command, environ, stdout=out.fileno())
                try:
                    shown = screen.all_shown(ours, typist)
                    code = process.wait(PATIENCE)
                finally:
                    process.kill()
            out.seek(0)
            return Finished(code, out.read().decode(), shown)


def _text(data: bytes) -> str:
    return io.TextIOWrapper(io.BytesIO(data), errors="surrogateescape").read()  # with universal line ends
