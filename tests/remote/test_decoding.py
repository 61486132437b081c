"""Bodies in content codings, whole or cut or of noise."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from manabackup.remote.decoding import BrokenCodingError, TooLargeError, decoded, read_body

codings = st.sampled_from(["", "identity", "gzip", "x-gzip", "deflate", "zstd", " GZIP "])


def encode(body: bytes, coding: str) -> bytes:
    match coding.strip().lower():
        case "gzip" | "x-gzip":
            return gzip.compress(body, 1)
        case "deflate":
            return zlib.compress(body)
        case "zstd":
            return zstandard.compress(body)
    return body


@given(parts=st.lists(st.binary(max_size=2_000), min_size=1, max_size=3), coding=codings, step=st.integers(1, 700))
def test_a_body_comes_out_as_it_went_in_whatever_the_coding_and_the_chunks(
    parts: list[bytes], coding: str, step: int
) -> None:
    wire = b"".join(encode(part, coding) for part in parts)
    chunks = [wire[at : at + step] for at in range(0, len(wire), step)]
    assert read_body(decoded(chunks, coding), 10_000) == b"".join(parts)


@given(body=st.binary(min_size=1, max_size=2_000), coding=codings, less=st.integers(1, 100))
def test_a_body_of_more_than_the_limit_is_refused_whatever_the_coding(body: bytes, coding: str, less: int) -> None:
    with pytest.raises(TooLargeError):
        read_body(decoded([encode(body, coding)], coding), max(0, len(body) - less))


@given(body=st.binary(max_size=500), coding=st.sampled_from(["gzip", "deflate", "zstd"]), data=st.data())
def test_a_compressed_body_cut_anywhere_is_noticed(body: bytes, coding: str, data: st.DataObject) -> None:
    wire = encode(body, coding)
    cut = data.draw(st.integers(1, len(wire) - 1))
    with pytest.raises(BrokenCodingError):
        read_body(decoded([wire[:cut]], coding), 10_000)


@given(noise=st.binary(min_size=1), coding=st.sampled_from(["gzip", "deflate", "zstd", "br", "compress"]))
def test_noise_is_refused_or_read_and_never_anything_else(noise: bytes, coding: str) -> None:
    try:
        read_body(decoded(io.BytesIO(noise), coding), 100)
    except (BrokenCodingError, TooLargeError):
        return
    assert coding in ("gzip", "deflate", "zstd")
