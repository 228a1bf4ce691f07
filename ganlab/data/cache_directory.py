"""The cache directory: where it is, and how processes share it.

An entry is a directory named by its key. It is written under another name, by the
one process that holds the key's lock, and renamed when it is whole; so a directory
with a key's name is complete, and a partial one whose key nobody holds is a leftover:
of no use, but to a writer of the same key that goes on from there, or of another that takes a part.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_dir

from ganlab.errors import GanlabError
from ganlab.files import fsync_path
from ganlab.paths import parse_path

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = [
    "STATISTICS",
    "cache_directory",
    "is_partial",
    "key_of",
    "locked",
    "publish",
    "remove_leftovers",
    "statistics_directory",
]

STATISTICS = "statistics"
"""Directory in the cache where statistics of real samples are kept."""

_PARTIAL = ".partial"


def cache_directory() -> Path:
    """Return `$GANLAB_CACHE`, or `ganlab` in the platform's cache directory. It may not exist yet.

    Raises:
        GanlabError: it lies in the home directory, and none is known.
    """
    try:
        return parse_path(os.environ.get("GANLAB_CACHE") or user_cache_dir("ganlab"))
    except (ValueError, RuntimeError) as error:  # the latter is of a newer platformdirs
        message = f"no directory for the cache: {error}; set GANLAB_CACHE to one"
        raise GanlabError(message) from error


def statistics_directory() -> Path:
    """Return where statistics of real samples are kept. It may not exist yet.

    Raises:
        GanlabError: as `cache_directory`.
    """
    return cache_directory() / STATISTICS


def is_partial(directory: Path) -> bool:
    """Return whether a directory in a cache is an entry that is not finished."""
    return directory.suffix == _PARTIAL


def key_of(directory: Path) -> str:
    """Return the key of an entry, finished or not."""
    return directory.name.partition(".")[0]


@contextmanager
def locked(
    cache: Path,
    key: str,
    on_wait: Callable[[], None] = lambda: None,
    *,
    resumable: Collection[type[BaseException]] = (),
) -> Iterator[Path]:
    """Hold a key's lock, and yield the directory to write its entry in.

    That directory does not exist yet, and is removed at the end unless `publish` has
    renamed it. A lock is let go of when its process dies, however that happens.

    Args:
        cache: an existing cache directory.
        key: the entry's name.
        on_wait: called once if another process holds the lock.
        resumable: by what a writer may end so that the next one goes on from there: the directory is left
            then, and is there already if an earlier writer of the key ended so, or was killed.
    """
    from filelock import Timeout

    partial = cache / f"{key}.{os.getpid()}{_PARTIAL}"
    lock = _lock_of(cache, key)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        lock.acquire()
    except OSError:
        pass  # The file system has no locks; then whoever is first publishes.
    if resumable and lock.is_locked:
        _take_over(cache, key, partial)
    kept = False
    try:
        yield partial
    except tuple(resumable):
        kept = lock.is_locked  # what nobody can lock, nobody would take over or clear
        raise
    finally:
        if not kept:
            shutil.rmtree(partial, ignore_errors=True)
        lock.release()


def _take_over(cache: Path, key: str, partial: Path) -> None:
    """Let what a dead writer of the key has left be this one's."""
    for leftover in {*cache.glob(f"{key}.*{_PARTIAL}")} - {partial}:
        if partial.exists():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.rename(partial)


def publish(partial: Path, entry: Path) -> None:
    """Make a finished partial directory the entry, durably; a damaged older entry is replaced."""
    for file in partial.iterdir():
        fsync_path(file)
    fsync_path(partial)
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
    fsync_path(entry.parent)


def remove_leftovers(
    cache: Path, but: str = "", *, before: Callable[[Path], None] = lambda leftover: None
) -> None:
    """Remove partial directories whose writers are dead: those of keys that nobody holds.

    Args:
        cache: an existing cache directory.
        but: the key whose leftovers stay.
        before: called with each before it is removed.
    """
    for partial in cache.glob(f"*{_PARTIAL}"):
        key = key_of(partial)
        if key == but:
            continue
        with suppress(OSError), _lock_of(cache, key).acquire(blocking=False):
            before(partial)
            shutil.rmtree(partial, ignore_errors=True)


def _lock_of(cache: Path, key: str) -> FileLock:
    """Return a key's lock, which nobody holds yet.

    Raises:
        OSError: its file cannot be written.
    """
    from filelock import FileLock  # which is slow to import

    path = cache / f"{key}.lock"
    path.touch()  # A directory that refuses it is another matter than a file system without locks.
    # A lock that is there as long as its file would outlive a process that is killed.
    return FileLock(path, fallback_to_soft=False)
