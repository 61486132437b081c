from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.crypto.fields import FieldCipher
from manabackup.operations.files.fetching import Fetcher
from manabackup.operations.files.services import Addresses, Services, services
from manabackup.operations.files.store import FileStore
from manabackup.remote.session import StaticToken
from manabackup.sandbox import Sandbox

CIPHER = FieldCipher(bytes(range(32)))


@pytest.fixture(scope="module")
def shared_box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def box(shared_box: Sandbox) -> Iterator[Sandbox]:
    """One server for all; no test leaves a fault behind."""
    shared_box.faults.silence_seconds = 0.05
    yield shared_box
    shared_box.faults.files = lambda method, target: None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    with FileStore(tmp_path / "files", CIPHER) as store:
        yield store


MakeFetcher = Callable[..., Fetcher]


@pytest.fixture
def fetcher(box: Sandbox, store: FileStore) -> Iterator[MakeFetcher]:
    """Makes a fetcher that waits for nobody."""
    user = box.accounts.create_user(f"{uuid4().hex}@example.org", "Straße-nach-Süden-7", "u")
    with ExitStack() as stack:

        def make(*, foreign: bool = False, **options: object) -> Fetcher:
            where = Addresses(box.media_url, getattr(box, "api_url", None))
            token = StaticToken(box.accounts.issue_token(user.id))
            asked: Services = stack.enter_context(services(where, token, foreign=foreign, sleep=lambda seconds: None))
            return Fetcher(store, asked, **options)  # type: ignore[arg-type] # a test's own

        yield make
