"""Seal and unseal a large archive, against AES-GCM alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from manabackup.operations.archives import reseal

from ..data import prose
from ..measure import MIB, Measurement, Meter, interleaved, run, typical
from ..report import Line, memory
from ..setting import PASSPHRASE, Setting
from .export import MANY, write_archive

_SPEED = re.compile(r"^AES-256-GCM\s+([0-9.]+)k$", re.MULTILINE)
_LOOP_BYTES = 1 << 30


def measure(setting: Setting) -> list[Line]:
    """Both ways, by the bytes of the plain archive as it lies on the disk, and by those that it holds, inflated."""
    dataset = setting.data(prose(setting.rows, copies=1 if setting.quick else MANY))
    plain, sealed = setting.scratch / "seal.mana", setting.scratch / "seal.sealed.mana"
    run(write_archive, folder=dataset.folder, target=str(plain))
    results = interleaved(
        1,
        {
            "limit": lambda: run(aes_gcm, cores=1),
            "seal": lambda: run(seal, source=str(plain), target=str(sealed)),
            "unseal": lambda: run(unseal, source=str(sealed), target=str(plain)),
        },
    )
    megabytes = plain.stat().st_size / MIB
    with zipfile.ZipFile(plain) as container:
        content = sum(entry.file_size for entry in container.infolist()) / MIB
    limit, name = _limit(results["limit"])
    lines = []
    for what in ("seal", "unseal"):
        wall = typical(results[what]).wall
        for amount, of in ((megabytes, "deflated"), (content, "inflated")):
            speed = amount / wall
            lines.append(
                Line(
                    f"{what} of {amount:,.0f} MB, {of}",
                    f"{speed:,.0f} MB/s",
                    f"{name} {limit:,.0f} MB/s",
                    f"{speed / limit:.2f}",
                    "≥ 0.25",
                )
            )
    return [*lines, *(Line(f"{what}, memory", memory(results[what]), "", "", "≤ 64 MB") for what in ("seal", "unseal"))]


def seal(meter: Meter, *, source: str, target: str) -> dict[str, Any]:
    """What ``seal`` does."""
    with meter:
        written = reseal.seal(Path(source), Path(target), lambda: PASSPHRASE, force=True)
    return {"rows": written.rows}


def unseal(meter: Meter, *, source: str, target: str) -> dict[str, Any]:
    """What ``unseal`` does."""
    with meter:
        written = reseal.unseal(Path(source), Path(target), lambda: PASSPHRASE, force=True)
    return {"rows": written.rows}


def aes_gcm(meter: Meter) -> dict[str, Any]:
    """The library's cipher over one block that stays in the processor's cache."""
    encryptor = Cipher(AES(bytes(32)), GCM(bytes(12))).encryptor()
    block, out = bytes(16 << 10), bytearray(16 << 10)
    with meter:
        for _ in range(_LOOP_BYTES // len(block)):
            encryptor.update_into(block, out)
    return {}


def _limit(loop: list[Measurement]) -> tuple[float, str]:
    """MB/s of AES-GCM in C, as OpenSSL's own benchmark says or, without that program, the library's cipher."""
    program = shutil.which("openssl")
    if program is not None:
        argv = [program, "speed", "-seconds", "2", "-bytes", "16384", "-evp", "aes-256-gcm"]
        match = _SPEED.search(subprocess.run(argv, capture_output=True, text=True, check=False).stdout)
        if match is not None:
            return float(match[1]) * 1000 / MIB, "openssl speed"
    return _LOOP_BYTES / MIB / typical(loop).cpu, "AES-GCM in a loop"
