from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.text.timestamps import FAR_FUTURE, SECOND, format_timestamp, parse_timestamp

MICROS = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
)


@given(MICROS)
def test_what_is_formatted_parses_to_the_same_microsecond(micros: int) -> None:
    assert parse_timestamp(format_timestamp(micros)) == micros


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01z", SECOND),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T19:00:00.5-05:00", SECOND // 2),
        ("2999-01-01T00:00:00Z", FAR_FUTURE),
    ],
)
def test_a_timestamp_means_microseconds_since_1970(text: str, micros: int) -> None:
    assert parse_timestamp(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1970-01-01",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-13-01T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "1970-01-01T00:00:00Z\n",
        "１970-01-01T00:00:00Z",
    ],
)
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_timestamp(text)


@pytest.mark.parametrize(("micros", "text"), [(0, "1970-01-01T00:00:00Z"), (10, "1970-01-01T00:00:00.00001Z")])
def test_trailing_zeros_are_cut(micros: int, text: str) -> None:
    assert format_timestamp(micros) == text
