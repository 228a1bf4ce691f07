"""Memory as an operating condition: how it is told that there is too little, and how much there is.

Nothing here imports torch.
"""

from __future__ import annotations

import errno
import re
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from ganlab.errors import GanlabError, OutOfMemoryError

__all__ = [
    "SMALLER_BATCH",
    "in_units",
    "is_out_of_memory",
    "is_overflow",
    "memory_explained",
    "out_of_memory",
]

SMALLER_BATCH = "lower training.batch_size or set training.microbatch_size"
"""What helps where a batch is too much."""

_MESSAGES = re.compile(
    r"DefaultCPUAllocator|out of memory|std::bad_alloc|STATUS_ALLOC_FAILED|[Uu]nable to allocate \d", re.ASCII
)
"""What torch and the libraries below it say in a plain RuntimeError."""
_OVERFLOW = re.compile(r"overflow|Maximum allowed dimension exceeded", re.IGNORECASE)
_BYTES = re.compile(r"allocate (\d+) bytes")
_UNITS = re.compile(r"allocate ([\d.]+ ?[KMGTPE]?i?B)\b")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory could not be allocated, on the CPU or an accelerator."""
    if isinstance(error, GanlabError):
        return False
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, ImportError):  # as of torch itself, whose libraries take room
        return "failed to map segment" in str(error) or "cannot allocate memory" in str(error).lower()
    if isinstance(error, SystemError):  # what Python makes of a want of memory that nobody reported
        return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return isinstance(error, RuntimeError) and bool(_MESSAGES.search(str(error)))


def is_overflow(error: BaseException) -> bool:
    """Return whether an exception says that a size is beyond what torch and NumPy can count."""
    if isinstance(error, OverflowError):
        return True
    return isinstance(error, RuntimeError | TypeError | ValueError) and bool(_OVERFLOW.search(str(error)))


def out_of_memory(error: BaseException, doing: str, advice: str) -> OutOfMemoryError:
    """Return what a person is told of an exception for which `is_out_of_memory` holds.

    Args:
        error: the exception; what it says of the size that was asked for is passed on.
        doing: what was being done, to follow "out of memory"; empty where that is not known.
        advice: what would help; empty where nothing is known.
    """
    asked = _asked_for(error)
    message = f"out of memory {doing}".strip() + (f": {asked} more could not be allocated" if asked else "")
    return OutOfMemoryError(message + (f"\n    {advice}" if advice else ""))


@contextmanager
def memory_explained(doing: str, advice: str = SMALLER_BATCH) -> Iterator[None]:
    """Turn a want of memory inside the block into an error for people, and give back what it held.

    Args:
        doing: what is being done, as in `in step 12`.
        advice: what would help.

    Raises:
        OutOfMemoryError: memory could not be allocated.
    """
    try:
        yield
    except GanlabError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        # The frames of what failed hold its tensors, and saving the state afterwards needs room.
        traceback.clear_frames(error.__traceback__)
        raise out_of_memory(error, doing, advice) from error


def in_units(count: float) -> str:
    """Return bytes for people, as in `3.8 GiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if count < 1024 or unit == "PiB":
            break
        count /= 1024
    return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"


def _asked_for(error: BaseException) -> str:
    message = str(error)
    if found := _BYTES.search(message):
        return in_units(int(found[1]))
    found = _UNITS.search(message)
    return found[1] if found else ""
