"""Signature Version 4, against the examples that its document computes (AWS, "Examples: Signature Calculations")."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from manabackup.storage.signing import Keys, ToSign, encoded_path, encoded_query, signed

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
MOMENT = datetime(2013, 5, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("params", "signature"),
    [
        ({"lifecycle": ""}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ({"prefix": "J", "max-keys": "2"}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_requests_are_signed_as_in_the_document(params: dict[str, str], signature: str) -> None:
    request = ToSign("GET", "examplebucket.s3.amazonaws.com", "/", encoded_query(params))
    proved = signed(request, KEYS, "us-east-1", MOMENT)
    assert proved["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
    )


def test_what_is_signed_is_what_is_sent() -> None:
    assert encoded_path("/täglich/a b+c%.mana") == "/t%C3%A4glich/a%20b%2Bc%25.mana"
    assert encoded_query({"b": "/", "a": "~ü"}) == "a=~%C3%BC&b=%2F"


def test_keys_are_not_shown() -> None:
    assert KEYS.secret not in repr(KEYS)
