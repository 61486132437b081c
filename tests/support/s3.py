"""An S3 server for tests: moto's, or one in front of it that passes over conditions, as some do."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

from .relay import Relay

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "geheim/+secret", "AWS_REGION": "us-east-1"}
_SOMEBODY = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request"}


@contextmanager
def moto() -> Iterator[int]:
    """The port of a server; its buckets are those of all tests of this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


def request(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
) -> tuple[int, bytes]:
    """What moto answers to somebody whom it does not ask who they are."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request(method, path, content, headers={**_SOMEBODY, **(headers or {})})
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def headers(port: int, path: str) -> dict[str, str]:
    """What moto says of an object, by names in lower case."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request("HEAD", path, headers=_SOMEBODY)
        return {name.lower(): value for name, value in line.getresponse().getheaders()}
    finally:
        line.close()


def new_bucket(port: int, *, locked: bool = False) -> str:
    """A bucket of its own."""
    name = f"bucket-{uuid4().hex[:12]}"
    status, body = request(port, "PUT", f"/{name}", {"x-amz-bucket-object-lock-enabled": "true"} if locked else None)
    assert status == 200, body
    return name


def careless(relay: Relay) -> Relay:
    """Makes a relay one that forgets conditions."""
    relay.forget = ("If-None-Match",)
    return relay
