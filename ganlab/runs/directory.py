"""The directory of one run, held by the one process that writes it."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from ganlab.config import dump_resolved
from ganlab.config.experiment import Experiment
from ganlab.descriptions import described
from ganlab.errors import GanlabError
from ganlab.files import explained, write_atomically
from ganlab.runs.checkpoints import Checkpoints
from ganlab.runs.encoding import to_json
from ganlab.runs.environment import describe_environment
from ganlab.runs.jsonl import JsonLinesWriter
from ganlab.runs.layout import RunLayout
from ganlab.runs.lock import RunLock, is_locked
from ganlab.runs.plugins import copy_plugins, point_at_copies, read_source
from ganlab.runs.reading import Run
from ganlab.runs.reporting import print_warning
from ganlab.runs.state import (
    Best,
    Evaluated,
    HealthWarning,
    Parent,
    RunState,
    SessionRecord,
    Status,
    read_state,
    utc_now,
    write_state,
)

__all__ = ["RunDirectory"]

_LEFTOVER_SECONDS = 60
"""A directory younger than this may be about to be locked by who makes it."""


class RunDirectory:
    """A run that this process writes: its files, its state and its checkpoints.

    Made by `create` (a new run) or `open` (an old one, whose next session starts with
    `begin`), and held under a lock until `finish` or `close`; a context manager that closes.

    Attributes:
        path: the directory.
        state: the content of `run.json`.
        metrics: scalars, one line per log point.
        evaluations: measurements, one line each.
        checkpoints: what a resume, or sampling, starts from.
    """

    def __init__(self, layout: RunLayout, state: RunState, lock: RunLock, keep: int) -> None:
        self.path = layout.root
        self.state = state
        self.metrics = JsonLinesWriter(layout.metrics)
        self.evaluations = JsonLinesWriter(layout.evaluations)
        self.checkpoints = Checkpoints(layout.root, keep)
        self._layout = layout
        self._lock = lock

    @classmethod
    def create(
        cls,
        root: Path,
        experiment: Experiment,
        *,
        parent: Parent | None = None,
        device: str = "cpu",
        processes: int = 1,
        changes: Sequence[str] = (),
    ) -> RunDirectory:
        """Make the directory of a new run: `root/<title-slug>/<UTC time>-<4 hex>`.

        It appears under that name when all that a new run has is in it.

        Args:
            root: the directory of all runs; made where it is missing.
            experiment: what is to be run.
            parent: the checkpoint that it starts from.
            device: where the run computes, for `environment.json`.
            processes: how many share the run.
            changes: what differs from the parent.

        Raises:
            GanlabError: the directory cannot be written.
        """
        layout = RunLayout.new(root, experiment.settings.title)
        path, temporary = layout.root, layout.being_made
        state = RunState(
            id=path.name,
            title=experiment.settings.title,
            steps=experiment.settings.training.steps,
            created=utc_now(),
            parent=parent,
            sessions=(
                SessionRecord.begin(parent.step if parent else 0, processes=processes, changes=changes),
            ),
        )
        with explained(f"cannot make the run directory {path}"), ExitStack() as undo:
            undo.callback(shutil.rmtree, temporary.root, ignore_errors=True)
            temporary.root.mkdir(parents=True)
            lock = RunLock(temporary.lock)
            undo.callback(lock.release)
            _remove_leftovers(layout)
            _fill(temporary, experiment, state, device)
            temporary.root.rename(path)
            undo.callback(shutil.rmtree, path, ignore_errors=True)
            run = cls(layout, state, lock, experiment.settings.checkpoint.keep)
            undo.pop_all()
        return run

    @classmethod
    def open(cls, path: Path, *, keep: int = 3) -> RunDirectory:
        """Take hold of an existing run; what it recorded stays as it is until `begin`.

        Raises:
            GanlabError: there is no run there, it is damaged, or another process is writing it.
        """
        layout = RunLayout(path.resolve())
        if not layout.state.is_file():
            raise GanlabError(f"{path} is not a run: it has no {layout.state.name}")
        with ExitStack() as undo:
            lock = RunLock(layout.lock)
            undo.callback(lock.release)
            run = cls(layout, read_state(layout.state), lock, keep)
            run.checkpoints.recover()
            undo.pop_all()
        return run

    def begin(
        self,
        step: int,
        record: Mapping[str, Any] | None,
        *,
        experiment: Experiment,
        best: Mapping[str, Any] | None = None,
        device: str = "cpu",
        processes: int = 1,
        changes: Sequence[str] = (),
    ) -> None:
        """Begin one more session, at a checkpoint: what was recorded after it was written goes.

        Args:
            step: the checkpoint's; 0 where the run starts again.
            record: what `state_dict` returned when it was written; `None` is the very beginning.
            experiment: what continues; it replaces `resolved.toml`, where anything was changed.
            best: the best checkpoint by then, as `Best` has it.
            device: where the run computes; the machine replaces `environment.json` alike.
            processes: how many share the run.
            changes: what differs from the session before.

        Raises:
            GanlabError: the directory cannot be written.
        """
        session = SessionRecord.begin(step, processes=processes, changes=changes)
        self.checkpoints.rewind(step, None if best is None else best["step"])
        last_picture = -1 if record is None else step
        record = record or {"metrics": 0, "evaluations": 0, "last": None, "warnings": []}
        self.metrics.rewind(record["metrics"])
        self.evaluations.rewind(record["evaluations"])
        with explained(f"cannot write {self.path}"):
            for picture in list(self._layout.samples_after(last_picture)):
                picture.unlink()
            if changes:
                _replace_experiment(self._layout, experiment, device, len(self.state.sessions))
        self._replace(
            status="running",
            reason="",
            step=step,
            steps=experiment.settings.training.steps,
            best=None if best is None or self.checkpoints.best is None else described(Best, best),
            last=None if record["last"] is None else described(Evaluated, record["last"]),
            warnings=tuple(described(HealthWarning, warning) for warning in record["warnings"]),
            sessions=(*self.state.sessions, session),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what has been recorded so far, for `begin`; all of it has reached the disk."""
        state = self.state
        return {
            "metrics": self.metrics.mark(),
            "evaluations": self.evaluations.mark(),
            "last": None if state.last is None else dataclasses.asdict(state.last),
            "warnings": [dataclasses.asdict(warning) for warning in state.warnings],
        }

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
        warning: HealthWarning | None = None,
    ) -> None:
        """Record how far the run got; what is left out stays as it is.

        The disk is not waited for, since this is called at every log point; after a power
        cut the checkpoints say where the run stands.
        """
        given: dict[str, Any] = {"step": step, "best": best, "last": last}
        if warning is not None:
            given["warnings"] = (*self.state.warnings, warning)
        self._replace(durable=False, **{name: value for name, value in given.items() if value is not None})

    def describe_classes(self, names: Sequence[str], counts: Sequence[int]) -> None:
        """Record the names of the data's labels, and how many training samples each has.

        Whoever samples from the run learns them here, without its dataset.

        Raises:
            GanlabError: it cannot be written.
        """
        self._replace(class_names=tuple(names), class_counts=tuple(counts))

    def describe_ingredients(self, data: str, parameters: Mapping[str, int]) -> None:
        """Record what is trained on what, so that runs can be compared without either.

        Args:
            data: hex digest of the data's content and preparation.
            parameters: trainable ones of each network, by its kind.

        Raises:
            GanlabError: it cannot be written.
        """
        self._replace(data=data, parameters=dict(parameters))

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

    def sample_path(self, name: str, step: int) -> Path:
        """Return where a picture goes: `samples/<name>-00001000.png`; its directory is there."""
        path = self._layout.sample(name, step)
        _made(path.parent)
        return path

    @property
    def divergence(self) -> Path:
        """Every number at a divergence, where there was one."""
        return self._layout.divergence

    def divergence_picture_path(self, name: str) -> Path:
        """Return where a picture goes that the weights drew at a divergence."""
        return self._layout.divergence_picture(name)

    def write_divergence(self, content: Mapping[str, Any]) -> None:
        """Write every number at a divergence, as JSON.

        Raises:
            GanlabError: it cannot be written.
        """
        path = self._layout.divergence
        _made(path.parent)
        with explained(f"cannot write {path}"):
            write_atomically(path, to_json(content, indent=2) + "\n")

    def environment(self) -> dict[str, Any]:
        """Return the machine and the versions that the run goes by."""
        return Run(self.path, self.state).environment()

    def reread(self) -> Run:
        """Return the run as readers see it."""
        return Run(self.path, self.state)

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
        layout.experiment.write_bytes(read_source(experiment.file))
    resolved = copy_plugins(experiment.resolved, experiment.plugin_files, layout.plugins)
    write_atomically(layout.resolved, dump_resolved(dataclasses.replace(experiment, resolved=resolved)))
    _write_environment(layout, device)
    write_state(layout.state, state)
    for directory in (layout.samples, layout.checkpoints, layout.logs):
        directory.mkdir()


