"""One small archive of each kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from manabackup.archive.reader import open_archive
from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.operations.archives.reseal import seal, unseal
from manabackup.operations.rekey import rekey
from tests.support.exports import write_export
from tests.support.v1_exports import FOLDER as V1
from tests.support.v1_exports import KEY

from .classified import PASSPHRASE, PLAIN, SEALED_BY_US, VECTORS


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small archive of each command that seals."""
    folder = tmp_path_factory.mktemp("sealed")
    path = {name: folder / f"{name}.mana" for name in SEALED_BY_US}
    write_export(path["export"], seal=Seal(PASSPHRASE))
    write_export(path["export-private"], seal=Seal(PASSPHRASE, private=True))
    seal(VECTORS / "plain-small.mana", path["seal"], lambda: PASSPHRASE)
    seal(VECTORS / "plain-small.mana", path["seal-private"], lambda: PASSPHRASE, private=True)
    for name, source in (("rekey", VECTORS / "plain-small.mana"), ("rekey-of-sealed", path["seal"])):
        with open_archive(source, lambda: PASSPHRASE) as archive:
            rekey(archive, path[name], FieldCipher(KEY), seal=Seal(PASSPHRASE))
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, sealed: dict[str, Path]) -> dict[str, Path]:
    """One small plain archive of each kind."""
    folder = tmp_path_factory.mktemp("plain")
    path = {name: folder / f"{name}.mana" for name in PLAIN}
    write_export(path["export"])
    unseal(sealed["export"], path["unseal"], lambda: PASSPHRASE)
    with open_archive(VECTORS / "plain-small.mana") as archive:
        rekey(archive, path["rekey"], FieldCipher(KEY))
    shutil.copy(VECTORS / "plain-small.mana", path["web-app"])
    shutil.copy(V1 / "life.mana", path["v1"])
    return path
