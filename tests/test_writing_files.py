"""Files that are whole or as they were, whoever writes them at once."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ganlab.commands.cli import run
from ganlab.errors import GanlabError
from ganlab.files import explained, require_writable, write_atomically


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "one", durable=durable)
    write_atomically(path, "zwölf".encode(), durable=durable)
    assert path.read_text(encoding="utf-8") == "zwölf"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr("ganlab.files.os.fsync", fail)
    with pytest.raises(type(error)):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    contents = [str(number) * 5000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_atomically(path, content, durable=False), contents * 4))
    assert path.read_text() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_refusals_are_explained() -> None:
    with pytest.raises(GanlabError, match=r"^cannot write x: the disk is full$"), explained("cannot write x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with (
        pytest.raises(GanlabError, match=r"^cannot write x: Is a directory; name a file$"),
        explained("cannot write x", "name a file"),
    ):
        raise OSError(errno.EISDIR, "Is a directory")


COMMANDS = [
    "train-features nothing.toml",
    "sample nothing",
    "export nothing",
    "timelapse nothing",
    "compare nothing",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_be_written_is_told_before_work_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Before the experiment or run is even looked for, which is not there."""
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "deeper" / ("out.gif" if "timelapse" in command else "out.html")
    out = out if "compare" in command or "timelapse" in command else out.with_suffix("")
    assert run([*command.split(), "--out", str(out)]) != 0
    assert f"cannot write {out}: {tmp_path / 'file'} is not a directory" in capsys.readouterr().err


def test_a_closed_directory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_writable(tmp_path / "new" / "x")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("ganlab.files.os.access", lambda path, mode: path != tmp_path)
    with pytest.raises(GanlabError, match=f"nothing may be written in {tmp_path}"):
        require_writable(tmp_path / "new" / "x")
