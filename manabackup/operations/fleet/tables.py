"""A ledger's items as tables, for spreadsheets and for programs that compute; what has changed comes first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any, Final

from ...errors import UsageError
from ...text import jsontext
from ...text.printable import printable
from ...text.timestamps import app_time
from .ledger import Ledger

COLUMNS: Final = {
    "name": "string",
    "state": "string",
    "exitCode": "int64",
    "error": "string",
    "message": "string",
    "rows": "int64",
    "dataSha256": "string",
    "losses": "string",
    "output": "string",
    "bytes": "int64",
    "attempts": "int64",
    "seconds": "double",
    "cpuSeconds": "double",
    "peakBytes": "int64",
    "version": "string",
    "doneAt": "string",
    "changed": "bool",
    "exitCodeBefore": "int64",
    "errorBefore": "string",
    "rowsBefore": "int64",
    "dataSha256Before": "string",
}
"""Name → type, as Arrow calls it."""
CSV_MARK: Final = ",".join(COLUMNS).encode()
"""What such a file begins with."""
_GROUP: Final = 10_000
_PART: Final = 1 << 20


def write_csv(ledger: Ledger, file: IO[bytes]) -> None:
    """RFC 4180, UTF-8; nothing in it is computed by a spreadsheet."""
    from ...conversion.csv_records import guarded  # and all that reads archives, which nothing else here needs

    def cell(value: Any) -> str:
        return guarded(value) if isinstance(value, str) and value else _cell(value)

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for record in _records(ledger):
        writer.writerow([cell(record[name]) for name in COLUMNS])
        if text.tell() > _PART:
            _hand_over(text, file)
    _hand_over(text, file)


def _hand_over(text: io.StringIO, file: IO[bytes]) -> None:
    file.write(text.getvalue().encode())
    text.seek(0)
    text.truncate()


def write_parquet(ledger: Ledger, file: IO[bytes]) -> None:
    """One table. Raises :class:`UsageError` without the extra."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        hint = "install manabackup with the extra [parquet]: guide, Installed how"
        raise UsageError("--parquet needs pyarrow", hint=hint) from None
    types = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        pending: list[dict[str, Any]] = []
        for record in _records(ledger):
            pending.append(record)
            if len(pending) == _GROUP:
                writer.write_table(pa.Table.from_pylist(pending, schema=schema))
                pending = []
        writer.write_table(pa.Table.from_pylist(pending, schema=schema))


def _records(ledger: Ledger) -> Iterator[dict[str, Any]]:
    for item in ledger.items():
        yield _record(item)


def _record(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": printable(item["name"]),
        "state": item["state"],
        "exitCode": item["exit_code"],
        "error": item["error"],
        "message": item["message"] or None,
        "rows": item["rows"],
        "dataSha256": item["data_sha256"],
        "losses": jsontext.dumps(item["losses"]).decode() if item["losses"] else None,
        "output": None if item["output"] is None else printable(item["output"]),
        "bytes": item["size"],
        "attempts": item["attempts"],
        "seconds": item["seconds"],
        "cpuSeconds": item["cpu"],
        "peakBytes": item["peak"],
        "version": item["version"],
        "doneAt": None if item["done"] is None else app_time(datetime.fromtimestamp(item["done"], UTC)),
        "changed": bool(item["has_changed"]) and not item["new"],
        "exitCodeBefore": item["before_exit_code"],
        "errorBefore": item["before_error"],
        "rowsBefore": item["before_rows"],
        "dataSha256Before": item["before_data_sha256"],
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value)
