"""What stands at the end of each command's help: two examples, and its exit codes.

Examples are tried by a test as far as parsing them goes; the exit codes are those of ``errors`` and of ``run.Exit``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

EXIT_CODES: Final = {
    0: "done",
    1: "an error that no other code names",
    2: "the command line is wrong",
    3: "done, but something is missing",
    4: "differences or findings",
    10: "a file is not there",
    11: "another run holds the lock",
    12: "wrong passphrase, recovery code or key",
    13: "not signed in, or refused",
    14: "a server cannot be reached",
    15: "damaged, or no archive",
    16: "the subscription is inactive",
    17: "the output cannot be written",
    130: "interrupted",
}
TOPIC: Final = "exit-codes"
"""What ``help`` shows besides commands: all of them."""


class Ending(NamedTuple):
    """What one command's help ends with."""

    examples: tuple[str, str]
    """Without the program's name."""
    codes: tuple[int, ...]
    """Those that say something about this command; any may end with 1, 2 and 130."""


_READING = (0, 10, 12, 13, 14, 15)
ENDINGS: Final = {
    "demo": Ending(("demo", "demo --sources --keep tour"), (0, 14, 17)),
    "login": Ending(("login", "login --email anna@example.org --profile home"), (0, 11, 13, 14)),
    "logout": Ending(("logout", "logout --profile home"), (0, 11, 14)),
    "token": Ending(("token", "token --profile new --json"), (0, 13, 14)),
    "status": Ending(("status", "status --json"), (0, 13, 14)),
    "pull": Ending(("pull", "pull --full"), (0, 3, 11, 13, 14, 16)),
    "export": Ending(
        ("export --seal -o backup.mana", "export --seal -o s3://my-bucket/mana.mana --retain 30d"),
        (0, 3, 11, 12, 13, 14, 16, 17),
    ),
    "follow": Ending(
        ("follow", "follow --export-every 1h --to mana-{date}.mana --seal"),
        (0, 3, 10, 11, 12, 13, 14, 16, 17),
    ),
    "files": Ending(("files pull", "files verify"), (0, 3, 4)),
    "files pull": Ending(("files pull", "files pull --recovery-code-file code --json"), (0, 3, 10, 11, 12, 13, 14, 17)),
    "files verify": Ending(("files verify", "files verify --key-file key"), (0, 4, 10, 11, 12, 13)),
    "info": Ending(("info backup.mana", "info backup.mana --json --passphrase-file secret"), _READING),
    "verify": Ending(
        ("verify january.mana february.mana --passphrase-file secret", "verify davs://cloud.example.org/mana.mana"),
        _READING,
    ),
    "cat": Ending(("cat backup.mana notes", "cat backup.mana journalEntries --meta"), _READING),
    "find": Ending(("find backup.mana strasse", "find sealed.mana 'green tea' --app notes --json"), _READING),
    "schedule": Ending(("schedule status", "schedule install --help"), (0,)),
    "schedule install": Ending(
        (
            "schedule install -- export --seal -o mana-{date}.mana",
            "schedule install --at 4:30 --every week --dry-run -- pull",
        ),
        (0, 10, 17),
    ),
    "schedule status": Ending(("schedule status", "schedule status --json"), (0, 4)),
    "schedule run": Ending(("schedule run", "schedule run work --if-due"), (0, 3, 10, 11, 12, 13, 14, 15, 16, 17)),
    "schedule remove": Ending(("schedule remove", "schedule remove work"), (0, 10, 17)),
    "prune": Ending(
        (
            "prune backups --keep-daily 7 --keep-weekly 4 --keep-monthly 12",
            "prune s3://backups/mana/ --unfinished --yes",
        ),
        (0, 10, 13, 14, 15, 17),
    ),
    "fleet": Ending(("fleet verify backups --ledger fleet.sqlite", "fleet status fleet.sqlite"), (0, 4)),
    "fleet verify": Ending(
        (
            "fleet verify backups --ledger nightly.sqlite",
            "fleet verify 'b/*.mana' --ledger v.db --passphrase-file 'k/{stem}'",
        ),
        (0, 3, 10, 11, 12, 14, 15, 17),
    ),
    "fleet roundtrip": Ending(
        (
            "fleet roundtrip backups --ledger roundtrips.sqlite",
            "fleet roundtrip --list names.txt --ledger r.db --item-timeout 600",
        ),
        (0, 4, 10, 11, 12, 14, 15, 17),
    ),
    "fleet convert": Ending(
        (
            "fleet convert b --ledger m.db --to markdown -o 'notes/{stem}'",
            "fleet convert b --ledger c.db --to csv -o 'csv/{folder}/{stem}'",
        ),
        (0, 3, 10, 11, 12, 14, 15, 17),
    ),
    "fleet rekey": Ending(
        (
            "fleet rekey old --ledger m.db --to-key-file key -o 'new/{name}'",
            "fleet rekey a --ledger m.db --to-key-file 'k/{stem}' -o 'b/{name}'",
        ),
        (0, 3, 10, 11, 12, 13, 14, 15, 17),
    ),
    "fleet report": Ending(
        (
            "fleet report backups --ledger r.db -o 'reports/{stem}.html'",
            "fleet report b --ledger r.db --format json -o 'r/{stem}.json'",
        ),
        (0, 10, 11, 12, 14, 15, 17),
    ),
    "fleet export": Ending(
        (
            "fleet export all.toml --ledger e.db --seal -o '{name}-{date}.mana'",
            "fleet export --from-database --all-users --ledger e.db -o {name}",
        ),
        (0, 3, 10, 11, 12, 13, 14, 16, 17),
    ),
    "fleet status": Ending(("fleet status fleet.sqlite", "fleet status fleet.sqlite --json"), (0, 4, 10)),
    "doctor": Ending(("doctor", "doctor --offline --thorough --json"), (0, 4)),
    "profile": Ending(("profile check --help", "profile check shop.toml --service shop"), (0, 4)),
    "profile check": Ending(
        (
            "profile check vivim --dsn-file dsn --user anna@example.org",
            "profile check shop.toml --store main=shop.sqlite",
        ),
        (0, 4, 10, 14),
    ),
    "profile draft": Ending(
        (
            "profile draft --dsn-file dsn -o shop.toml",
            "profile draft --store main=shop.sqlite --name shop -o -",
        ),
        (0, 10, 14, 17),
    ),
    "profile export": Ending(
        (
            "profile export vivim --dsn-file dsn --user anna -o anna.mana",
            "profile export shop.toml --store main=shop.db --all-users archives",
        ),
        (0, 3, 10, 11, 14, 17),
    ),
    "view": Ending(("view backup.mana --open", "view --empty -o viewer.html"), (0, 10, 13, 14, 15, 17)),
    "profile load": Ending(
        (
            "profile load vivim anna.mana --dsn-file dsn --dry-run",
            "profile load shop.toml 7.mana --store main=new.db --create",
        ),
        (0, 3, 10, 12, 14, 15, 17),
    ),
    "profile split": Ending(
        (
            "profile split vivim --dsn-file dsn -o split",
            "profile split vivim --store master=all.sqlite -o split --json",
        ),
        (0, 10, 11, 14, 17),
    ),
    "report": Ending(
        ("report backup.mana -o report.html", "report backup.mana --format markdown -o -"), (0, 10, 12, 13, 14, 15, 17)
    ),
    "seal": Ending(
        ("seal backup.mana -o sealed.mana", "seal backup.mana --private -o sealed.mana"), (0, 10, 13, 14, 15, 17)
    ),
    "unseal": Ending(
        ("unseal sealed.mana -o opened.mana", "unseal sealed.mana --passphrase-file secret -o opened.mana"),
        (0, 10, 12, 13, 14, 15, 17),
    ),
    "unlock": Ending(
        ("unlock from-mana.mana -o mine.mana", "unlock from-mana.mana --recovery-code-file code -o mine.mana"),
        (0, 3, 10, 12, 15, 17),
    ),
    "convert": Ending(
        ("convert backup.mana --to markdown -o notes", "convert backup.mana --to sqlite -o backup.sqlite"),
        (0, 3, 10, 12, 13, 14, 15, 17),
    ),
    "diff": Ending(("diff january.mana february.mana --values", "diff backup.mana --live"), (0, 4, 10, 12, 13, 14, 15)),
    "rekey": Ending(
        ("rekey backup.mana --to-profile new -o for-new.mana", "rekey backup.mana --to-key-file key -o for-new.mana"),
        (0, 3, 10, 12, 13, 14, 15, 17),
    ),
    "restore": Ending(
        ("restore backup.mana --dry-run", "restore backup.mana --files --to-profile new"),
        (0, 3, 10, 11, 12, 13, 14, 15, 16),
    ),
    "roundtrip": Ending(
        ("roundtrip backup.mana", "roundtrip backup.mana --junit results.xml"), (0, 4, 10, 12, 13, 14, 15, 17)
    ),
    "audit": Ending(("audit", "audit --fix-plaintext --dry-run"), (0, 4, 11, 12, 13, 14)),
    "sandbox": Ending(("sandbox serve", "sandbox serve --help"), (0, 130)),
    "sandbox serve": Ending(("sandbox serve --port 8080", "sandbox serve --rows 5000 --seed 7"), (0, 130)),
    "help": Ending(("help export", "help exit-codes"), (0,)),
    "version": Ending(("version", "version --json"), (0,)),
    "completion": Ending(("completion bash", "completion fish"), (0,)),
    "man": Ending(("man -o ~/.local/share/man/man1", "man -o pages --force"), (0, 17)),
}


def codes_in_words(codes: tuple[int, ...]) -> str:
    """``0 done; 15 damaged, or no archive``."""
    return "; ".join(f"{code} {EXIT_CODES[code]}" for code in codes)