def _remove_leftovers(layout: RunLayout) -> None:
    """Remove directories of runs of the same title that died while they were being made."""
    for leftover in layout.others_being_made:
        old = time.time() - leftover.root.stat().st_mtime > _LEFTOVER_SECONDS
        if old and not is_locked(leftover.lock):
            shutil.rmtree(leftover.root, ignore_errors=True)


def _replace_experiment(layout: RunLayout, experiment: Experiment, device: str, sessions: int) -> None:
    """Let a run's files say what continues from here, and where; what they said is kept in `logs/`."""
    before = layout.before_session(sessions + 1)
    if not before.root.is_dir():
        before.root.mkdir(parents=True)
        shutil.copyfile(layout.resolved, before.resolved)
        shutil.copyfile(layout.environment, before.environment)
        if layout.plugins.is_dir():
            shutil.copytree(layout.plugins, before.plugins)
    # Read before they are written: a plugin's file may be the run's own copy.
    contents = {name: read_source(source) for name, source in experiment.plugin_files.items()}
    for name, content in contents.items():
        _made((layout.plugins / name).parent)
        write_atomically(layout.plugins / name, content)
    resolved = point_at_copies(experiment.resolved, contents, layout.plugins.name)
    write_atomically(layout.resolved, dump_resolved(dataclasses.replace(experiment, resolved=resolved)))
    _write_environment(layout, device)


def _write_environment(layout: RunLayout, device: str) -> None:
    write_atomically(layout.environment, to_json(describe_environment(device), indent=2) + "\n")


def _made(directory: Path) -> Path:
    with explained(f"cannot make {directory}"):
        directory.mkdir(parents=True, exist_ok=True)
    return directory
