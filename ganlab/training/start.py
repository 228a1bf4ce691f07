"""Where a session starts: a new run, a run that continues, or a fork of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ganlab.components import SampleSpec
from ganlab.config import with_pinned_start
from ganlab.config.experiment import Experiment
from ganlab.config.settings import PinnedStart, StartSettings
from ganlab.data.preparation import Data
from ganlab.engine.engine import Engine
from ganlab.engine.weights import digest_of_weights
from ganlab.errors import ExperimentError, GanlabError, UsageError, summarised
from ganlab.paths import parse_path, path_text
from ganlab.processes import Processes
from ganlab.runs.checkpoint_files import Checkpoint
from ganlab.runs.directory import RunDirectory
from ganlab.runs.reading import Run, find_run, list_runs, read_run
from ganlab.runs.state import Parent
from ganlab.training.changes import (
    changes_of_experiment,
    changes_of_machine,
    changes_since_earlier_versions,
)
from ganlab.training.plan import Plan
from ganlab.training.repetition import forked_from, how_to_fork_again
from ganlab.words import counted

__all__ = ["Start", "find_start", "find_weights"]

_HOW_TO_UNPIN = (
    "bring that checkpoint back; or leave out [start.pinned], to begin with what [start] means now"
)


@dataclass(frozen=True)
class Weights:
    """Weights that a new run begins with.

    Attributes:
        engine: what the engine's `state_dict` returned whose they are.
        networks: kinds of network to take.
        spec: the samples that they were trained on; `None` where the checkpoint does not say.
    """

    engine: Mapping[str, Any]
    networks: tuple[str, ...]
    spec: SampleSpec | None = None

    def begin(self, engine: Engine) -> None:
        """Give an engine the weights.

        Raises:
            GanlabError: they do not fit; where they are of other samples, that is said.
        """
        try:
            engine.begin_with(self.engine, self.networks)
        except GanlabError as error:
            if self.spec in (None, engine.spec):
                raise
            raise GanlabError(
                f"{error}\n    they were trained on {self.spec}, and this experiment has {engine.spec}: what "
                "a network has for each class, channel or size does not fit another number of them. Train on "
                "the same, or take by `networks` only those that fit"
            ) from error


@dataclass(frozen=True)
class Start:
    """What the leader found to start from, for all processes to know.

    Attributes:
        run: id and directory of the run that is continued or forked; `None` for a new one.
        fork: whether it is forked.
        state: of its checkpoint; `None` where there is none.
        changes: what differs from it.
        finished: whether there is nothing left to do.
        weights: what a run begins with; `None` for its own random ones.
        parent: what a new run is forked from, or begins with the weights of.
        pinned: what `[start]` turned out to be; `None` where there is no such table.
    """

    run: tuple[str, Path] | None = None
    fork: bool = False
    state: Mapping[str, Any] | None = None
    changes: tuple[str, ...] = ()
    finished: bool = False
    weights: Weights | None = None
    parent: Parent | None = None
    pinned: PinnedStart | None = None

    @property
    def step(self) -> int:
        """The step that the session starts after."""
        return 0 if self.state is None else int(self.state["engine"]["step"])

    @property
    def resumes(self) -> bool:
        """Whether a run continues in its own directory."""
        return self.run is not None and not self.fork

    def pin(self, experiment: Experiment) -> Experiment:
        """Return the experiment with what its `[start]` turned out to be."""
        return experiment if self.pinned is None else with_pinned_start(experiment, self.pinned)

    def restore(self, engine: Engine) -> Start:
        """Bring an engine to the checkpoint; return the start with what an earlier ganlab did otherwise.

        Raises:
            ExperimentError: the weights to begin with do not fit.
            GanlabError: the checkpoint does not fit the engine's networks.
        """
        if self.weights is not None:
            with _blamed(engine.experiment, "start.run"):
                self.weights.begin(engine)
        if self.state is None:
            return self
        try:
            engine.load_state_dict(self.state["engine"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise GanlabError(
                f"the checkpoint does not fit the experiment as it is now: {summarised(error)}\n"
                "    a continued or forked run keeps the shapes of its networks; for others, start a new run"
            ) from error
        since = changes_since_earlier_versions(self.state, engine)
        return replace(self, changes=(*self.changes, *since))


@contextmanager
def find_start(
    experiment: Experiment, plan: Plan, data: Data, processes: Processes, device: torch.device
) -> Iterator[tuple[Start, RunDirectory | None]]:
    """Yield where to start, and to the leader the run that is continued, under its lock.

    Raises:
        UsageError: there is no such run, the experiment differs from it and that is not allowed, or
            it has more steps behind it than are asked for.
        GanlabError: the run is damaged or being written, or no checkpoint can be read.
    """
    directory: RunDirectory | None = None

    def find() -> Start:
        nonlocal directory
        run = _find_planned_run(experiment, plan)
        if run is None:
            return find_weights(experiment, plan.runs)
        if not plan.fork:
            directory = RunDirectory.open(run.path, keep=experiment.settings.checkpoint.keep)
        return _start_from(run, _pinned_as(experiment, run), plan, data, processes, device)

    try:
        yield processes.run_on_leader(find), directory
    finally:
        if directory is not None:
            directory.close()


def _find_planned_run(experiment: Experiment, plan: Plan) -> Run | None:
    if plan.resume == "auto":
        return next(iter(list_runs(plan.runs, title=experiment.settings.title)), None)
    return None if plan.resume is None else find_run(plan.resume, plan.runs)


def find_weights(experiment: Experiment, runs: Path) -> Start:
    """Return the start of a new run, with the weights that `[start]` asks for, if it does.

    Args:
        experiment: what is to run.
        runs: the directory of all runs, among which the one that is asked for is looked for.

    Raises:
        ExperimentError: there is no such run or checkpoint, it cannot be read, or its weights are
            not those that were pinned.
    """
    asked = experiment.settings.start
    if asked is None:
        return Start()
    with _blamed(experiment, *(("start.pinned", _HOW_TO_UNPIN) if asked.pinned else ("start.run",))):
        run, checkpoint = _find_pinned(asked.pinned, runs) if asked.pinned else _find_asked(asked, runs)
        engine = checkpoint.state()["engine"]
        parent = _parent(run, checkpoint.step, engine)
        if asked.pinned and asked.pinned.digest != parent.digest:
            raise GanlabError(
                f"the weights in {checkpoint.path} are not those that this began with: their digest is "
                f"{parent.digest[:8]}…, and was {asked.pinned.digest[:8]}…"
            )
    return Start(
        weights=Weights(engine, tuple(asked.networks), checkpoint.spec),
        parent=parent,
        pinned=PinnedStart(run=parent.path, step=parent.step, digest=parent.digest),
    )


def _find_asked(asked: StartSettings, runs: Path) -> tuple[Run, Checkpoint]:
    run = find_run(asked.run, runs)
    best = asked.checkpoint == "best" and run.checkpoints.best is None
    return run, run.checkpoints.load("last" if best else asked.checkpoint)


def _find_pinned(pinned: PinnedStart, runs: Path) -> tuple[Run, Checkpoint]:
    """Return the very checkpoint; where its run has been moved, it is known by its id."""
    try:
        path = parse_path(pinned.run)
    except ValueError as error:
        raise UsageError(f"its `run` {error}") from error
    run = read_run(path) if path.is_dir() else find_run(path.name, runs)
    return run, run.checkpoints.load(pinned.step)


def _pinned_as(experiment: Experiment, run: Run) -> Experiment:
    """Return the experiment that continues with what its `[start]` was to the run, if it is the same."""
    start, before = (tables.get("start", {}) for tables in (experiment.resolved, run.experiment()))
    known = {key: value for key, value in before.items() if key != "pinned"}
    if "pinned" not in before or start != known:
        return experiment
    return with_pinned_start(experiment, PinnedStart(**before["pinned"]))


def _parent(run: Run, step: int, engine: Mapping[str, Any]) -> Parent:
    return Parent(run.state.id, step, path_text(run.path), digest_of_weights(engine))


@contextmanager
def _blamed(experiment: Experiment, key: str, hint: str = "") -> Iterator[None]:
    """Name the file and line of a key of `[start]` in what is wrong with it."""
    try:
        yield
    except GanlabError as error:
        raise ExperimentError([experiment.origin.problem(key, str(error), hint)]) from error


def _start_from(
    run: Run, experiment: Experiment, plan: Plan, data: Data, processes: Processes, device: torch.device
) -> Start:
    state: Mapping[str, Any] | None = None
    if plan.fork or run.checkpoints.steps:
        state = run.checkpoints.load(plan.checkpoint if plan.fork else "last").state()
    elif forked := forked_from(run):
        raise UsageError(
            f"{run.path} was forked from {forked.id} at step {forked.step:,} and has no checkpoint of its "
            f"own to continue from; to fork it again: {how_to_fork_again(run.resolved, forked)}"
        )
    changes = changes_of_experiment(run, state, experiment, data)
    if changes and not (plan.allow_change or plan.fork):
        listing = "\n".join(f"    {change}" for change in changes)
        raise UsageError(
            f"the experiment differs from that of {run.path}:\n{listing}\n"
            "`--allow-change` continues with the change and records it; `--fork` leaves the run "
            "as it is and continues in a new one; a key set to its old value is not a change"
        )
    steps = experiment.settings.training.steps
    parent = _parent(run, int(state["engine"]["step"]), state["engine"]) if plan.fork and state else None
    # Before its first checkpoint, a run begins again.
    begun = find_weights(experiment, plan.runs) if state is None else Start(state=state, parent=parent)
    start = replace(begun, run=(run.state.id, run.path), fork=plan.fork)
    if start.pinned is None and experiment.settings.start is not None:
        start = replace(start, pinned=experiment.settings.start.pinned)
    if start.step > steps:
        raise UsageError(
            f"{run.path} has completed {counted(start.step, 'step')}, and training.steps is {steps}"
        )
    if steps != run.state.steps:
        changes.append(f"training.steps: {run.state.steps} -> {steps}")
    changes += changes_of_machine(run, processes, device)
    finished = run.state.status == "completed" and start.step >= steps and not plan.fork
    return replace(start, changes=tuple(changes), finished=finished)
