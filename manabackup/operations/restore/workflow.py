"""How a task that writes into an account comes to its end: what was begun, the plan, the question, and the rest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from ..progress import Watch
from .job import Job
from .plan import RestorePlan
from .result import RestoreResult

Confirm: TypeAlias = Callable[[RestorePlan], bool]
"""Is shown the plan, once, before anything is sent, and says whether to go on. Also where nothing is to be sent."""

_Job = TypeVar("_Job", bound=Job)


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a task is carried out."""

    folder: Path
    """What is still to be sent lies here; one folder for an account."""
    confirm: Confirm
    resume: bool = True
    """Whether to go on with what was begun before, in place of giving it up."""
    dry_run: bool = False
    """There is only to be a plan, made beside the folder, so that what was begun before stays."""
    progress: Watch | None = None


def carry_out(
    make_job: Callable[[Path], _Job], make_plan: Callable[[_Job], RestorePlan | None], conduct: Conduct
) -> RestoreResult | None:
    """Goes on with a task or plans it anew, asks, sends, verifies, and forgets it.

    What ``confirm`` says no to is not sent: a new plan is forgotten, and what was begun before stays as it was. Gives
    None where there is nothing to plan (``make_plan`` gives None).
    """
    folder, progress = conduct.folder, conduct.progress
    rehearsal = folder.with_name(f"{folder.name}.dry")
    if conduct.dry_run:
        with make_job(rehearsal) as job:
            plan = make_plan(job)
            return None if plan is None else job.planned(plan, dry_run=True)
    shutil.rmtree(rehearsal, ignore_errors=True)  # of a dry run that was killed
    with make_job(folder) as job:
        if not conduct.resume:
            job.abandon()
        plan = job.resumed() or make_plan(job)
        if plan is None:
            return None
        if not conduct.confirm(plan):
            return job.planned(plan)
        verification = None
        if plan.is_to_be_sent:
            job.push(progress)
            verification = job.verify(progress)
        result = job.result(verification)
        job.forget()
    return result
