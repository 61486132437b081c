"""One restore from beginning to end: what is asked for, and the plan. The other steps are those of :mod:`.job`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...archive.reader import Archive
from ...errors import ServerError, UsageError, WrongKeyError
from ...model.file_moves import FileMoves
from ...model.registry import Table
from ...model.spaces import PERSONAL, SENTINEL
from ...rows.archived import is_ours, require_mana
from ...text import jsontext
from ...text.printable import printable
from ..files.returned import NotReturned
from ..progress import Step, Watch, teller
from .archive_rows import ONE_PER_SPACE, ArchiveRows, RowOptions, RowTarget
from .decision import OnConflict, Rules
from .files import FileTarget, RestoredFiles
from .identity import ArchiveSpaces, SpaceOptions
from .job import Job, PlannedRow
from .outbox import Item, Stage, State
from .plan import RestorePlan
from .planning import Planner, Tables
from .sent_objects import SentObjects, sent_beside
from .target import RestoreTarget
from .target_account import TargetAccount
from .writing import Writer

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """What is asked for. Empty sequences mean everything."""

    on_conflict: OnConflict = OnConflict.OVERWRITE
    apps: Sequence[str] = ()
    tables: Sequence[str] = ()
    ids: Sequence[str] = ()
    """Ids of rows in the archive."""
    spaces: Sequence[str] = ()
    """Spaces of the archive: ids, ``#n``, or ``personal``, which includes the tables of the user."""
    map_space: Sequence[str] = ()
    """``OLD=NEW``."""
    shared_into_personal: bool = False
    shared_plaintext: bool = False
    private_into_shared: bool = False
    include_deleted: bool = False
    replace_ai: bool = False
    repair: bool = False
    """Also write rows that are as in the archive where a device that signs in afresh shows something else."""
    keep_visibility: bool = False
    in_clear: bool = False
    """Store private fields in clear where the target has no vault."""


