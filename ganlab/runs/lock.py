"""One writer at a time: a lock that the operating system drops when its holder dies.

By `flock` itself: who only looks whether a run is alive takes a shared lock, through a file that may
be another user's to write, and so neither looks like a writer to others nor needs leave. `filelock` has
exclusive locks alone, on files that it opens for writing.
"""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from pathlib import Path

from ganlab.errors import GanlabError
from ganlab.files import explained, reason

__all__ = ["RunLock", "is_locked"]

_PATIENCE_SECONDS = 1.0


class RunLock:
    """An exclusive lock on a run, held until `release`, or as long as this object lives.

    Raises:
        GanlabError: another process holds it, or it cannot be had, as on a file system without locks.
    """

    def __init__(self, path: Path) -> None:
        with explained(f"cannot lock the run {path.parent}"):
            self._file = path.open("ab")
        # `is_locked` takes a shared lock for an instant, so one refusal proves nothing.
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._try():
            if time.monotonic() > deadline:
                self._file.close()
                raise GanlabError(f"the run {path.parent} is being written by another process")
            time.sleep(0.02)
        _held.add(self)

    def _try(self) -> bool:
        try:
            return _try_lock(self._file.fileno(), fcntl.LOCK_EX)
        except OSError as error:
            self._file.close()
            raise GanlabError(f"cannot lock {self._file.name}: {reason(error)}") from error

    def release(self) -> None:
        """Let others write."""
        if not self._file.closed:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_UN)
        self.forget()

    def forget(self) -> None:
        """Close this process's handle; the lock goes when the last process has."""
        self._file.close()


_held: weakref.WeakSet[RunLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in _held:
        lock.forget()


# A forked data worker would otherwise keep the lock alive after its parent's death.
os.register_at_fork(after_in_child=_forget_all)


def is_locked(path: Path) -> bool:
    """Return whether a living process holds the lock; not where nobody can tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
