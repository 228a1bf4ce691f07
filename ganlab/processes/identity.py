"""Who a process is among those that share a run, as `torchrun` tells it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ganlab.errors import UsageError

__all__ = ["MEETING_POINT", "identity_from_environment", "processes_here", "rows_of"]

_IDENTITY = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
MEETING_POINT = ("MASTER_ADDR", "MASTER_PORT")
_REMEDY = "start the run with `torchrun --nproc-per-node=N -m ganlab run …`, or unset them all to run alone"


def identity_from_environment() -> tuple[int, int, int]:
    """Return rank, world size and local rank; `(0, 1, 0)` where nothing is set.

    Raises:
        UsageError: only some of the variables are set, or they make no sense together.
    """
    given = {name: os.environ[name] for name in _IDENTITY if name in os.environ}
    if not given:
        return 0, 1, 0
    needed = _IDENTITY if given.get("WORLD_SIZE") == "1" else _IDENTITY + MEETING_POINT
    missing = [name for name in needed if name not in os.environ]
    if missing:
        raise UsageError(f"{_listed(list(given))} set, but not {' and '.join(missing)}: {_REMEDY}")
    for name, text in given.items():
        if not text.isascii() or not text.isdecimal():
            raise UsageError(f"{name} is {text!r}, which is not a whole number from 0: {_REMEDY}")
    rank, world, local_rank = (int(given[name]) for name in _IDENTITY)
    if not local_rank <= rank < world:
        raise UsageError(
            f"RANK={rank}, LOCAL_RANK={local_rank} and WORLD_SIZE={world} contradict each other: ranks "
            f"go from 0 to WORLD_SIZE - 1, and a local rank is never above the rank; {_REMEDY}"
        )
    return rank, world, local_rank


def processes_here(local_rank: int) -> int:
    """Return how many of the run's processes are on this machine, as far as it is told."""
    size = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(int(size) if size.isascii() and size.isdecimal() else 0, local_rank + 1)


def rows_of(rank: int, world: int, count: int) -> slice:
    """Return the rows that are a process's own, of a batch of `count` that `world` processes share."""
    return slice(rank * count // world, (rank + 1) * count // world)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names) + (" are" if len(names) > 1 else " is")
