"""Buckets that tests write into behind the program's back, and look into: one class a kind of store."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from manabackup.storage import azure as azure_store
from manabackup.storage import google as google_store
from manabackup.storage.addresses import Address
from manabackup.storage.asking import Connect
from manabackup.storage.azure_account import Account as AzureAccount
from manabackup.storage.google_account import Account as GoogleAccount
from manabackup.storage.objects import ObjectPlace
from tests.support import azurite, gcs


class Bucket(Protocol):
    """A bucket of its own in a server of tests. Keys are without a slash before them."""

    @property
    def port(self) -> int: ...
    @property
    def address(self) -> str: ...

    def environ(self, port: int) -> dict[str, str]:
        """What an environment says to who asks through a port of this computer."""
        ...

    def place(self, port: int, key: str, *, at_once: int, connect: Connect, unsigned: bool = False) -> ObjectPlace:
        """A place to which what is larger than ``at_once`` goes in parts of that size."""
        ...

    def put(self, key: str, content: bytes) -> None: ...
    def remove(self, key: str) -> None: ...
    def content(self, key: str) -> bytes | None: ...
    def listed(self) -> list[str]: ...


@dataclass(frozen=True)
class AzureBucket:
    """A container in Azurite."""

    port: int
    name: str

    @property
    def address(self) -> str:
        return f"az://{self.name}"

    def environ(self, port: int) -> dict[str, str]:
        return azurite.environ(port)

    def place(self, port: int, key: str, *, at_once: int, connect: Connect, unsigned: bool = False) -> ObjectPlace:
        # A key's signature covers the condition; what a relay forgets of this one is not missed.
        account = AzureAccount.find(azurite.with_signature(port) if unsigned else azurite.environ(port))
        return ObjectPlace(
            Address.parse(f"{self.address}/{key}"), azure_store.opening(connect, account), at_once=at_once
        )

    def put(self, key: str, content: bytes) -> None:
        with azurite.container(self.port, self.name) as asked:
            headers = {"x-ms-blob-type": "BlockBlob"}
            assert asked.ask(asked.request("PUT", f"/{key}", headers, body=content)).status == 201

    def remove(self, key: str) -> None:
        with azurite.container(self.port, self.name) as asked:
            assert asked.ask(asked.request("DELETE", f"/{key}", {})).status in (202, 404)

    def content(self, key: str) -> bytes | None:
        with azurite.container(self.port, self.name) as asked:
            answer = asked.ask(asked.request("GET", f"/{key}", {"Accept-Encoding": "identity"}))
        return answer.body if answer.status == 200 else None

    def listed(self) -> list[str]:
        with azurite.container(self.port, self.name) as asked:
            answer = asked.ask(asked.request("GET", "", {}, params={"restype": "container", "comp": "list"}))
        return sorted(re.findall("<Blob><Name>(.*?)</Name>", answer.body.decode()))


@contextmanager
def azure() -> Iterator[Callable[[], AzureBucket]]:
    """A server, in which it makes buckets."""
    with azurite.azurite() as port:
        yield lambda: AzureBucket(port, azurite.new_container(port))


@dataclass(frozen=True)
class GoogleBucket:
    """A bucket in the double of Google Cloud Storage."""

    state: gcs.State
    name: str
    credentials: Path

    @property
    def port(self) -> int:
        return self.state.port

    @property
    def address(self) -> str:
        return f"gs://{self.name}"

    def environ(self, port: int) -> dict[str, str]:
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.credentials),
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"http://127.0.0.1:{port}/",
        }

    def place(self, port: int, key: str, *, at_once: int, connect: Connect, unsigned: bool = False) -> ObjectPlace:
        account = GoogleAccount.find(self.environ(port))
        return ObjectPlace(
            Address.parse(f"{self.address}/{key}"), google_store.opening(connect, account), at_once=at_once
        )

    def put(self, key: str, content: bytes) -> None:
        self.state.put(self.name, key, content)

    def remove(self, key: str) -> None:
        self.state.buckets[self.name].pop(key, None)

    def content(self, key: str) -> bytes | None:
        found = self.state.buckets[self.name].get(key)
        return None if found is None else found.content

    def listed(self) -> list[str]:
        return sorted(self.state.buckets[self.name])


@contextmanager
def google() -> Iterator[Callable[[], GoogleBucket]]:
    """The double, in which it makes buckets."""
    with gcs.gcs() as state, tempfile.TemporaryDirectory(prefix="mb-gcs-") as place:
        credentials = Path(place) / "key.json"
        credentials.write_text(state.key())
        yield lambda: GoogleBucket(state, state.new_bucket(), credentials)


BUCKETS: dict[str, Callable[[], AbstractContextManager[Callable[[], Bucket]]]] = {"az": azure, "gs": google}
"""Servers by kind of address, each of which makes buckets."""
