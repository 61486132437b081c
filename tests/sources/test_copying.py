"""The rows of a COPY, many at a time, are those that psycopg gives one by one."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain

import psycopg
import pytest

from manabackup.sources.copying import rows_as_they_come

_ROWS = b"COPY (SELECT n, repeat('x', n %% 3000) FROM generate_series(1, %s) n) TO STDOUT"


@pytest.mark.parametrize("count", [0, 1, 7_000])
@pytest.mark.parametrize("most", [1, 10_000, 1 << 30])
def test_all_rows_come_in_their_order_and_the_connection_goes_on(empty: str, most: int, count: int) -> None:
    with psycopg.connect(empty) as connection, connection.cursor() as cursor:
        with cursor.copy(_ROWS, (count,)) as copy:
            expected = list(map(bytes, copy))
        with cursor.copy(_ROWS, (count,)):
            lists = list(rows_as_they_come(psycopg, connection, most))
        assert list(map(bytes, chain.from_iterable(lists))) == expected
        assert all(lists)
        assert all(sum(map(len, rows[:-1])) < most for rows in lists)
        assert cursor.execute(b"SELECT 1").fetchone() == (1,)


def test_what_the_server_refuses_in_the_middle_is_no_end(empty: str) -> None:
    with psycopg.connect(empty) as connection, connection.cursor() as cursor:
        with (
            pytest.raises(psycopg.errors.DivisionByZero),
            cursor.copy(b"COPY (SELECT 1 / (7000 - n) FROM generate_series(1, 9000) n) TO STDOUT"),
        ):
            for _ in rows_as_they_come(psycopg, connection, 1_000):
                pass
        connection.rollback()
        assert cursor.execute(b"SELECT 1").fetchone() == (1,)


def test_who_breaks_off_need_not_read_to_the_end(empty: str) -> None:
    with psycopg.connect(empty) as connection, connection.cursor() as cursor:
        with suppress(KeyError), cursor.copy(_ROWS, (100_000,)):
            next(rows_as_they_come(psycopg, connection, 1_000))
            raise KeyError
        connection.rollback()
        assert cursor.execute(b"SELECT 1").fetchone() == (1,)
