"""Fixtures that all tests share."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

# Before anything imports torch: tests run side by side on all cores, and tiny networks
# only lose by sharing each operation between threads. Subprocesses inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest

# Runs wait until their files are safe on the disk, which nobody needs of a test's: a disk in memory,
# where there is one with room, answers at once.
_IN_MEMORY, _ROOM = "/dev/shm", 4 << 30
with contextlib.suppress(OSError):
    if shutil.disk_usage(_IN_MEMORY).free > _ROOM and os.access(_IN_MEMORY, os.W_OK):
        os.environ.setdefault("TMPDIR", _IN_MEMORY)
        tempfile.tempdir = None

# A busy machine makes no test fail.
hypothesis.settings.register_profile("ganlab", deadline=None)
hypothesis.settings.load_profile("ganlab")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the compiled tests, which each worker would compile anew where the environment forbids it."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = before


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The directory with real CelebA and MNIST files; skips where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    directory = Path(os.environ.get("GANLAB_TEST_DATA", beside))
    if not (directory / "celeba").is_dir():
        pytest.skip(f"no real data in {directory} (GANLAB_TEST_DATA points elsewhere)")
    return directory


@pytest.fixture
def heard_signals() -> Iterator[None]:
    """Let this process, and those it starts, hear what asks a run to stop.

    `nohup` and the background jobs of a shell ignore some of it, and pass that on to all they start.
    """
    asking = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ignored = [number for number in asking if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep packed data and reference statistics of tests away from the user's cache."""
    os.environ["GANLAB_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")


Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def terminal() -> Terminal:
    """Run Python in a terminal; returns the exit code and what it wrote, as raw text with control codes."""

    def run(*arguments: str, columns: int = 80, term: str = "xterm") -> tuple[int, str]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
        with subprocess.Popen(
            [sys.executable, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": term},
        ) as process:
            os.close(theirs)
            written = b""
            with contextlib.suppress(OSError):  # Linux says EIO when the last who could write has gone
                while piece := os.read(ours, 1 << 16):
                    written += piece
            os.close(ours)
        return process.returncode, written.decode().replace("\r\n", "\n")

    return run
