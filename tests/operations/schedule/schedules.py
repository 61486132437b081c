"""A schedule to try things with."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manabackup.operations.schedule import Schedule, SecretPlace, When
from manabackup.operations.schedule.spec import SecretKind

PROGRAM = (sys.executable, "-P", "-m", "manabackup")
FILE = SecretPlace(SecretKind.FILE, "/home/anna/.secrets/pass phrase")


def schedule(*words: str, at: str = "03:00", every: str = "day", **more: Any) -> Schedule:
    made = Schedule(
        name="backup",
        words=words or ("pull",),
        when=When.parse(at, every, "Mon"),
        program=PROGRAM,
        state_dir="/home/anna/.local/state/manabackup",
        manager="none",
        installed_at="2026-11-01T12:00:00+00:00",
    )
    return replace(made, **more)


def tool(name: str) -> str:
    """A program of the system that a test needs. Without it CI fails, and others are told that they tried less."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("MANABACKUP_SYSTEM_TOOLS") == "required":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path
