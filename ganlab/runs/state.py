"""`run.json`: what a run is, how far it got, and how it ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from ganlab.descriptions import read_description
from ganlab.errors import GanlabError
from ganlab.files import explained, write_atomically
from ganlab.runs.encoding import to_json

__all__ = [
    "Best",
    "Evaluated",
    "HealthWarning",
    "Parent",
    "RunState",
    "SessionRecord",
    "Status",
    "read_state",
    "utc_now",
    "write_state",
]

Status: TypeAlias = Literal["running", "completed", "interrupted", "diverged", "failed"]


@dataclass(frozen=True)
class Best:
    """The best checkpoint.

    Attributes:
        step: the step that it was saved after.
        metric: what chose it, as `label.metric`.
        value: what was measured.
        fingerprint: digest of all that decides the features that it was measured on; empty in runs of
            earlier versions.
        procedure: digest of the evaluator's name and options, likewise.
        data: digest of the real samples and of which of them are held out, likewise.
    """

    step: int
    metric: str
    value: float
    fingerprint: str = ""
    procedure: str = ""
    data: str = ""


@dataclass(frozen=True)
class Evaluated:
    """The last evaluation: its step and its numbers by tag."""

    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class HealthWarning:
    """A warning about the run's health: what is seen after a step, and what to try."""

    step: int
    name: str
    message: str


@dataclass(frozen=True)
class Parent:
    """The checkpoint that a run was forked from, or began with the weights of.

    Attributes:
        id: the run that it is of.
        step: the step that it was saved after.
        path: that run's directory, absolute; empty in runs of earlier versions.
        digest: SHA-256 of the weights of all networks; empty in runs of earlier versions.
    """

    id: str
    step: int
    path: str = ""
    digest: str = ""


@dataclass(frozen=True)
class SessionRecord:
    """One process's work on a run; a resumed run has several. Times are UTC, ISO 8601.

    Attributes:
        started: when it began.
        host: where.
        pid: which process; the first, where several share the run.
        start_step: the step that it continued from.
        ended: when it ended; `None` while it runs, and where it was killed.
        processes: how many shared the run.
        changes: what differs from the session before: the experiment's keys, and the machine.
    """

    started: str
    host: str
    pid: int
    start_step: int = 0
    ended: str | None = None
    processes: int = 1
    changes: tuple[str, ...] = ()

    @classmethod
    def begin(cls, start_step: int = 0, *, processes: int = 1, changes: Sequence[str] = ()) -> SessionRecord:
        """Return a session of this process, starting now."""
        return cls(
            utc_now(),
            socket.gethostname(),
            os.getpid(),
            start_step,
            processes=processes,
            changes=tuple(changes),
        )


@dataclass(frozen=True)
class RunState:
    """The content of `run.json`.

    Attributes:
        id: the run's name, unique under its title.
        title: the experiment's title.
        steps: how many the experiment asks for.
        created: UTC, ISO 8601.
        parent: the checkpoint that this one was forked from, or has its first weights from.
        class_names: names of the data's labels in order; empty where it has none.
        class_counts: training samples of each.
        data: hex digest of the data's content and preparation; empty in runs of earlier versions.
        parameters: trainable ones of each network; empty in runs of earlier versions.
        status: as it was last written; see `ganlab.runs.reading` for runs whose process died.
        reason: why it ended; empty while it runs, and where `completed` says it all.
        step: the last step that was reported.
        best: the best checkpoint.
        last: the last evaluation.
        warnings: what was wrong with its health, and when.
        sessions: who worked on it.
    """

    id: str
    title: str
    steps: int
    created: str
    parent: Parent | None = None
    class_names: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    data: str = ""
    parameters: Mapping[str, int] = field(default_factory=dict)
    status: Status = "running"
    reason: str = ""
    step: int = 0
    best: Best | None = None
    last: Evaluated | None = None
    warnings: tuple[HealthWarning, ...] = ()
    sessions: tuple[SessionRecord, ...] = field(default=())


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond: two runs may begin in one second."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


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
        GanlabError: it is not there, or not what this program writes; what a later version adds is passed
            over.
    """
    with explained(f"cannot read {path}"):
        content = path.read_bytes()
    try:
        return read_description(RunState, content)
    except ValueError as error:
        raise GanlabError(f"{path} is damaged: {error}") from error
