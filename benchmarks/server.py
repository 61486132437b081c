"""An embedded server in a process of its own: ``python -m benchmarks.server FOLDER``, until its input ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manabackup.sandbox import Sandbox

from .data import Dataset
from .measure import environment


@contextmanager
def serving(dataset: Dataset) -> Iterator[str]:
    """The address at which the dataset's server answers meanwhile."""
    argv = [sys.executable, "-m", "benchmarks.server", str(dataset.server)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def main() -> None:
    """Serves, and says where first."""
    with Sandbox(folder=Path(sys.argv[1])) as box:
        print(box.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
