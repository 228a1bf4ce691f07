"""`run.json`: what a run is, how far it got, and how it ended."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ganlab.errors import GanlabError
from ganlab.files import explained, write_atomically
from ganlab.runs.encoding import to_json

__all__ = ["Best", "Evaluated", "RunState", "Session", "Status", "read_state", "utc_now", "write_state"]

Status: TypeAlias = Literal["running", "completed", "interrupted", "diverged", "failed"]


@dataclass(frozen=True)
class Best:
    """The best checkpoint: its step, and the metric (`label.metric`) that chose it."""

    step: int
    metric: str
    value: float


@dataclass(frozen=True)
class Evaluated:
    """The last evaluation: its step and its numbers by tag."""

    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Session:
    """One process's work on a run; a resumed run has several. Times are UTC, ISO 8601."""

    started: str
    host: str
    pid: int
    start_step: int = 0
    ended: str | None = None

    @classmethod
    def begin(cls, start_step: int = 0) -> Session:
        """Return a session of this process, starting now."""
        return cls(utc_now(), socket.gethostname(), os.getpid(), start_step)


@dataclass(frozen=True)
class RunState:
    """The content of `run.json`.

    Attributes:
        id: the run's name, unique under its title.
        title: the experiment's title.
        steps: how many the experiment asks for.
        created: UTC, ISO 8601.
        parent: id of the run that this one started from.
        status: as it was last written; see `ganlab.runs.reading` for runs whose process died.
        reason: why it ended; empty while it runs, and where `completed` says it all.
        step: the last step that was reported.
        best: the best checkpoint.
        last: the last evaluation.
        sessions: who worked on it.
    """

    id: str
    title: str
    steps: int
    created: str
    parent: str | None = None
    status: Status = "running"
    reason: str = ""
    step: int = 0
    best: Best | None = None
    last: Evaluated | None = None
    sessions: tuple[Session, ...] = field(default=())


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_state(path: Path, state: RunState, *, durable: bool = True) -> None:
    """Replace `run.json` atomically, and wait for the disk if `durable`.

    Raises:
        GanlabError: it cannot be written.
    """
    with explained(f"cannot write {path}"):
        write_atomically(path, to_json(asdict(state), indent=2) + "\n", durable=durable)


def read_state(path: Path) -> RunState:
    """Read `run.json`.

    Raises:
        GanlabError: it is not there, or not what this program writes.
    """
    with explained(f"cannot read {path}"):
        text = path.read_text(encoding="utf-8")
    try:
        return _parse(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise GanlabError(f"{path} is damaged: {error}") from error


def _parse(values: dict[str, Any]) -> RunState:
    best, last = values.pop("best", None), values.pop("last", None)
    return RunState(
        **{**values, "sessions": tuple(Session(**session) for session in values.get("sessions", ()))},
        best=None if best is None else Best(best["step"], best["metric"], float(best["value"])),
        last=None
        if last is None
        else Evaluated(last["step"], {tag: float(value) for tag, value in last["metrics"].items()}),
    )
