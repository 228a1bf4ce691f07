"""Who writes an entry of the cache holds its lock, for as long as it lives and no longer."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ganlab.data.cache_directory import cache_directory, locked, publish, remove_leftovers

HOLDER = """
import os, sys, time
from pathlib import Path
from ganlab.data.cache_directory import locked
with locked(Path(sys.argv[1]), "entry") as partial:
    partial.mkdir()
    if sys.argv[2] == "forks" and os.fork() == 0:
        print("held", os.getpid(), flush=True)
    elif sys.argv[2] != "forks":
        print("held", os.getpid(), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path, request: pytest.FixtureRequest) -> subprocess.Popen[str]:
    """A process that holds the lock of `entry`; with the parameter "forks", it has a child."""
    how = getattr(request, "param", "alone")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), how], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    word, number = process.stdout.readline().split()
    assert word == "held"
    others = {int(number), process.pid}

    def end() -> None:
        for each in others:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.communicate()

    request.addfinalizer(end)
    return process


def test_who_waits_says_so_once_and_goes_on_when_the_holder_is_killed(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    said: list[str] = []
    written: list[Path] = []

    def write() -> None:
        with locked(tmp_path, "entry", lambda: said.append("waiting")) as partial:
            written.append(partial)

    waiting = threading.Thread(target=write)
    waiting.start()
    time.sleep(0.5)
    assert (said, written) == (["waiting"], [])
    holder.kill()
    waiting.join(10)
    assert (said, written) == (["waiting"], [tmp_path / f"entry.{os.getpid()}.partial"])


@pytest.mark.parametrize("holder", ["forks"], indirect=True)
def test_a_child_keeps_no_lock_of_its_parent(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with locked(tmp_path, "entry", lambda: pytest.fail("the lock is held")):
        pass


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    (tmp_path / "other.1.partial").mkdir()
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.glob("*.partial")] == [f"entry.{holder.pid}.partial"]
    holder.kill()
    holder.wait()
    remove_leftovers(tmp_path)
    assert list(tmp_path.glob("*.partial")) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_each_writes_and_the_first_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    for content in ("first", "second"):
        with locked(tmp_path, "entry", lambda: pytest.fail("nobody holds it")) as partial:
            partial.mkdir()
            (partial / "content").write_text(content)
            (tmp_path / "other.1.partial").mkdir(exist_ok=True)
            remove_leftovers(tmp_path)  # which cannot know whether anybody is at it
            publish(partial, tmp_path / "entry")
    assert (tmp_path / "other.1.partial").is_dir()
    assert [path.name for path in tmp_path.glob("entry.*")] == ["entry.lock"]


def test_a_directory_that_refuses_the_lock_is_no_directory_without_locks(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "absent", "entry"):
        pytest.fail("nothing was locked")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"GANLAB_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"GANLAB_CACHE": "~/a", "HOME": "/c"}, "/c/a"),
        ({"GANLAB_CACHE": "", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/ganlab"),
        ({"XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/ganlab"),
        ({"HOME": "/c"}, "/c/.cache/ganlab"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other directories")
def test_where_the_cache_is(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("GANLAB_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_directory() == Path(expected)
