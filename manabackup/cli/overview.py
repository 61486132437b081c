"""What ``manabackup --help`` says, and where each command lives.

This module is all that ``--help`` and ``--version`` import: the text stands here ready, and a command's module is
imported when the command is called. ``frame`` makes the options of the same table.
"""

from __future__ import annotations

from ..about import DATED as DATED
from ..about import __version__
from .words import broken

TYPE_CHECKING = False  # as typing has it, which is not worth its import here
if TYPE_CHECKING:
    from typing import Final

PROGRAM: Final = "manabackup"
VERSION: Final = __version__
FLAGS: Final = "manabackup.flags"
"""Under this name a context's ``meta`` has the options of settings that were given."""
COMPLETION: Final = "_MANABACKUP_COMPLETE"
"""The variable in which a shell's script asks for completions."""

COMMANDS: Final = (
    # heading, ((name, module, what it does), …)
    (
        "First steps",
        (("demo", "demo", "a tour on an embedded server, no account needed"),),
    ),
    (
        "Account",
        (
            ("login", "account", "sign in, so that the other commands need no password"),
            ("logout", "account", "end the session and forget it"),
            ("token", "account", "an access token, for whoever is to restore into the account"),
            ("status", "status", "who is signed in, and the state of servers, vault and mirror"),
        ),
    ),
    (
        "Backup",
        (
            ("pull", "backup", "bring the local mirror up to date"),
            ("export", "backup", "write everything into an archive: pull, decrypt, write"),
            ("follow", "follow", "keep the mirror up to date within seconds of every change"),
            ("files", "file_group", "files pull, verify: pictures, songs and documents that rows refer to"),
        ),
    ),
    (
        "Archives",
        (
            ("info", "archives", "what an archive holds"),
            ("verify", "archives", "check archives from the first byte to the last"),
            ("cat", "archives", "print the rows of a table"),
            ("find", "find", "search the rows of an archive for words"),
            ("view", "view", "make a page that opens an archive by itself, in a browser"),
            ("report", "report", "report whether an archive is whole and how much is in it, without its content"),
            ("seal", "archives", "put an archive under a passphrase"),
            ("unseal", "archives", "take an archive out of its seal"),
            ("unlock", "unlock", "open private fields that whoever wrote an archive could not open"),
            (
                "convert",
                "convert",
                "make tables, notes, a calendar, … of an archive, or of an older one a new one",
            ),
            ("diff", "compare", "what differs between two archives, or an archive and the account"),
        ),
    ),
    (
        "Every night",
        (
            ("schedule", "schedule", "let this computer make a backup every night, and see whether it did"),
            ("prune", "prune", "remove old archives by rules, such as one a day for a week"),
            ("doctor", "doctor", "look at everything that a backup needs, and say what to do"),
        ),
    ),
    (
        "Many archives",
        (("fleet", "fleet", "fleet verify, export, …: a command over many archives or accounts"),),
    ),
    (
        "Restore",
        (
            ("rekey", "rekey", "encrypt an archive for another account"),
            ("restore", "restore", "put an archive's rows back into an account"),
            ("roundtrip", "roundtrip", "try out, without an account, whether archives can be restored"),
        ),
    ),
    (
        "Safety",
        (("audit", "audit", "what the server holds in clear, reused nonces, lost rows"),),
    ),
    (
        "Other databases",
        (("profile", "profile_group", "profile export, load: one person's rows out of a database, into one"),),
    ),
    (
        "Sandbox",
        (("sandbox", "sandbox", "sandbox serve: the embedded server on a port"),),
    ),
    (
        "This program",
        (
            ("help", "program_itself", "explain a command"),
            ("version", "program_itself", "which version this is"),
            ("completion", "completion", "let the shell complete commands, options, apps and tables"),
            ("man", "man", "write manual pages"),
        ),
    ),
)
"""The commands by heading, in the order in which somebody meets them. A command ``x-y`` is the object ``x_y``."""

GLOBAL_OPTIONS: Final = (
    # declarations, value's name or None for a flag, what it does
    (("--config",), "FILE", "settings file, instead of the platform's own config.toml"),
    (("--profile",), "NAME", "which profile of settings and which session (default: default)"),
    (("--state-dir",), "DIR", "where sessions and mirrors are kept"),
    (("--auth-url",), "URL", "account service (default: https://auth.mana.how)"),
    (("--sync-url",), "URL", "sync server (default: https://sync.mana.how)"),
    (("--wait",), "[=SECONDS]", "wait for another run on the same state to end; without a number an hour at most"),
    (("--json",), None, "results as JSON on the standard output"),
    (("--no-progress",), None, "no progress bars"),
    (("-v", "--verbose"), None, "say more; -vv also shows where an error came from"),
    (("-q", "--quiet"), None, "say nothing but results, warnings and errors"),
)
"""The options that stand before or after a command's name."""

EPILOG: Final = (
    "Settings come from options, then from the environment (MANABACKUP_AUTH_URL, …), then from the profile in "
    "config.toml.",
    "Secrets are never options: they come from files, commands, the environment or a prompt; see a command's own "
    "--help.",
)


def version_text() -> str:
    """The program's name and version."""
    return f"{PROGRAM} {__version__}\n"


def help_text(columns: int | None = None) -> str:
    """The help of the program as a whole, in lines that are no longer than ``columns``."""
    options = all_options()
    width = max(len(syntax) for syntax, _ in options)
    lines = [
        f"Usage: {PROGRAM} [OPTIONS] COMMAND [ARGS]...",
        "",
        "  Take your data out of Mana, and put it back.",
    ]
    for heading, commands in COMMANDS:
        lines += ["", f"{heading}:", *(f"  {name:{width}}  {summary}" for name, _, summary in commands)]
    lines += ["", "Options, before or after the command:"]
    lines += [f"  {syntax:{width}}  {summary}" for syntax, summary in options]
    broken_lines = [part for line in lines for part in broken(line, columns)]
    epilog = [part for line in EPILOG for part in broken(line, columns, 0)]
    return "\n".join([*broken_lines, "", *epilog, ""])


def all_options() -> list[tuple[str, str]]:
    """The options of every command, and of the program alone: how they are written, and what they do."""
    options = [(_syntax(names, value), summary) for names, value, summary in GLOBAL_OPTIONS]
    return [*options, ("-V, --version", "show the version and end"), ("-h, --help", "show this and end")]


def _syntax(names: tuple[str, ...], value: str | None) -> str:
    return ", ".join(names) + (f"{'' if value.startswith('[') else ' '}{value}" if value else "")
