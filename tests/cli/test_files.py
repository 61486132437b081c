"""The files that command lines name, and the standard output in their place."""

from __future__ import annotations

import errno
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import UsageError
from manabackup.host.standard_output import StandardOutput
from manabackup.operations.archives.verify import verify
from tests.support.exports import write_export
from tests.support.homes import on_a_screen
from tests.support.processes import CommandLine
from tests.support.v1_exports import FOLDER as V1
from tests.support.v1_exports import KEY

PASSPHRASE = "a passphrase of some length"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_export(tmp_path / "a.mana")
    return tmp_path / "a.mana"


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    write_export(tmp_path / "sealed.mana", seal=Seal(PASSPHRASE))
    return tmp_path / "sealed.mana"


def run(program: CommandLine, *arguments: str, stdout: int = subprocess.PIPE) -> tuple[int, bytes, str]:
    keys = {"MANABACKUP_PASSPHRASE": PASSPHRASE, "MANABACKUP_TO_PASSPHRASE": PASSPHRASE}
    keys |= {"MANABACKUP_KEY": KEY.hex(), "MANABACKUP_TO_KEY": KEY.hex(), "SOURCE_DATE_EPOCH": "1767225600"}
    done = subprocess.run(
        [*program.program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**program.environ, **keys, "TMPDIR": str(program.home / "tmp")},
        cwd=program.home,
        check=False,
    )
    return done.returncode, done.stdout or b"", done.stderr.decode()


@pytest.fixture
def home(manabackup: CommandLine) -> Path:
    (manabackup.home / "tmp").mkdir()
    return manabackup.home


WRITERS = {
    "seal": ["seal", "a.mana"],
    "unseal": ["unseal", "sealed.mana"],
    "rekey": ["rekey", "a.mana"],
    "rekey --seal": ["rekey", "a.mana", "--seal"],
    "convert": ["convert", str(V1 / "life.mana")],
    "convert --seal": ["convert", str(V1 / "life.mana"), "--seal"],
}


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_an_archive_goes_to_the_standard_output_whole_and_nothing_else_does(
    manabackup: CommandLine, home: Path, archive: Path, sealed: Path, command: str, as_json: list[str]
) -> None:
    before = sorted(home.iterdir())
    code, out, err = run(manabackup, *WRITERS[command], "-o", "-", *as_json)
    assert code == 0, err
    assert ('"archive":"-"' if as_json else "-: ") in err
    assert sorted(home.iterdir()) == before
    assert list((home / "tmp").iterdir()) == []
    (home / "got.mana").write_bytes(out)
    assert verify(home / "got.mana", lambda: PASSPHRASE, cipher=FieldCipher(KEY)).ok


def test_what_goes_to_the_standard_output_is_what_would_stand_in_the_file(
    manabackup: CommandLine, home: Path, sealed: Path
) -> None:
    _, out, _ = run(manabackup, "unseal", "sealed.mana", "-o", "-")
    assert run(manabackup, "unseal", "sealed.mana", "-o", "file.mana")[0] == 0
    assert out == (home / "file.mana").read_bytes()


def test_a_file_called_dash_is_written_by_its_path(manabackup: CommandLine, home: Path, archive: Path) -> None:
    assert run(manabackup, "seal", "a.mana", "-o", "./-")[0] == 0
    assert verify(home / "-", lambda: PASSPHRASE).ok


def test_nothing_goes_out_when_the_writing_fails(manabackup: CommandLine, home: Path, sealed: Path) -> None:
    with zipfile.ZipFile(sealed) as container:
        place = container.getinfo("data.sealed").header_offset + 200
    damaged = bytearray(sealed.read_bytes())
    damaged[place] ^= 1
    sealed.write_bytes(damaged)
    code, out, err = run(manabackup, "unseal", "sealed.mana", "-o", "-")
    assert (code, out) == (15, b"")
    assert err.startswith("error: sealed.mana: data.sealed: ")


@pytest.mark.parametrize("command", WRITERS)
def test_no_archive_goes_to_a_terminal(
    manabackup: CommandLine, home: Path, archive: Path, sealed: Path, command: str
) -> None:
    ours, theirs = os.openpty()
    try:
        code, _, err = run(manabackup, *WRITERS[command], "-o", "-", stdout=theirs)
    finally:
        os.close(theirs)
        os.close(ours)
    assert code == 2
    assert err.startswith("error: the standard output is a terminal, and an archive is no text\nhint: ")


