"""Work on many samples, cut into blocks that the processes of a run take turns at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ganlab.processes import Processes

__all__ = ["in_blocks"]

T = TypeVar("T")


def in_blocks(
    count: int, size: int, processes: Processes, compute: Callable[[int, int], T]
) -> Iterator[tuple[int, list[T]]]:
    """Compute something for `count` samples, a block at a time in each process.

    Blocks are the same however many processes there are, and so is all that comes of them.

    Args:
        count: samples in all.
        size: samples of a block; the last one is shorter.
        processes: those that share the work; each must call this.
        compute: maps the first sample of a block and the one after its last to the result.

    Yields:
        Samples done so far, and the blocks' results since the last time, in order; no results
        but for the leader.
    """
    for first in range(0, count, size * processes.world):
        start = first + size * processes.rank
        own = [compute(start, min(start + size, count))] if start < count else []
        gathered = processes.gather_object(own) or []
        yield min(first + size * processes.world, count), [block for each in gathered for block in each]
