"""What to say when a process that shares the run is gone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganlab.errors import LostProcessError

__all__ = ["Peer", "first_line", "lost_touch", "ranks"]

_DYING_SECONDS = 2.0
"""How long a process may still be listed after its connections have closed."""


@dataclass(frozen=True)
class Peer:
    """Where a process can be looked for."""

    host: str
    pid: int

    @classmethod
    def this(cls) -> Peer:
        """Return where this process is."""
        return cls(_host(), os.getpid())

    def ended(self) -> bool:
        """Return whether there is no such process on this machine, or only what is left of it."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        # `pid (name) state …`, where the name may hold anything.
        return status.rpartition(")")[2].split()[0] in {"Z", "X"}


def _host() -> str:
    """Return what tells machines apart, and containers with process numbers of their own."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def lost_touch(rank: int, world: int, peers: Sequence[Peer], error: Exception) -> LostProcessError:
    """Return the error of a process whose operation failed since others took no part in it.

    Args:
        rank: this process.
        world: how many there are.
        peers: all processes of the run, by rank; empty before they have met.
        error: what the operation raised.
    """
    gone = _gone(peers)
    lost = f"{ranks(gone)} ended" if gone else f"an operation failed: {first_line(error)}"
    return LostProcessError(
        f"rank {rank} has lost touch with the other processes of this run ({lost}). All "
        f"{world} are needed: start them again from the run's last checkpoint, as in "
        f"`torchrun --nproc-per-node={world} -m ganlab resume RUN`"
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return str(error).strip().partition("\n")[0]


def ranks(numbers: Sequence[int]) -> str:
    """Return ranks in words, as in `rank 1` and `ranks 1 and 3`."""
    return ("ranks " if len(numbers) > 1 else "rank ") + " and ".join(map(str, numbers))


def _gone(peers: Sequence[Peer]) -> list[int]:
    """Return the ranks that have ended on this machine, once there are any; wait a moment for that."""
    deadline = time.monotonic() + _DYING_SECONDS
    host = _host()
    while True:
        gone = [rank for rank, peer in enumerate(peers) if peer.host == host and peer.ended()]
        if gone or time.monotonic() > deadline:
            return gone
        time.sleep(0.02)