def test_a_full_disk_behind_the_standard_output_is_17(manabackup: CommandLine, home: Path, archive: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    code, _, err = run(manabackup, "seal", "a.mana", "-o", "-", stdout=full)
    os.close(full)
    assert code == 17
    assert err.startswith("error: cannot write to the standard output: No space left on device")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_other_names_of_the_standard_output_are_refused_whatever_it_is(
    manabackup: CommandLine, home: Path, archive: Path, name: str, force: list[str]
) -> None:
    with (home / "redirected").open("wb") as file:
        for stdout in (subprocess.PIPE, file.fileno()):
            code, out, err = run(manabackup, "seal", "a.mana", "-o", name, *force, stdout=stdout)
            assert (code, out) == (2, b"")
            assert (
                err == f"error: {name} is not a file that could be written whole\nhint: -o - is the standard output\n"
            )
    assert (home / "redirected").read_bytes() == b""


@pytest.mark.parametrize("arguments", [["roundtrip", "a.mana", "--junit"], ["audit", "--sarif"]])
def test_a_report_is_a_file(manabackup: CommandLine, home: Path, archive: Path, arguments: list[str]) -> None:
    code, out, err = run(manabackup, *arguments, "-")
    assert (code, out) == (2, b"")
    assert err.endswith("writes a file: the standard output has the results\nhint: a file called - is ./-\n")


@pytest.mark.parametrize(
    "command",
    [
        "info -",
        "verify a.mana -",
        "cat - notes",
        "seal - -o x",
        "unseal - -o x",
        "convert - -o x",
        "diff a.mana -",
        "diff - a.mana",
        "rekey - -o x",
        "restore -",
        "roundtrip -",
    ],
)
def test_no_archive_comes_from_the_standard_input(
    manabackup: CommandLine, home: Path, archive: Path, command: str
) -> None:
    (home / "-").write_bytes(archive.read_bytes())  # not even where a file is called so
    code, out, err = run(manabackup, *command.split())
    assert (code, out) == (2, b"")
    assert err.startswith("error: an archive is read back and forth, so it cannot come from the standard input\n")


@pytest.mark.parametrize(
    "command", ["info @", "verify @", "cat @ notes", "seal @ -o x", "convert @ -o x", "roundtrip @"]
)
def test_a_pipe_is_no_archive_and_is_not_waited_for(
    manabackup: CommandLine, home: Path, archive: Path, command: str
) -> None:
    os.mkfifo(home / "pipe")
    code, out, err = run(manabackup, *command.replace("@", "pipe").split())
    assert (code, out) == (2, b"")
    assert err.startswith("error: pipe: not a regular file: ")


@pytest.mark.parametrize("way", ["closed", "full", "unread"])
def test_a_file_that_is_written_is_written_whatever_becomes_of_the_words_about_it(
    manabackup: CommandLine, home: Path, archive: Path, way: str
) -> None:
    shell = {"closed": '"$@" >&-', "full": '"$@" >/dev/full', "unread": '"$@" | true; exit ${PIPESTATUS[0]}'}[way]
    through = CommandLine(home, ["bash", "-c", shell, "bash", *manabackup.program])
    code, _, err = run(through, "seal", "a.mana", "-o", "b.mana", "-q")
    if way == "unread" and code == 0:
        pytest.skip("it was quicker than its reader went away")
    assert code == 1
    assert err.startswith("error: b.mana was written, but ")
    assert verify(home / "b.mana", lambda: PASSPHRASE).ok


def test_no_file_gets_the_number_of_a_closed_stream(manabackup: CommandLine, home: Path, archive: Path) -> None:
    through = CommandLine(home, ["bash", "-c", '"$@" <&- >&- 2>&-', "bash", *manabackup.program])
    assert run(through, "seal", "a.mana", "-o", "b.mana", "-vv")[0] == 1
    assert verify(home / "b.mana", lambda: PASSPHRASE).ok


class _Stream:
    """Takes bytes, as a pipe does."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def isatty(self) -> bool:
        return False

    def write(self, data: bytes) -> int:
        self.taken += data
        return len(data)

    def flush(self) -> None:
        """All is there already."""


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=400), st.floats(0, 1), st.binary(max_size=60)), max_size=20))
def test_what_is_corrected_later_goes_out_corrected(steps: list[tuple[bytes, float, bytes]]) -> None:
    stream, expected = _Stream(), bytearray()
    corrected: set[int] = set()
    with StandardOutput(stream) as target:  # type: ignore[arg-type]
        for data, where, correction in steps:
            target.write(data * 3_000)
            expected += data * 3_000
            place = int(where * (len(expected) - len(correction)) / 64) * 64
            if place >= 0 and place + len(correction) <= len(expected) and place not in corrected:
                corrected.add(place)
                target.seek(place)
                target.write(correction)
                target.seek(len(expected))
                expected[place : place + len(correction)] = correction
        assert stream.taken == b""
    assert stream.taken == expected


def test_an_interrupted_archive_does_not_go_out() -> None:
    stream = _Stream()

    def write_half() -> None:
        with StandardOutput(stream) as target:  # type: ignore[arg-type]
            target.write(b"half")
            raise OSError(errno.EIO, "a bad moment")

    with pytest.raises(OSError, match="a bad moment"):
        write_half()
    assert stream.taken == b""


def test_a_library_gets_the_same_answer_for_a_terminal() -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "wb") as terminal, pytest.raises(UsageError):
        StandardOutput(terminal)


SMALL = str(Path(__file__).parents[2] / "fixtures" / "vectors" / "archives" / "plain-small.mana")


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "--offline", "-o"],
        ["seal", SMALL, "-o"],
        ["unseal", SMALL, "-o"],
        ["rekey", SMALL, "--to-key-file", "key", "-o"],
        ["view", SMALL, "-o"],
        ["report", SMALL, "-o"],
        ["convert", SMALL, "--to", "vcf", "-o"],
        ["audit", "--offline", "--sarif"],
        ["roundtrip", SMALL, "--junit"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_name_with_a_slash_at_its_end_is_a_folder_and_no_file(
    manabackup: CommandLine, tmp_path: Path, arguments: list[str]
) -> None:
    done = manabackup(*arguments, f"{tmp_path}/new/")
    assert (done.code, f"error: {tmp_path}/new/ names a folder" in done.err) == (2, True), done.err
    assert not (tmp_path / "new").exists()


def test_a_report_that_is_text_may_be_shown_at_a_terminal_and_a_page_may_not(manabackup: CommandLine) -> None:
    page = on_a_screen(manabackup, "report", SMALL, "-o", "-")
    assert page[0] == 2
    text = on_a_screen(manabackup, "report", SMALL, "-o", "-", "--format", "markdown")
    assert (text[0], "# " in text[1]) == (0, True), text


def test_manual_pages_do_not_go_to_the_standard_output(manabackup: CommandLine) -> None:
    done = manabackup("man", "-o", "-")
    assert (done.code, done.out) == (2, "")
