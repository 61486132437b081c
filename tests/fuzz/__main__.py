"""Coverage-guided fuzzing: ``python -m tests.fuzz [TARGET…]``, by ``make fuzz``.

The time is MANABACKUP_FUZZ_SECONDS in all, shared by the targets, each in a process of its own with bounds on memory
and on the time of one input. What they learn is kept in ``.fuzz/`` for the next run. An input that fails is put under
``fixtures/fuzz/``, from where the ordinary suite replays it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

SECONDS = "MANABACKUP_FUZZ_SECONDS"
_ONE_INPUT = 20
"""Seconds for which one input may keep a target busy."""
_MEMORY = 2_048
"""MiB for a target with libFuzzer's own."""
_LONGEST_INPUT = 4_096
ROOT = Path(__file__).parents[2]
FOUND = ROOT / "fixtures" / "fuzz"
LEARNT = ROOT / ".fuzz"
_MISSING = """error: atheris is not installed, which `make fuzz` needs
hint: pip install -e '.[fuzz]' (it has wheels for Linux; the tests run the same targets without it)"""


def main(arguments: list[str]) -> int:
    """Fuzz each target, or those that are named; gives 1 when one failed."""
    try:
        import atheris  # noqa: F401
    except ImportError:
        print(_MISSING, file=sys.stderr)
        return 2
    from .targets import TARGETS

    if unknown := [name for name in arguments if name not in TARGETS]:
        print(f"error: no such target: {', '.join(unknown)}\nhint: there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    names = arguments or list(TARGETS)
    seconds = max(1, int(os.environ.get(SECONDS, "600")) // len(names))
    failed = []
    for name in names:
        print(f"== {name}, {seconds} s", flush=True)
        done = subprocess.run([sys.executable, "-m", "tests.fuzz", "--one", name, str(seconds)], cwd=ROOT, check=False)
        for crash in sorted((LEARNT / name).glob("failed-*")):
            keep(name, crash)
        if done.returncode:
            failed.append(name)
    print("nothing was found" if not failed else f"failed: {', '.join(failed)}; see {FOUND.relative_to(ROOT)}")
    return 1 if failed else 0


def keep(name: str, crash: Path) -> None:
    """An input that failed goes to the fixtures: of a program what it makes, since programs change their meaning."""
    from .targets import TARGETS

    target = TARGETS[name]
    content = crash.read_bytes()
    if target.made_by is not None:
        content = target.made_by(content)
        name = next(other.name for other in TARGETS.values() if other.run is target.run and other.made_by is None)
    place = FOUND / name / hashlib.sha256(content).hexdigest()[:16]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    crash.unlink()


def _fuzz(name: str, seconds: int) -> None:
    """One target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["manabackup"]):
        from .targets import TARGETS
    target = TARGETS[name]
    corpus = LEARNT / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def once(data: bytes) -> None:
        target(data)

    options = {
        "max_total_time": seconds,
        "timeout": _ONE_INPUT,
        "rss_limit_mb": _MEMORY,
        "max_len": _LONGEST_INPUT,
        "artifact_prefix": f"{LEARNT / name}/failed-",
        "print_final_stats": 0,
        "verbosity": 0,
    }
    atheris.Setup([sys.argv[0], str(corpus), *(f"-{key}={value}" for key, value in options.items())], once)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _fuzz(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1:]))
