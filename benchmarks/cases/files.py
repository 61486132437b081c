"""Export with files, against a loop that downloads the same files and does nothing else.

Both ask the embedded media service, a process of its own, over as many connections. It makes each picture when it is
asked for it, so that it works for what it sends.
"""

from __future__ import annotations

import http.client
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

from manabackup.cli.memory import share_one_heap
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import SignInError
from manabackup.limits import DEFAULT_LIMITS
from manabackup.model.registry import load
from manabackup.operations.export import Source, export
from manabackup.operations.files.packing import FileSource
from manabackup.operations.files.services import Addresses, services
from manabackup.operations.files.store import FileStore
from manabackup.sandbox import FileStore as ServedFiles

from ..data import PICTURE_BYTES, Dataset, illustrated, opened
from ..measure import BrokenOutputError, Measurement, Meter, interleaved, run
from ..report import Line, memory, rate, seconds, speed_ratio, time_ratio
from ..server import FileServer, serving_files
from ..setting import Setting

CONNECTIONS = DEFAULT_LIMITS.file_connections
ROUNDS = 3
_PIECE = 256 << 10


def measure(setting: Setting) -> list[Line]:
    """A first export and one that finds nothing new, from a server at its own pace and at that of a real one."""
    pictures = 200 if setting.quick else 10_000
    dataset = setting.data(illustrated(pictures))
    lines = []
    for where, real, wanted in (("", False, ""), (", at a real service's pace", True, "≥ 0.9")):
        with serving_files(dataset, real=real) as server:
            lines += _lines(setting, dataset, server, (where, wanted))
    return lines


def _lines(setting: Setting, dataset: Dataset, server: FileServer, said: tuple[str, str]) -> list[Line]:
    where, wanted = said
    ids = setting.scratch / "ids.json"
    store, target = setting.scratch / "store", setting.scratch / "files.mana"
    with closing(ServedFiles(str(dataset.server / "files.sqlite3"))) as served:
        ids.write_text(json.dumps([medium.id for medium in served.media()]))
    requests: list[int] = []

    def write(*, afresh: bool) -> Measurement:
        if afresh:
            shutil.rmtree(store, ignore_errors=True)
        server.requests()
        measured = run(write_archive, folder=dataset.folder, url=server.url, store=str(store), target=str(target))
        requests.append(server.requests())
        return measured

    jobs = {
        "bare": lambda: run(download, url=server.url, ids=str(ids), folder=str(setting.scratch / "downloads")),
        "first": lambda: write(afresh=True),
        "again": lambda: write(afresh=False),
    }
    results = interleaved(min(setting.rounds, ROUNDS), jobs)
    count = len(json.loads(ids.read_text()))
    first, again = max(requests[::2]), max(requests[1::2])
    return [
        Line(
            f"export --files, first{where}",
            rate(results["first"], count, "pictures"),
            f"download loop {rate(results['bare'], count, 'pictures')}",
            speed_ratio(results["first"], results["bare"]),
            wanted,
        ),
        Line(
            f"export --files, nothing new{where}",
            seconds(results["again"]),
            f"first {seconds(results['first'])}",
            time_ratio(results["again"], results["first"]),
            "≤ 0.2",
        ),
        Line(f"export --files, memory{where}", memory(results["first"]), "", "", "≤ 150 MB"),
        Line(f"export --files, requests a file{where}", f"{first / count:.2f}", "", "", ""),
        Line(f"the same, nothing new{where}", f"{again / count:.2f}", "", "", "≤ 1"),
    ]


def write_archive(meter: Meter, *, folder: str, url: str, store: str, target: str) -> dict[str, Any]:
    """What ``export --files`` does once it has pulled and has the key."""
    share_one_heap()  # as the command does, before there are threads
    dataset = opened(folder)
    cipher = FieldCipher(bytes.fromhex(dataset.master_key))
    with (
        dataset.mirror() as mirror,
        mirror.snapshot() as snapshot,
        services(Addresses(url, None), _NoToken()) as asked,
    ):
        source = Source(snapshot, load(), dataset.user_id, cipher)
        Path(store).mkdir(exist_ok=True)
        with meter, FileStore(Path(store), cipher) as held:
            result = export(source, Path(target), files=FileSource(held, asked), force=True)
    if result.files.files < dataset.pictures:
        raise BrokenOutputError(f"{result.files} of {dataset.pictures} pictures")
    return {}


class _NoToken:
    """The media service knows no login."""

    def token(self) -> str:
        raise SignInError("nobody is signed in")

    def refresh(self, rejected: str | None = None) -> str | None:
        return None


def download(meter: Meter, *, url: str, ids: str, folder: str) -> dict[str, Any]:
    """Each file into a file of its own, and nothing about it looked at but its length."""
    place = Path(folder)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    kept = local()

    def one(identifier: str) -> int:
        if not hasattr(kept, "connection"):
            kept.connection = http.client.HTTPConnection(urlsplit(url).netloc)
        kept.connection.request("GET", f"/api/v1/media/{identifier}/file")
        answer = kept.connection.getresponse()
        size = 0
        with (place / identifier).open("wb", buffering=0) as file:
            while piece := answer.read(_PIECE):
                size += file.write(piece)
        return size

    with meter, ThreadPoolExecutor(CONNECTIONS) as pool:
        sizes = list(pool.map(one, json.loads(Path(ids).read_text())))
    if set(sizes) != {PICTURE_BYTES}:
        raise BrokenOutputError("not all pictures came whole")
    return {}
