"""Seal and unseal: the same rows in another coat.

Archives of the web app are brought into this tool's form on the way: clean rows sorted by id, field times under
``meta/``.
"""

from __future__ import annotations

from collections.abc import Callable

from ...archive import names
from ...archive.blobs import BinaryAssets, carried_assets
from ...archive.destination import Destination, keep_complete, opened, writing
from ...archive.places import Location
from ...archive.reader import Archive, open_archive, open_outer
from ...archive.writer import About, ArchiveWriter, Seal, Written
from ...crypto.spools import SpoolFile
from ...errors import UsageError
from ...host.sorting import LineSorter
from ...host.spooling import spool_files
from ...limits import DEFAULT_LIMITS, MIB, Limits
from ...model import registry
from ...model.projection import Numbering, meta_line
from ...model.spaces import SpaceNumbers
from ...rows.actors import ActorNumbers
from ...rows.archived import RESERVED_META, clean_rows, is_ours
from ...rows.blobs import IndexedFile
from ...text import jsontext
from ...text.jsontext import JSON
from ..progress import Step, Tell, Watch, sending, teller

OWN_KEYS = frozenset(About("", "", {}, fields_plaintext=True).manifest({})) | {
    "binaryAssets",
    "dataSha256",
    "outer",
    "passphrase",
    "sealedSha256",
}
"""Manifest keys that are written anew; all others are carried over."""


def seal(
    source: Location,
    target: Destination,
    passphrase: Callable[[], str],
    *,
    private: bool = False,
    force: bool = False,
    progress: Watch | None = None,
) -> Written:
    """Write the plain archive ``source`` sealed to ``target``. ``progress`` is told of :attr:`Step.RESEAL`.

    Raises :class:`UsageError` when it is sealed already, :class:`DamagedArchiveError`, :class:`OutputError`.
    """
    outer = open_outer(source)
    outer.resources.close()
    if outer.manifest.sealed:
        raise UsageError(f"{source} is sealed already", hint="to change its passphrase, unseal it first")
    with open_archive(source) as archive:
        how = Seal(passphrase(), private=private)
        return rewrite(archive, target, seal=how, force=force, progress=progress)


def unseal(
    source: Location,
    target: Destination,
    passphrase: Callable[[], str],
    *,
    force: bool = False,
    allow_weak_kdf: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Watch | None = None,
) -> Written:
    """Write the sealed archive ``source`` plain to ``target``. ``progress`` is told of :attr:`Step.RESEAL`.

    Raises :class:`UsageError` when it is not sealed, :class:`WrongPassphraseError`, :class:`DamagedArchiveError`,
    :class:`OutputError`.
    """
    with open_archive(source, passphrase, allow_weak_kdf=allow_weak_kdf, limits=limits) as archive:
        if not archive.sealed:
            raise UsageError(f"{source} is not sealed")
        return rewrite(archive, target, seal=None, force=force, progress=progress)


def rewrite(
    archive: Archive, target: Destination, *, seal: Seal | None, force: bool, progress: Watch | None = None
) -> Written:
    """Write the content of an open archive into a new one. Constant memory; ``target`` appears whole or not at all."""
    size = archive.reader.size
    make_file = spool_files(target)
    output = opened(target, force=force, tell=sending(progress))
    with (
        writing(target),
        output as file,
        ArchiveWriter(
            file,
            tables=[table.name for table in registry.load().tables],
            seal=seal,
            make_spool_file=make_file,
            rewritten=archive,
            may_exceed_4_gib=size * 1.1 >= 2**32 - MIB,
        ) as writer,
    ):
        tell = teller(progress, Step.RESEAL)
        if is_ours(archive):
            _copy(archive, writer, tell)
        else:
            _clean(archive, writer, make_file, tell)
        _copy_files(archive, writer)
        for name in archive.account:
            writer.stream(name, archive.reader.chunks(name), bound=archive.reader.container.entries[name].size)
        manifest = archive.manifest
        schema_version = manifest.raw["schemaVersion"]
        about = About(
            user_id=manifest.user_id,
            exported_at=manifest.exported_at,
            scope=manifest.raw["scope"],
            fields_plaintext=manifest.fields_plaintext,
            schema_version=schema_version if isinstance(schema_version, int) else 0,
        )
        carried: dict[str, JSON] = {key: value for key, value in manifest.raw.items() if key not in OWN_KEYS}
        if not is_ours(archive):
            carried.pop("ciphertextMarked", None)  # nobody has marked anything
        keep_complete(output, target, str((manifest.completeness or {}).get("status")), seal)
        assets = carried_assets(manifest) or (BinaryAssets(0, 0) if archive.files else None)
        return writer.finish(about, carried, assets=assets)


def _copy(archive: Archive, writer: ArchiveWriter, tell: Tell) -> None:
    entries = [entry for entry in archive.reader.container.entries.values() if entry.kind in ("data", "meta")]
    done, total = 0, sum(entry.size for entry in entries)
    for entry in entries:
        writer.copy(archive, entry.name)
        done += entry.size
        tell(done, total)


def _copy_files(archive: Archive, writer: ArchiveWriter) -> None:
    """The files, and of another writer's archive an index that knows no more than it does."""
    entries = archive.reader.container.of_kind("blob")
    for entry in entries:
        writer.copy(archive, entry.name)
    if entries and not is_ours(archive):
        index = writer.spool(names.entry("meta", "blobs"))
        for entry in sorted(entries, key=lambda entry: entry.name):
            index.add(IndexedFile((), sha256=names.blob_of(entry.name), size=entry.size).text())
        index.close()


def _clean(archive: Archive, writer: ArchiveWriter, make_file: Callable[[], SpoolFile], tell: Tell) -> None:
    known = registry.load().by_name
    actors, spaces = ActorNumbers(), SpaceNumbers()
    actor_lines = writer.spool(names.entry("meta", "actors"))
    done, total = 0, sum(map(archive.reader.table_size, archive.tables))
    for name in archive.tables:
        rows, metas = LineSorter(make_file), LineSorter(make_file)
        for row in clean_rows(archive, name):
            rows.add([(row.id, row.line)])
            if row.record is not None and row.record.stamps and name not in RESERVED_META:
                meta = meta_line(row.record, known.get(name), Numbering(actors, spaces))
                metas.add([(row.id, jsontext.dumps_to_keep(meta))])
        table = writer.table(name, bound=int(archive.reader.table_size(name) * 1.1))
        for _, lines in rows.groups():
            for line in lines:
                table.add(line)
        for _, lines in metas.groups():
            for line in lines:
                table.add_meta(line)
        table.close()
        for line in actors.take():
            actor_lines.add(line)
        done += archive.reader.table_size(name)
        tell(done, total)
    actor_lines.close()
    if len(spaces):
        writer.add(names.entry("meta", "spaces"), b"\n".join([*spaces.lines(), b""]))
