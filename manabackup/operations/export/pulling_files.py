"""Files alone: all rows are folded and looked at, what they refer to is fetched, and no archive is written."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from ...host.processes import InOrder, cores_for
from ...host.spooling import spool_files
from ...limits import DEFAULT_LIMITS, KIB, Limits
from ..account.source import Source
from ..files.packing import FileCounts, FileSource, Packer
from ..progress import Step, Watch, teller
from .blocks import Block, Task, fold_task
from .gathering import Gathering
from .plan import ExportPlan
from .selection import Selection
from .terms import FileTerms

_BLOCK_BYTES = 512 * KIB


def pull_files(
    source: Source,
    files: FileSource,
    *,
    selection: Selection | None = None,
    progress: Watch | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> FileCounts:
    """Fetches the files that the rows of the selection refer to into the store of ``files``.

    ``progress`` is told of :attr:`Step.EXPORT` and :attr:`Step.FILES`. Raises :class:`UsageError` for tables that do
    not exist, :class:`OutputError`.
    """
    plan = ExportPlan.of(source, selection or Selection(), limits)
    terms = plan.terms(datetime.now(UTC), limits, FileTerms.LIST)
    make_file = spool_files(files.store.folder / "references")
    packer = Packer(files, make_file, user_id=source.user_id, limits=limits, progress=progress)
    tell = teller(progress, Step.EXPORT)
    done, total = 0, plan.changes

    def add(block: Block) -> None:
        packer.add(block.found, block.inline, block.references)

    folding: InOrder[Task, Block]
    with InOrder(partial(fold_task, terms, plan.streams), cores_for(plan.bytes)) as folding:
        for number, stream in enumerate(plan.streams):
            gathering = Gathering(source.mirror, stream, make_file)
            while (read := gathering.step()) is not None:
                done += read
                tell(done, total)
            for pairs in gathering.sorter.blocks(_BLOCK_BYTES):
                if not folding.offer((number, pairs)):
                    folding.do((number, pairs))
                for block in folding.ready():
                    add(block)
        for block in folding.rest():
            add(block)
    packer.add_account(source.account)
    packer.fetch()
    for found in packer.outcomes():
        packer.count(found)
    return packer.counts
