"""The process in which a job runs: ``python -m benchmarks.child MODULE JOB``, the request on standard input."""

from __future__ import annotations

import importlib
import json
import sys

from .measure import Meter, peak, pin


def main() -> None:
    """Runs one job and prints its report as the last line."""
    module, name = sys.argv[1:]
    request = json.load(sys.stdin)
    if request["cores"] is not None:
        pin(request["cores"])
    meter = Meter()
    values = getattr(importlib.import_module(module), name)(meter, **request["arguments"])
    report = {
        "wall": meter.wall,
        "user": meter.user,
        "system": meter.system,
        "peak": peak(),
        "values": values,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
