"""What an audit may find: a stable word for each kind, how grave it is, what it means, and what to do.

How grave a kind is follows what it can cost its owner. An *error* says that something private can be read, or that
something cannot be read or trusted any more. A *warning* says that it may come to that. A *note* is good to know: it is
so by design, or nothing can be done about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ...text.jsontext import JSON

MOST_CASES = 1_000
"""Cases of one kind that are named; all are counted."""
_LONGEST = 200


class Severity(StrEnum):
    """How grave a finding is, in the words of SARIF, the gravest first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind of finding."""

    id: str
    severity: Severity
    title: str
    """What was counted, to follow a number."""
    explanation: str
    advice: str


_E, _W, _N = Severity

KINDS: Final = {
    kind.id: kind
    for kind in (
        FindingKind(
            "plaintextField",
            _E,
            "private fields that the server can read",
            "The app encrypts these fields, and the server holds them in clear: one of Mana's own jobs wrote them, "
            "they are from before there was a key, or they were put in the place of ciphertext (replacedCiphertext).",
            "`manabackup audit --fix-plaintext` encrypts them. What the server's log kept of them stays there.",
        ),
        FindingKind(
            "undecryptable",
            _E,
            "private fields that your key does not open",
            "They are damaged, or were encrypted under another key: one from before a rotation, or somebody else's.",
            "Look for them in an older archive. An older key, if you have one, may open them: `export --key-file`.",
        ),
        FindingKind(
            "nonceReused",
            _E,
            "encrypted values that share their nonce (IV) with another value",
            "AES-GCM protects neither of two values under one nonce: who holds both learns how they differ, and can "
            "forge others. The whole history was searched, because that is what an attacker has.",
            "Take these values for known to the server, and change what is secret in them.",
        ),
        FindingKind(
            "eventChanged",
            _E,
            "changes that the server gives differently than before",
            "A change never changes. The mirror keeps the first version, which is what an export holds.",
            "Keep this mirror and your archives, and ask those who run the server.",
        ),
        FindingKind(
            "unreadablePage",
            _E,
            "stretches of time whose changes the server fails to give",
            "What was written then may be missing from every backup and on every new device.",
            "Tell those who run the server.",
        ),
        FindingKind(
            "unreadableChange",
            _E,
            "changes that are larger than any that the server takes",
            "What they did is missing from every backup, and keeps other devices from reading the table.",
            "Tell those who run the server.",
        ),
        FindingKind(
            "unreadableTie",
            _E,
            "instants with more changes than the server gives out",
            "What was written then may be missing from every backup and on every new device.",
            "Tell those who run the server.",
        ),
        FindingKind(
            "lockedOut",
            _E,
            "zero-knowledge vault without a wrapped key",
            "The server does not know the key, and holds nothing that a recovery code would open: a device that still "
            "has the key is the only way to your private fields.",
            "Set a recovery code anew in Mana's settings, on such a device, and make an archive from there.",
        ),
        FindingKind(
            "noVault",
            _E,
            "account without a vault",
            "There is no key, so that nothing of the account is encrypted.",
            "Sign in to the web app once, which makes a key.",
        ),
        FindingKind(
            "ciphertextRepeated",
            _W,
            "places where a ciphertext stands that also stands, or stood, elsewhere",
            "Each encryption has a nonce of its own, so that one ciphertext in two places was copied there. A row that "
            "was duplicated may look like that; so does a server that shows one value in the place of another.",
            "Look at these rows in the app. Writing the right value anew ends the finding.",
        ),
        FindingKind(
            "ciphertextReplayed",
            _W,
            "private fields in which an old ciphertext came back after another",
            "An edit that was undone may look like that; so does a server that brings an old value back.",
            "Look at these fields in the app. Writing the right value anew ends the finding.",
        ),
        FindingKind(
            "plaintextUnknownSpace",
            _W,
            "private fields in clear, in spaces of which nobody knows whether they are shared",
            "In a shared space that is as it should be; in a personal one the server can read what it should not. "
            "Nothing is changed there.",
            "Sign in with `manabackup login`, which tells; or name your own space with --personal-space.",
        ),
        FindingKind(
            "undecryptableUnknownSpace",
            _W,
            "private fields that your key does not open, in spaces of which nobody knows whether they are shared",
            "In a shared space they may be another member's; in a personal one they are lost.",
            "Sign in with `manabackup login`, which tells; or name your own space with --personal-space.",
        ),
        FindingKind(
            "eventGone",
            _W,
            "changes that the server has no longer",
            "A log only grows. What is gone may belong to a space that you have left, or that the server could not "
            "look up just then; else it was removed. The mirror keeps it.",
            "Audit once more with --full; what came back is no finding any more. Keep this mirror and your archives.",
        ),
        FindingKind(
            "mirrorDamaged",
            _W,
            "changes that the mirror on this computer lost",
            "The mirror was damaged, and what was lost was not read again yet: rows may be missing here, or older than "
            "they are.",
            "Do without --offline, or run `manabackup pull`: it reads them again.",
        ),
        FindingKind(
            "eventLost",
            _W,
            "changes that neither the server nor the mirror has any longer",
            "The server lost them first, and the mirror when it was damaged.",
            "Keep the archives that you made before: they were made from these changes, too.",
        ),
        FindingKind(
            "malformedChange",
            _W,
            "changes that make no sense",
            "What they would have done is in no row, here as on every device.",
            "Look at these rows in the app, and save them anew.",
        ),
        FindingKind(
            "futureTime",
            _W,
            "rows with times in the future",
            "A device with a wrong clock wrote them. Every device ignores later edits of these fields until that time "
            "has come.",
            "Set the device's clock, and restore the rows from an archive: `manabackup restore` replaces such rows.",
        ),
        FindingKind(
            "danglingReference",
            _W,
            "references to rows that the server does not hold",
            "The row was removed for good, never came to the server, or is missing.",
            "Open Mana on the device where the row was made, so that it syncs; or look into an older archive.",
        ),
        FindingKind(
            "twoOwners",
            _W,
            "rows with both a user and a space",
            "A row belongs to a user or to a space. Of one that names both, members of the space may see what was "
            "meant for you alone.",
            "Look at whose space it is; in your personal one an older version of the app left the mark.",
        ),
        FindingKind(
            "strandedRow",
            _W,
            "rows in spaces that the account is no member of",
            "No device of yours shows them: you have left the space, or something wrote them under an id that is none "
            "of your spaces', such as a restore into a wrong one.",
            "Every export holds them. If you have left the space, nothing is to be done. Else `manabackup export "
            "--space ID` and `restore --map-space ID=personal` bring them into another account; in this one a row "
            "stays in its space.",
        ),
        FindingKind(
            "strangeAuthor",
            _W,
            "rows of your personal space that name another author",
            "The server lets strangers push rows into any space whose id they know.",
            "Look at these rows, and delete what you do not know.",
        ),
        FindingKind(
            "standardVault",
            _W,
            "vault whose key the server knows",
            "In standard mode the account service keeps the key, and can read every private field with it.",
            "Switch zero-knowledge on in Mana's settings. Keep the recovery code on paper.",
        ),
        FindingKind(
            "noRecoveryCode",
            _W,
            "vault without a recovery code",
            "The account service alone can give you the key.",
            "Set a recovery code in Mana's settings, and keep it on paper.",
        ),
        FindingKind(
            "plaintextShared",
            _N,
            "private fields in clear, in shared spaces",
            "There it is meant so: the other members are to read them.",
            "Nothing; nothing is changed there.",
        ),
        FindingKind(
            "foreignCiphertext",
            _N,
            "private fields of other members of shared spaces, under their keys",
            "The app encrypts most fields of a shared space under the key of whoever wrote them.",
            "Nothing: they are theirs to open.",
        ),
        FindingKind(
            "memberRow",
            _N,
            "rows of shared spaces that name another author",
            "Who wrote a row of a shared space cannot be proved: take it for what a stranger wrote.",
            "Nothing.",
        ),
        FindingKind(
            "formerSpaceRow",
            _N,
            "rows of others in spaces that the account is no member of",
            "You have left these spaces, and the mirror keeps what the server gave before.",
            "Nothing.",
        ),
        FindingKind(
            "capability",
            _N,
            "secrets and links in clear: whoever holds one can use it",
            "Passwords of short links, tokens of unlisted rows and of invitations, key grants of missions: Mana keeps "
            "them in clear. The server knows them, and so does whoever reads a plain archive.",
            "Seal your archives. Take back in the app what nobody needs any more; `rekey` and restores into another "
            "account leave them behind.",
        ),
        FindingKind(
            "likeCiphertext",
            _N,
            "values that begin like ciphertext and are none",
            "Text that somebody typed, which the app never encrypts when it begins so, or ciphertext that was damaged. "
            "They are archived and restored as they stand.",
            "Look at these rows in the app.",
        ),
        FindingKind(
            "unknownCollection",
            _N,
            "collections that this version does not know",
            "They are exported all the same. Which of their fields are private nobody knows here.",
            "A newer version may know them.",
        ),
        FindingKind(
            "historyInClear",
            _N,
            "private fields of which the server's log keeps an earlier value in clear",
            "The server keeps every change, and has no call to remove one.",
            "Take these values for known to the server.",
        ),
        FindingKind(
            "danglingTag",
            _N,
            "references to tags that the server does not hold",
            "Tags that are made in the app's tag list never reach the server.",
            "Nothing.",
        ),
        FindingKind(
            "referenceToDeleted",
            _N,
            "references to rows in the bin",
            "The row was deleted, and what points at it was not.",
            "Nothing, unless it should not have been deleted.",
        ),
        FindingKind(
            "unsearchedApp",
            _N,
            "apps that could not be searched for collections that nobody told of",
            "The collections that are known were read. The server was too slow for the search, or failed.",
            "Nothing: the next search, a week after the last, begins with them. `pull --full` searches at once.",
        ),
        FindingKind(
            "spaceTypesUnknown",
            _N,
            "spaces could not be asked for",
            "Which of them are shared is not known, or only from an earlier run.",
            "Sign in with `manabackup login`; an access token does not tell.",
        ),
        FindingKind(
            "vaultUnknown",
            _N,
            "vault could not be asked for",
            "Without the servers its state is known only if it was met before.",
            "Run the audit without --offline.",
        ),
        FindingKind(
            "notOpened",
            _N,
            "encrypted fields that were not tried with the key",
            "Without the key it is not known whether they open.",
            "Run the audit without --no-key.",
        ),
    )
}
"""By word, in the order in which they are told."""


@dataclass(slots=True)
class Finding:
    """All findings of one kind."""

    kind: FindingKind
    count: int = 0
    tables: Counter[str] = field(default_factory=Counter)
    """Table → how many; what the account as a whole is about is in none."""
    cases: list[dict[str, JSON]] = field(default_factory=list)
    """The first ones: ``table``, ``id``, ``field``, ``reason``, ``event``, as far as they apply; never a value."""

    def add(
        self,
        table: str | None,
        record: str | None = None,
        field_name: str | None = None,
        *,
        reason: str | None = None,
        event: str | None = None,
        count: int = 1,
    ) -> None:
        """One more case, or ``count`` that have one name."""
        self.count += count
        if table is not None:
            self.tables[table] += count
        if len(self.cases) < MOST_CASES:
            named = (("table", table), ("id", record), ("field", field_name), ("reason", reason), ("event", event))
            case: dict[str, JSON] = {name: _short(value) for name, value in named if value is not None}
            if case:
                self.cases.append(case)

    def take(self, others: Finding) -> None:
        """Cases that were held back until it was known that they are some."""
        self.count += others.count
        self.tables.update(others.tables)
        self.cases += others.cases[: MOST_CASES - len(self.cases)]

    def to_json(self) -> dict[str, Any]:
        """One of the ``findings`` that ``audit --json`` prints."""
        return {
            "id": self.kind.id,
            "severity": self.kind.severity.value,
            "title": self.kind.title,
            "explanation": self.kind.explanation,
            "advice": self.kind.advice,
            "count": self.count,
            "tables": dict(sorted(self.tables.items())),
            "cases": self.cases,
        }


@dataclass(slots=True)
class Findings:
    """Collects findings."""

    by_kind: dict[str, Finding] = field(default_factory=dict)

    def of(self, kind: str) -> Finding:
        """The finding of a kind, for more cases."""
        return self.by_kind.setdefault(kind, Finding(KINDS[kind]))

    def sorted(self) -> list[Finding]:
        """What was found, the gravest first."""
        return list(in_order(finding for finding in self.by_kind.values() if finding.count))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then in the order of :data:`KINDS`."""
    grave, place = list(Severity), list(KINDS)
    return sorted(findings, key=lambda found: (grave.index(found.kind.severity), place.index(found.kind.id)))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
