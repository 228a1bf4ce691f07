"""What is asked of a session: which run it begins, continues or forks. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """Where a run begins, and where it is kept.

    Attributes:
        runs: the directory of all runs.
        resume: what is continued: a run as `find_run` takes it; `auto` for the newest of this
            title, if there is one; `None` for a new run.
        fork: leave that run as it is, and continue from it in a new one.
        checkpoint: which of its checkpoints a fork starts from.
        allow_change: continue although the experiment has changed, and record how.
    """

    runs: Path
    resume: str | None = None
    fork: bool = False
    checkpoint: Literal["best", "last"] | int = "last"
    allow_change: bool = False
