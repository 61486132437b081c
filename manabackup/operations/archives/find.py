"""Find: the rows of an archive that have some words, as they are found, in constant memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ...archive.places import Location
from ...archive.reader import open_archive
from ...conversion.options import ConvertOptions
from ...conversion.reading import Reading
from ...conversion.search_text import SearchText
from ...errors import UsageError
from ...text.folding import fold, phrases_of, words_of
from ...text.jsontext import JSON
from ..progress import Step, Watch, teller

_EXCERPT = 160
"""Characters around a hit."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for: a row has all of the words, each anywhere within one of its own, and all phrases."""

    words: tuple[str, ...]
    """Folded."""
    phrases: tuple[tuple[str, ...], ...] = ()
    """Folded words that follow each other."""

    @classmethod
    def of(cls, text: str) -> Question:
        """As somebody types it; words in quotation marks follow each other. Raises :class:`UsageError` for nothing."""
        words = tuple(dict.fromkeys(words_of(fold(text))))
        if not words:
            raise UsageError("there is no word to search for")
        return cls(words, tuple(map(tuple, phrases_of(text))))

    def is_in(self, folded: str) -> bool:
        """Whether a folded text has all of it."""
        if not all(word in folded for word in self.words):
            return False
        if not self.phrases:
            return True
        spaced = f" {' '.join(words_of(folded))} "
        return all(" ".join(phrase) in spaced for phrase in self.phrases)


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found."""

    table: str
    id: str
    title: str
    """What the row is called; empty where it has no title."""
    excerpt: str
    """The words around the first hit that does not stand in the title; empty where there is none."""
    in_title: bool
    """All of it stands in the title."""

    def to_json(self) -> dict[str, JSON]:
        """A line of ``find --json`` (``formats/schemas/find.schema.json``)."""
        return {
            "table": self.table,
            "id": self.id,
            "title": self.title,
            "excerpt": self.excerpt,
            "inTitle": self.in_title,
        }


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Where to look. Empty sequences mean everywhere."""

    apps: Sequence[str] = field(default=())
    tables: Sequence[str] = field(default=())
    include_deleted: bool = False
    """In the bin too, as far as the archive has it."""


def find(
    path: Location,
    question: Question,
    passphrase: Callable[[], str] | None = None,
    *,
    options: SearchOptions | None = None,
    allow_weak_kdf: bool = False,
    progress: Watch | None = None,
) -> Iterator[Hit]:
    """The rows that have all of a question, in the archive's order. ``progress`` is told of :attr:`Step.SEARCH`.

    Fields that are secrets or still ciphertext are not looked at. Raises :class:`DamagedArchiveError`,
    :class:`WrongPassphraseError`, :class:`NotFoundError`, and :class:`UsageError` for an app or a table that it lacks.
    """
    wanted = options or SearchOptions()
    chosen = ConvertOptions(apps=wanted.apps, tables=wanted.tables, include_deleted=wanted.include_deleted)
    with open_archive(path, passphrase, allow_weak_kdf=allow_weak_kdf) as archive:
        reading = Reading(archive, chosen, make_file=tempfile.TemporaryFile, progress=teller(progress, Step.SEARCH))
        for table in reading.tables:
            text = SearchText(reading.modules, table)
            for row in reading.rows(table):
                title, pieces = text.title(row.values), list(text.pieces(row.values))
                if question.is_in(fold("\n".join([title, *pieces]))):
                    in_title = question.is_in(fold(title))
                    yield Hit(table, row.id, title, _excerpt(pieces, title, question.words), in_title)


def _excerpt(pieces: Sequence[str], title: str, words: Sequence[str]) -> str:
    """What stands around the first word, in the first text that has one and is not the title."""
    for piece in pieces:
        if piece.strip() in title:
            continue
        folded = fold(piece)
        places = [at for at in (folded.find(word) for word in words) if at >= 0]
        if places:
            at = _in_text(piece, folded, min(places))
            begin = max(0, at - _EXCERPT // 4)
            if begin:
                blank = piece.find(" ", begin, at)
                begin = blank + 1 if blank >= 0 else begin
            cut = " ".join(piece[begin : begin + _EXCERPT].split())
            return f"{'… ' if begin else ''}{cut}{' …' if begin + _EXCERPT < len(piece) else ''}"
    return ""


def _in_text(text: str, folded: str, at: int) -> int:
    """The place in a text of a place in what it folds to."""
    if len(text) == len(folded):
        return at
    so_far = 0
    for place, character in enumerate(text):
        so_far += len(fold(character))
        if so_far > at:
            return place
    return len(text)
