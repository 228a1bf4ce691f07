"""The directory of one run, held by the one process that writes it."""

from __future__ import annotations

import dataclasses
import json
import secrets
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from ganlab.config import dump_resolved
from ganlab.config.experiment import Experiment
from ganlab.errors import GanlabError
from ganlab.files import explained, write_atomically
from ganlab.runs.checkpoints import Checkpoints
from ganlab.runs.encoding import to_json
from ganlab.runs.environment import describe_environment
from ganlab.runs.layout import RunLayout, slug
from ganlab.runs.lock import RunLock
from ganlab.runs.plugins import copy_plugins
from ganlab.runs.records import RecordWriter
from ganlab.runs.reporting import print_warning
from ganlab.runs.state import (
    Best,
    Evaluated,
    RunState,
    Session,
    Status,
    read_state,
    utc_now,
    write_state,
)

__all__ = ["RunDirectory"]


class RunDirectory:
    """A run that this process writes: its files, its state and its checkpoints.

    Made by `create` (a new run) or `open` (one more session of an old one), and held
    under a lock until `finish` or `close`; a context manager that closes.

    Attributes:
        path: the directory.
        state: the content of `run.json`.
        metrics: scalars, one record per log point.
        evaluations: measurements, one record each.
        checkpoints: what a resume, or sampling, starts from.
    """

    def __init__(self, path: Path, state: RunState, lock: RunLock, keep: int) -> None:
        layout = RunLayout(path)
        self.path = path
        self.state = state
        self.metrics = RecordWriter(layout.metrics)
        self.evaluations = RecordWriter(layout.evaluations)
        self.checkpoints = Checkpoints(path, keep)
        self._layout = layout
        self._lock = lock

    @classmethod
    def create(
        cls, root: Path, experiment: Experiment, *, parent: str | None = None, device: str = "cpu"
    ) -> RunDirectory:
        """Make the directory of a new run: `root/<title-slug>/<UTC time>-<4 hex>`.

        It appears under that name when all that a new run has is in it.

        Args:
            root: the directory of all runs; made where it is missing.
            experiment: what is to be run.
            parent: id of the run that this one starts from.
            device: where the run computes, for `environment.json`.

        Raises:
            GanlabError: the directory cannot be written.
        """
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        path = root.resolve() / slug(experiment.settings.title) / name
        temporary = path.with_name(f".creating-{name}")
        state = RunState(
            id=name,
            title=experiment.settings.title,
            steps=experiment.settings.training.steps,
            created=utc_now(),
            parent=parent,
            sessions=(Session.begin(),),
        )
        with explained(f"cannot make the run directory {path}"), ExitStack() as undo:
            undo.callback(shutil.rmtree, temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            _fill(RunLayout(temporary), experiment, state, device)
            lock = RunLock(RunLayout(temporary).lock)
            undo.callback(lock.release)
            temporary.rename(path)
            undo.callback(shutil.rmtree, path, ignore_errors=True)
            run = cls(path, state, lock, experiment.settings.checkpoint.keep)
            undo.pop_all()
        return run

    @classmethod
    def open(cls, path: Path, *, keep: int = 3) -> RunDirectory:
        """Take up an existing run for one more session.

        Raises:
            GanlabError: there is no run there, it is damaged, or another process is writing it.
        """
        layout = RunLayout(path.resolve())
        if not layout.state.is_file():
            raise GanlabError(f"{path} is not a run: it has no {layout.state.name}")
        with ExitStack() as undo:
            lock = RunLock(layout.lock)
            undo.callback(lock.release)
            state = read_state(layout.state)
            run = cls(layout.root, state, lock, keep)
            run.checkpoints.recover()
            step = run.checkpoints.last or 0
            session = Session.begin(step)
            run._replace(status="running", reason="", step=step, sessions=(*state.sessions, session))
            undo.pop_all()
        return run

    @property
    def id(self) -> str:
        """The run's name, unique under its title."""
        return self.state.id

    @property
    def resolved(self) -> Path:
        """The experiment with every default filled in."""
        return self._layout.resolved

    def update(
        self,
        *,
        step: int | None = None,
        best: Best | None = None,
        last: Evaluated | None = None,
    ) -> None:
        """Record how far the run got; what is left out stays as it is.

        The disk is not waited for, since this is called at every log point; after a power
        cut the checkpoints say where the run stands.
        """
        given = {"step": step, "best": best, "last": last}
        self._replace(durable=False, **{name: value for name, value in given.items() if value is not None})

    def finish(self, status: Status, reason: str = "") -> None:
        """Record how the run ended, and let go of it.

        It can stand in a `finally`: where the end cannot be written, that is a warning on
        standard error, since what ended the run is worth more; the run then shows as interrupted.
        """
        *earlier, current = self.state.sessions
        ended = dataclasses.replace(current, ended=utc_now())
        try:
            self._replace(status=status, reason=reason, sessions=(*earlier, ended))
        except GanlabError as error:
            print_warning(str(error))
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the run; one that was not finished shows as interrupted."""
        self.metrics.close()
        self.evaluations.close()
        self._lock.release()

    def tracker_directory(self, label: str) -> Path:
        """Return the directory that belongs to a tracker, made where it is missing."""
        return _made(self._layout.tracker(label))

    def sample_path(self, name: str, step: int, suffix: str = ".png") -> Path:
        """Return where a picture goes: `samples/<name>-00001000.png`."""
        return _made(self._layout.samples) / f"{name}-{step:08d}{suffix}"

    def write_log(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a diagnostic file, `logs/<name>`, as JSON."""
        path = _made(self._layout.logs) / name
        with explained(f"cannot write {path}"):
            write_atomically(path, to_json(content, indent=2) + "\n")

    def environment(self) -> dict[str, Any]:
        """Return the machine and the versions that the run was started with."""
        described: dict[str, Any] = json.loads(self._layout.environment.read_text(encoding="utf-8"))
        return described

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _replace(self, *, durable: bool = True, **changes: Any) -> None:
        self.state = dataclasses.replace(self.state, **changes)
        write_state(self._layout.state, self.state, durable=durable)


def _fill(layout: RunLayout, experiment: Experiment, state: RunState, device: str) -> None:
    if experiment.file.is_file():
        shutil.copyfile(experiment.file, layout.experiment)
    resolved = copy_plugins(experiment.resolved, experiment.plugin_files, layout.plugins)
    write_atomically(layout.resolved, dump_resolved(dataclasses.replace(experiment, resolved=resolved)))
    write_atomically(layout.environment, to_json(describe_environment(device), indent=2) + "\n")
    write_state(layout.state, state)
    for directory in (layout.samples, layout.checkpoints, layout.logs):
        directory.mkdir()


def _made(directory: Path) -> Path:
    with explained(f"cannot make {directory}"):
        directory.mkdir(parents=True, exist_ok=True)
    return directory
