"""The cache directory: where it is, and how processes share it.

An entry is a directory named by its key. It is written under another name, by the
one process that holds the key's lock, and renamed when it is whole; so a directory
with a key's name is complete, and a partial one whose key nobody holds is a leftover.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ganlab.errors import GanlabError
from ganlab.paths import parse_path

__all__ = ["cache_directory", "locked", "publish", "remove_leftovers"]

_PARTIAL = ".partial"


def cache_directory() -> Path:
    """Return `$GANLAB_CACHE`, or `ganlab` in the platform's cache directory. It may not exist yet.

    Raises:
        GanlabError: it lies in the home directory, and none is known.
    """
    if sys.platform == "win32":
        usual = f"{os.environ.get('LOCALAPPDATA') or '~/AppData/Local'}/ganlab/cache"
    elif sys.platform == "darwin":
        usual = "~/Library/Caches/ganlab"
    else:
        usual = f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/ganlab"
    try:
        return parse_path(os.environ.get("GANLAB_CACHE") or usual)
    except ValueError as error:
        message = f"there is no place for the cache: {error}; GANLAB_CACHE can name a directory"
        raise GanlabError(message) from error


@contextmanager
def locked(cache: Path, key: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Hold a key's lock, and yield the directory to write its entry in.

    That directory does not exist yet, and is removed at the end unless `publish` has
    renamed it. A lock is let go of when its process dies, however that happens.

    Args:
        cache: an existing cache directory.
        key: the entry's name.
        on_wait: called once if another process holds the lock.
    """
    partial = cache / f"{key}.{os.getpid()}{_PARTIAL}"
    with (cache / f"{key}.lock").open("ab") as file:
        if _try_lock(file.fileno()) is False:
            on_wait()
            _wait_for_lock(file.fileno())
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def publish(partial: Path, entry: Path) -> None:
    """Make a finished partial directory the entry, durably; a damaged older entry is replaced."""
    for file in partial.iterdir():
        _sync(file)
    _sync(partial)
    if entry.exists():
        damaged = entry.with_name(f"{entry.name}.{os.getpid()}.damaged{_PARTIAL}")
        entry.rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        partial.rename(entry)
    except OSError:
        # Where locks do not work, another process may have been faster with the same content.
        if not entry.exists():
            raise
    _sync(entry.parent)


def remove_leftovers(cache: Path) -> None:
    """Remove partial directories whose writers are dead: those of keys that nobody holds."""
    for partial in cache.glob(f"*{_PARTIAL}"):
        key = partial.name.partition(".")[0]
        with (cache / f"{key}.lock").open("ab") as file:
            if _try_lock(file.fileno()):
                shutil.rmtree(partial, ignore_errors=True)


def _sync(path: Path) -> None:
    if sys.platform == "win32" and path.is_dir():
        return  # Windows opens no directories.
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def _try_lock(descriptor: int) -> bool | None:
        return None

    def _wait_for_lock(descriptor: int) -> None:
        pass
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool | None:
        """Return whether the lock was taken; `None` where the file system has no locks."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True

    def _wait_for_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
