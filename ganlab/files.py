"""Writing files so that a crash, or a full disk, never leaves half of one behind."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganlab.errors import GanlabError

__all__ = [
    "exists",
    "explained",
    "fsync_path",
    "new_directory",
    "reason",
    "require_writable",
    "write_atomically",
]

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than allowed",
    errno.EACCES: "permission denied",
    errno.EROFS: "the file system is read-only",
}


@contextmanager
def explained(action: str, remedy: str = "") -> Iterator[None]:
    """Turn the operating system's refusals inside the block into errors for people.

    Args:
        action: what is being done, as in `cannot write the checkpoint /runs/…`.
        remedy: what would help, if that is known.

    Raises:
        GanlabError: an `OSError` left the block.
    """
    try:
        yield
    except OSError as error:
        raise GanlabError(f"{action}: {reason(error)}" + (f"; {remedy}" if remedy else "")) from error


def reason(error: OSError) -> str:
    """Return why the operating system refused, in words."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def exists(path: Path) -> bool:
    """Return whether there is something at a path; not where its name is too long, or a directory closed."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def require_writable(path: Path) -> None:
    """Make sure, before work is done, that a file or directory can be written at a path; writes nothing.

    Raises:
        GanlabError: something above it is no directory, or is closed to this user.
    """
    above = path.absolute().parent
    while not exists(above) and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise GanlabError(f"cannot write {path}: {above} is not a directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise GanlabError(f"cannot write {path}: nothing may be written in {above}")


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace a file in one step: readers see the old content or the new.

    Args:
        path: the file.
        content: what is to be in it.
        durable: wait until it would survive a power cut.

    Raises:
        OSError: it cannot be written; the old content is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    # A name of its own for each writer: threads, processes and machines may share the directory.
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        fsync_path(path.parent)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory that takes a place when the block has ended well, and else leaves no trace.

    Args:
        path: the place; what is there is replaced.

    Raises:
        OSError: it cannot be written.
    """
    final = path.resolve()
    temporary = final.with_name(f".{final.name}.{os.urandom(4).hex()}.writing")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fsync_path(path: Path) -> None:
    """Push a file, or a directory's entries, out of the operating system's cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