class RestoreJob(Job):
    """One restore of an open archive into an account; ``folder`` is its own.

    Everything raises also :class:`DamagedArchiveError`.
    """

    def __init__(
        self,
        archive: Archive,
        account: TargetAccount,
        order: RestoreOrder,
        folder: Path,
        *,
        files: FileTarget | None = None,
        sent: Path | None = None,
    ) -> None:
        """``sent`` is the file in which stands what was sent into buckets, by default one beside the folder."""
        require_mana(archive.manifest)
        super().__init__(account, folder)
        self._archive = archive
        self._order = order
        self._file_target = files
        self._sent = SentObjects(sent or sent_beside(folder))
        self._files = self._restored_files()
        self._progress: Watch | None = None

    def push(self, progress: Watch | None = None) -> None:
        """As that of every job. Raises also :class:`DamagedArchiveError`."""
        self._progress = progress
        super().push(progress)

    def forget(self) -> None:
        """As that of every job. What was sent stays noted until rows lead there."""
        if self._outbox.stage is Stage.VERIFYING:
            lost = RestorePlan.of_json(self._outbox.recall("report")).files.losses
            if not lost and not any(state is State.FAILED for _, state in self._outbox.counts()):
                self._sent.forget()
        super().forget()

    def plan(self, progress: Watch | None = None) -> RestorePlan:
        """Reads the target, decides on every row, and fills the outbox. Nothing is sent.

        Raises :class:`UsageError` for what cannot be done, :class:`WrongKeyError` for an archive under another key,
        :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`.
        """
        self._check_key()
        spaces = self._archive_spaces()
        chosen = Tables(self._order.apps, self._order.tables).chosen(self._archive, self._registry)
        filled = [name for name in chosen if self._archive.reader.table_size(name)]
        told = self._account.spaces.types is not None
        self._look_for_files(chosen, progress)
        plan = RestorePlan(files=self._files.plan)
        with self._planning(filled if told else [*filled, ONE_PER_SPACE], progress) as (target, now):
            if not told:
                self._look_for(spaces, target, plan)
            self._files.look_in_rows(target, progress)
            planner = self._planner(spaces, target, now, plan, moves=self._files.moves())
            planner.plan(chosen, self._outbox, teller(progress, Step.PLAN))
        if planner.rows.not_found:
            missing = ", ".join(map(printable, planner.rows.not_found[:_MOST_NAMED]))
            hint = "`manabackup cat FILE TABLE` shows the rows of a table"
            raise UsageError(f"the archive has no row {missing} in what is to be restored of it", hint=hint)
        self._remember(plan)
        return plan

    # --- below

    def _look_for(self, spaces: ArchiveSpaces, target: RestoreTarget, plan: RestorePlan) -> None:
        """Looks for signs that the account is a member of the spaces that rows may go to, where nobody tells."""
        wanted = {space for space in spaces.destinations if not space.startswith(SENTINEL)}
        seen = target.spaces(wanted) if wanted else set[str]()
        plan.unconfirmed_spaces = dict.fromkeys(sorted(wanted - seen), 0)
        if plan.unconfirmed_spaces:
            plan.seen_spaces = sorted(space for space in seen if not space.startswith(SENTINEL))[:_MOST_NAMED]

    def _planner(
        self,
        spaces: ArchiveSpaces,
        target: RestoreTarget,
        now: str,
        plan: RestorePlan,
        ids: Collection[str] | None = None,
        *,
        moves: FileMoves | None,
    ) -> Planner:
        """``ids`` are those of the rows in the archive that are looked at; by default those that were asked for."""
        options = RowOptions(
            frozenset(self._order.ids if ids is None else ids),
            self._chosen_spaces(spaces),
            self._order.keep_visibility,
            self._order.in_clear and not self._account.has_vault,
        )
        to = RowTarget(self._registry, spaces, target.homes(), self._account.cipher, moves)
        rows = ArchiveRows(self._archive, to, options, self._make_file)
        rules = Rules(now, self._order.on_conflict, self._order.replace_ai, self._order.repair)
        writer = Writer(self._account.spaces, rules, private_into_shared=self._order.private_into_shared)
        return Planner(
            self._archive, self._registry, rows, spaces, target, writer, self._order.include_deleted, plan, self._files
        )

    def _again(
        self, table: Table, stale: Mapping[str, Item], target: RestoreTarget, now: str
    ) -> Iterator[tuple[Item, PlannedRow]]:
        same = table.name not in self._registry.well_known_ids and table.name != ONE_PER_SPACE
        ids = stale.keys() if same else None  # elsewhere a row may have another id in the archive
        moves = self._known_moves(target)
        return self._planner(self._archive_spaces(), target, now, RestorePlan(), ids, moves=moves).again(table, stale)

    def _prepare(self, progress: Watch | None) -> None:
        if self._file_target is None:
            return
        rows = self._files.send(teller(progress, Step.FILES))
        report = RestorePlan.of_json(self._outbox.recall("report"))
        report.files = self._files.plan
        self._plan_rows_anew(report, rows)

    def _restored_files(self) -> RestoredFiles:
        user = self._account.connection.user_id
        return RestoredFiles(self._archive, self._file_target, self._registry, user, self._sent)

    def _look_for_files(self, tables: Collection[str], progress: Watch | None = None) -> None:
        self._files = self._restored_files()
        ids = self._order.ids
        self._files.look(lambda table, id_: table in tables and (not ids or id_ in ids), progress)

    def _known_moves(self, target: RestoreTarget) -> FileMoves | None:
        """Where files are by now, also for a run that goes on with what another one began."""
        if self._file_target is None:
            return None
        if not self._files.looked:
            chosen = Tables(self._order.apps, self._order.tables).chosen(self._archive, self._registry)
            self._look_for_files(chosen, self._progress)
            before = RestorePlan.of_json(self._outbox.recall("report")).files.lost[NotReturned.UNAVAILABLE.value]
            if self._files.plan.lost[NotReturned.UNAVAILABLE.value] > before:
                raise ServerError("the services do not say which files they have")
        self._files.look_in_rows(target, self._progress)
        return self._files.moves(planned=False)

    @property
    def _stops_at_conflicts(self) -> bool:
        return self._order.on_conflict is OnConflict.FAIL

    def _check_key(self) -> None:
        manifest, cipher = self._archive.manifest, self._account.cipher
        if manifest.fields_plaintext:
            if cipher is None and self._account.has_vault:
                raise UsageError("the target's key is needed to encrypt the archive's private fields")
            if cipher is None and not self._order.in_clear:
                raise UsageError(
                    "the target account has no key: its private fields would lie on the server in clear",
                    hint="sign in to the web app with it once, which makes a key",
                )
            return
        if not self._account.has_vault:
            raise WrongKeyError("the archive is encrypted, and the target account has no key")
        stated = manifest.key_fingerprint
        own = cipher.fingerprint if cipher is not None else self._account.known_fingerprint
        if own is not None and stated is not None and stated != own:
            raise WrongKeyError(
                f"the archive is encrypted under another key ({stated}) than the target's ({own})",
                hint="`manabackup rekey` puts it under the target's key",
            )

    def _archive_spaces(self) -> ArchiveSpaces:
        archive, manifest = self._archive, self._archive.manifest
        found = () if is_ours(archive) else self._spaces_in_rows()
        spaces = ArchiveSpaces.of(archive.meta("spaces"), found, self._account.spaces)
        scope, stated = manifest.raw["scope"], manifest.raw.get("filter")
        narrowed = isinstance(stated, dict) and bool(stated.get("spaces"))
        spaces.settle(
            SpaceOptions(self._order.map_space, self._order.shared_into_personal, self._order.shared_plaintext),
            holds_everything=isinstance(scope, dict) and scope.get("type") == "full" and not narrowed,
            fields_plaintext=manifest.fields_plaintext,
        )
        return spaces

    def _spaces_in_rows(self) -> Iterator[str]:
        for name in self._archive.tables:
            table = self._registry.by_name.get(name)
            for row in self._archive.rows(name) if table is not None and table.scope == "space" else ():
                space = row.values().get("spaceId")
                if type(space) is str and space:
                    yield space

    def _chosen_spaces(self, spaces: ArchiveSpaces) -> set[int] | None:
        if not self._order.spaces:
            return None
        chosen: set[int] = set()
        for name in self._order.spaces:
            chosen.update(spaces.named(name))
            if name == PERSONAL:
                chosen.add(-1)
        return chosen

    def _command(self) -> str:
        manifest = self._archive.manifest
        content = manifest.data_sha256 or jsontext.dumps(manifest.raw).decode("utf-8", "surrogatepass")
        cipher = self._account.cipher
        asked: Mapping[str, Any] = {
            **{name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self._order).items()},
            "onConflict": self._order.on_conflict.value,
            "on_conflict": None,
            "content": content,
            "home": self._account.spaces.home,
            "key": cipher.fingerprint if cipher is not None else None,
            **({"files": self._file_target.address} if self._file_target is not None else {}),
        }
        return hashlib.sha256(jsontext.dumps(asked)).hexdigest()

    def _called(self) -> str:
        return f"a restore of {self._archive.path.name} into this account"
