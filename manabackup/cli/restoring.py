"""Words for plans that write into an account, and for what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ..errors import UsageError
from ..operations.files.returned import NotReturned
from ..operations.progress import Step
from ..operations.restore.decision import Fault, Reason, RowAction
from ..operations.restore.plan import RestorePlan
from ..operations.restore.result import RestoreResult
from ..text.printable import counted, one_line, printable
from .prompts import ask
from .run import Run

COLUMNS = (
    RowAction.INSERT,
    RowAction.UPDATE,
    RowAction.REVIVE,
    RowAction.REPAIR,
    RowAction.UNCHANGED,
    RowAction.SKIPPED,
    RowAction.CONFLICT,
)
STEPS = {
    Step.LOOK: "looking for files",
    Step.READ_TARGET: "reading the target",
    Step.PLAN: "planning",
    Step.FILES: "sending files",
    Step.PUSH: "sending",
    Step.READ_AGAIN: "verifying",
}
MEANINGS = {
    Reason.EXISTS: "the target has another version, which is kept (--on-conflict skip)",
    Reason.TARGET_IS_NEWER: "the target's version is newer, or nobody knows (--on-conflict newer)",
    Reason.AI_NOT_REPLACED: "to be seen they would have to be replaced, which a runner on the server takes as deleted: "
    "--replace-ai does it all the same",
    Reason.DELETED: "lay in the bin when the archive was made (--include-deleted restores them as such)",
    Reason.OTHER_SPACE: "belong to a shared space: --map-space OLD=NEW, or --shared-into-personal",
    Reason.UNKNOWN_SPACE: "belong to a space of which nobody knows whether it is shared: --map-space OLD=personal says "
    "that an archive's is not, --personal-space ID which of the target's is not",
    Reason.IN_ANOTHER_SPACE: "stand in another space of the target, from where they are not moved",
    Reason.PRIVATE_INTO_SHARED: "are private, and every member of a shared space would get them: --yes-private",
    Reason.SUPERSEDED: "a later version of the same row is restored",
    Reason.EDITED_MEANWHILE: "were edited after the plan, and are left as they are: the same command plans anew",
    Reason.TARGET_UNREADABLE: "the server failed to give what the target holds of their table",
    Reason.UNKNOWN_TABLE: "this version knows nothing of their table",
    Reason.NUL: "hold a NUL character, which the server refuses",
    Reason.NUMBER: "hold a number that the server refuses",
    Reason.NESTING: "nest deeper than the server allows",
    Reason.TOO_LARGE: "are larger than a request may be",
    Reason.BAD_ID: "have an id that the server would change",
}
FAULTS = {
    Fault.NOT_SHOWN: "is not shown",
    Fault.IN_THE_BIN: "lies in the bin",
    Fault.OTHER_VALUES: "other values:",
}
FILES = {
    NotReturned.TOO_LARGE: "larger than the service takes (100 MiB; 5 GiB of a song)",
    NotReturned.REFUSED: "the service does not take them",
    NotReturned.ALTERED: "the media service makes something else of them, as it does of HEIC",
    NotReturned.UNAVAILABLE: "the service could not be asked, or does not give back what it has: the same command "
    "tries again",
    NotReturned.NO_ROUTE: "documents and songs, and nobody says where the API is that takes them: --to-api-url",
}
_EDITED = {
    "overwritten": "an edit was overwritten that came while rows were sent",
    "setAside": "edited after the plan, and left as it is",
    "kept": "edited meanwhile; the edit stands",
}
_NAMED = 10
_REPLACED = (
    "a device that edits one of them before it has synced shows the restored value while all others show its edit, "
    "until it signs in afresh"
)
_UNTIMED = (
    "where such a field is edited before all devices have synced, those that had not may go on showing what it said "
    "before, until it is edited again"
)
_NESTED = "an older edit inside them, made offline and not synced yet, will win over what is restored"


_SELDOM = frozenset({RowAction.REPAIR, RowAction.REVIVE})
"""Columns that would mostly be empty, and the table too wide with them for a terminal."""


def plan_table(plan: RestorePlan, columns: Sequence[RowAction] = COLUMNS) -> Iterator[str]:
    """Rows by table and kind."""
    if not plan.tables:
        return
    columns = [kind for kind in columns if kind not in _SELDOM or plan.count(kind)]
    name_width = max(len("table"), *(len(printable(name)) for name in plan.tables))
    widths = [2 + max(len(kind.value), len(f"{plan.count(kind):,}")) for kind in columns]

    def line(name: str, cells: Iterable[str]) -> str:
        return f"{name:<{name_width}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))

    yield line("table", (kind.value for kind in columns))
    for name, rows in plan.tables.items():
        if any(rows[kind.value] for kind in columns):
            yield line(printable(name), (f"{rows[kind.value]:,}" for kind in columns))
    yield line("all", (f"{plan.count(kind):,}" for kind in columns))


def file_lines(plan: RestorePlan, *, everything: bool) -> Iterator[str]:
    """What becomes of files; with ``everything`` single ones are named, too."""
    files = plan.files
    if not files.files:
        return
    held = f"{counted(files.files, 'file')} that the archive holds ({counted(files.references, 'reference')} in rows)"
    if not files.asked:
        yield f"files: {held} stay where they are; --files sends those that the server does not have"
        return
    led = f"; rows are led to {counted(files.led_anew, 'file')} under new ids or keys" if files.led_anew else ""
    yield (
        f"files: {held}: {files.present:,} are on the server, "
        f"{files.to_send:,} to be sent ({files.to_send_bytes:,} bytes){led}"
    )
    yield from lost_files(plan, everything=everything)


def lost_files(plan: RestorePlan, *, everything: bool) -> Iterator[str]:
    """Files that cannot be put back."""
    for reason, count in sorted(plan.files.lost.items()):
        yield f"not put back: {counted(count, 'file')}: {FILES[NotReturned(reason)]}"
    for case in plan.files.cases if everything else ():
        yield f"  {case['sha256']}: {one_line(case['table'])} {one_line(case['id'])} ({case['reason']})"


def warn_of_devices(run: Run, plan: RestorePlan) -> None:
    """What devices of the target may show otherwise for a while."""
    if plan.replaced:
        run.terminal.warning(f"{plan.replaced:,} rows are replaced: {_REPLACED}")
    if plan.untimed:
        run.terminal.warning(f"{plan.untimed:,} rows bear no time: {_UNTIMED}")
    if plan.nested:
        run.terminal.warning(f"{plan.nested:,} rows hold nested data: {_NESTED}")
    for app, count in plan.large_apps.items():
        run.terminal.warning(
            f"{app}: {count:,} changes; a device that is open meanwhile can miss some, and should sign in afresh"
        )


def tell_skipped(run: Run, result: RestoreResult) -> None:
    """With ``-q`` nobody saw the plan: why the exit code says that something is missing."""
    if result.losses and run.settings.verbosity < 0:
        for reason, count in sorted(result.plan.reasons.items()):
            run.terminal.warning(f"skipped: {counted(count, 'row')}: {MEANINGS[Reason(reason)]}")


def tell_refused(run: Run, result: RestoreResult) -> None:
    """What did not come to be as it was planned, and what others did meanwhile."""
    for table, record, words in result.failures[:_NAMED]:
        run.terminal.warning(f"refused: {table} {record}: {words}")
    if result.failed > _NAMED:
        run.terminal.warning(f"refused: {result.failed:,} rows in all; --json lists more of them")
    for outcome, cases in groupby(result.edits, key=lambda case: case["outcome"]):
        found = list(cases)
        tell = run.terminal.note if outcome == "kept" else run.terminal.warning
        for case in found[:_NAMED]:
            tell(f"{one_line(case['table'])} {one_line(case['id'])}: {_EDITED[outcome]}")
        if len(found) > _NAMED:
            tell(f"{len(found) - _NAMED:,} rows more: {_EDITED[outcome]}; --json lists them")
    if result.verification is not None and result.verification.differing:
        run.terminal.warning(f"{result.verification.differing:,} rows are not as planned; --json lists them")


def words_for(result: RestoreResult) -> str:
    """What the verification says."""
    verification = result.verification
    if verification is None or verification.ok:
        return "verified"
    if verification.differing:
        return "NOT as planned"
    return f"verified, but {result.overwritten:,} rows had an edit that was overwritten"


def ask_for_yes(question: str, *, what: str = "account", option: str = "--yes") -> None:
    """Asks whether the account is the right one. Raises :class:`UsageError` where nobody says yes."""
    answer = ask(f"{question}? Type yes to go on")
    if answer is None:
        raise UsageError(f"nobody is there to confirm the {what}", hint=f"{option}, once the {what} is the right one")
    if answer.lower() not in ("y", "yes"):
        raise UsageError("not confirmed; nothing was sent")
