"""The use case: an open archive, written anew under another key.

What was ciphertext at its source is ciphertext afterwards, each value with a fresh random IV; what no key at hand opens
stays behind and is reported. One pass, table by table, in constant memory, and on all cores.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...archive import names
from ...archive.destination import Destination, keep_complete, named, opened, writing
from ...archive.places import Location
from ...archive.reader import Archive
from ...archive.writer import ArchiveWriter, Seal, Written
from ...crypto.fields import FieldCipher
from ...errors import UsageError, WrongKeyError
from ...host.processes import InOrder, cores_for
from ...host.spooling import spool_files
from ...limits import MIB
from ...model import registry
from ...rows.archived import require_mana
from ...rows.completeness import Completeness
from ...text import jsontext
from ...text.jsontext import JSON
from ..progress import Step, Watch, sending, teller
from .blocks import Terms, rekey_block
from .carried import carried_about, carried_additions, carried_case, carried_completeness
from .files import carry_files
from .rows import RowMaker
from .tables import GROWTH, RekeyedTables


@dataclass(frozen=True, slots=True)
class RekeyResult:
    """What became of an archive."""

    archive: Location
    written: Written
    key_fingerprint: str
    """The fingerprint of the key that the fields are encrypted under now."""
    rekeyed_for: str | None
    """User id of the target account, where it is known."""
    encrypted_fields: int
    status: str
    """``partial`` when the source was, or when something was left out."""
    losses: dict[str, int]
    """What was lost on the way, kind → count."""
    notices: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The object that ``rekey --json`` prints (``formats/schemas/rekey.schema.json``)."""
        return {
            "archive": str(self.archive),
            "bytes": self.written.bytes,
            "rows": self.written.rows,
            "tables": len(self.written.row_counts),
            "dataSha256": self.written.data_sha256,
            "sealed": self.written.sealed,
            "keyFingerprint": self.key_fingerprint,
            "rekeyedFor": self.rekeyed_for,
            "encryptedFields": self.encrypted_fields,
            "status": self.status,
            "losses": self.losses,
            "notices": self.notices,
        }


def rekey(
    archive: Archive,
    target: Destination,
    cipher: FieldCipher,
    *,
    opener: FieldCipher | None = None,
    user_id: str | None = None,
    home: str | None = None,
    seal: Seal | None = None,
    keep_visibility: bool = False,
    force: bool = False,
    strict: bool = False,
    progress: Watch | None = None,
    processes: int | None = None,
) -> RekeyResult:
    """Write an open archive to ``target``, its private fields encrypted under ``cipher``.

    ``opener`` opens what is encrypted in the archive: all private fields when it was rekeyed itself, else what was left
    encrypted when it was made. ``user_id`` is the target account's, for the manifest, and ``home`` its personal space,
    by which the web app's import finds the rows that it has one of. ``progress`` is told of :attr:`Step.REKEY`.
    ``processes`` is how many take part, this one included; without it, as many as a large archive needs.

    ``force`` and ``strict`` are as for an export.

    Raises :class:`WrongKeyError` when the archive is encrypted under another key than ``opener``'s,
    :class:`UsageError` when it is encrypted and there is no ``opener``, :class:`DamagedArchiveError`,
    :class:`OutputError`, :class:`LockedError`.
    """
    check_opener(archive, opener)
    size = archive.reader.size
    make_file = spool_files(target)
    terms = Terms.of(archive, cipher, opener, home, keep_visibility=keep_visibility)
    output = opened(target, force=force, tell=sending(progress))
    with (
        writing(target),
        InOrder(partial(rekey_block, terms), cores_for(size) if processes is None else processes) as blocks,
        output as file,
        ArchiveWriter(
            file,
            tables=[table.name for table in registry.load().tables],
            seal=seal,
            make_spool_file=make_file,
            rewritten=archive,
            may_exceed_4_gib=size * GROWTH >= 2**32 - MIB,
        ) as writer,
    ):
        problem_lines = writer.spool(names.entry("meta", "problems"))
        problems = Completeness(problem_lines.add)
        maker = terms.maker(problems.note)
        for line in archive.meta("problems"):  # the source's own, which are the new archive's as well
            problem_lines.add(jsontext.dumps(carried_case(line, maker.ids)))
        tables = RekeyedTables(archive, maker, blocks, writer, make_file)
        tables.write(teller(progress, Step.REKEY))
        problem_lines.close()
        assets = carry_files(archive, writer, maker.ids)
        _write_subjects(writer, maker)
        completeness = carried_completeness(archive.manifest, maker.ids, problems)
        status = problems.status if completeness is None else completeness["status"]
        keep_complete(output, target, status, seal, strict=strict)
        additions = carried_additions(archive.manifest, maker.spaces, completeness)
        about = carried_about(archive.manifest)
        written = writer.finish(about, {**additions, **_key(cipher, user_id)}, assets=assets)
    counts = problems.counts()
    return RekeyResult(
        archive=named(target),
        written=written,
        key_fingerprint=cipher.fingerprint,
        rekeyed_for=user_id,
        encrypted_fields=tables.encrypted_fields,
        status=status,
        losses=counts["losses"],
        notices=counts["notices"],
    )


def check_opener(archive: Archive, opener: FieldCipher | None) -> None:
    """Whether a key is the one that an encrypted archive names.

    Raises :class:`WrongKeyError` for another one, :class:`UsageError` where one is needed and there is none, and for
    rows that are not Mana's.
    """
    require_mana(archive.manifest)
    manifest = archive.manifest
    if manifest.fields_plaintext:
        return
    if opener is None:
        raise UsageError("the archive is encrypted, and its key was not given")
    stated = manifest.key_fingerprint
    if stated is not None and stated != opener.fingerprint:
        raise WrongKeyError(
            f"the archive is encrypted under another key ({stated}) than the one given ({opener.fingerprint})"
        )


def _write_subjects(writer: ArchiveWriter, maker: RowMaker) -> None:
    """Writes whom and what the meta lines name by number."""
    if maker.actors.used:
        writer.add(names.entry("meta", "actors"), _text(maker.actors.lines()))
    if len(maker.spaces):
        writer.add(names.entry("meta", "spaces"), _text(maker.spaces.lines_without_ids()))


def _key(cipher: FieldCipher, user_id: str | None) -> dict[str, JSON]:
    """What the manifest says of the new key."""
    stated: dict[str, JSON] = {"keyFingerprint": cipher.fingerprint}
    return stated if user_id is None else {**stated, "rekeyedFor": user_id}


def _text(lines: Iterable[bytes]) -> bytes:
    return b"\n".join([*lines, b""])
