"""One writer at a time: a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ganlab.errors import GanlabError
from ganlab.runs.files import explained

__all__ = ["RunLock", "is_locked"]

_PATIENCE_SECONDS = 1.0


class RunLock:
    """An exclusive lock on a run, held until `release` or the end of the process.

    Raises:
        GanlabError: another process holds it.
    """

    def __init__(self, path: Path) -> None:
        with explained(f"cannot lock the run {path.parent}"):
            self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        # `is_locked` takes a shared lock for an instant, so one refusal proves nothing.
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _try_lock(self._descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(self._descriptor)
                raise GanlabError(f"the run {path.parent} is being written by another process")
            time.sleep(0.02)
        # A forked data worker would otherwise keep the lock alive after its parent's death.
        os.register_at_fork(after_in_child=self._close)

    def release(self) -> None:
        """Let others write."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether a living process holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
