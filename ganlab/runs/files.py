"""Writing files so that a crash, or a full disk, never leaves half of one behind."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganlab.errors import GanlabError

__all__ = ["explained", "fsync_path", "to_json", "write_atomically"]


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn the operating system's refusals inside the block into errors for people.

    Args:
        action: what is being done, as in `cannot write the checkpoint /runs/…`.

    Raises:
        GanlabError: an `OSError` left the block.
    """
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EFBIG: "the file would be larger than allowed",
            errno.EACCES: "permission denied",
            errno.EROFS: "the file system is read-only",
        }
        reason = reasons.get(error.errno or 0, error.strerror or str(error))
        raise GanlabError(f"{action}: {reason}") from error


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace a file in one step: readers see the old content or the new.

    Args:
        path: the file.
        content: what is to be in it.
        durable: wait until it would survive a power cut.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        fsync_path(path.parent)


def fsync_path(path: Path) -> None:
    """Push a file, or a directory's entries, out of the operating system's cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return standard JSON; `"NaN"`, `"Infinity"` and `"-Infinity"` stand for what JSON has no numbers for.

    Python's `float()` and most other languages read those three strings back.
    """
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number
