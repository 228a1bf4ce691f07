"""Where a session starts: a new run, a run that continues, or a fork of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ganlab.config.experiment import Experiment
from ganlab.data.preparation import Data
from ganlab.engine.engine import Engine
from ganlab.errors import ExperimentError, GanlabError, UsageError, summarised
from ganlab.processes import Processes
from ganlab.runs.directory import RunDirectory
from ganlab.runs.reading import Run, find_run, list_runs
from ganlab.runs.state import Parent
from ganlab.training.changes import (
    changes_of_experiment,
    changes_of_machine,
    changes_since_earlier_versions,
)
from ganlab.training.plan import Plan

__all__ = ["Start", "find_start"]


@dataclass(frozen=True)
class Weights:
    """Weights that a new run begins with.

    Attributes:
        parent: the run that they are of.
        engine: what its engine's `state_dict` returned.
        networks: kinds of network to take.
    """

    parent: Parent
    engine: Mapping[str, Any]
    networks: tuple[str, ...]


@dataclass(frozen=True)
class Start:
    """What the leader found to start from, for all processes to know.

    Attributes:
        run: id and directory of the run that is continued or forked; `None` for a new one.
        fork: whether it is forked.
        state: of its checkpoint; `None` where there is none.
        changes: what differs from it.
        finished: whether there is nothing left to do.
        weights: what a new run begins with; `None` for its own random ones.
    """

    run: tuple[str, Path] | None = None
    fork: bool = False
    state: Mapping[str, Any] | None = None
    changes: tuple[str, ...] = ()
    finished: bool = False
    weights: Weights | None = None

    @property
    def step(self) -> int:
        """The step that the session starts after."""
        return 0 if self.state is None else int(self.state["engine"]["step"])

    @property
    def resumes(self) -> bool:
        """Whether a run continues in its own directory."""
        return self.run is not None and not self.fork

    @property
    def parent(self) -> Parent | None:
        """What a new run is forked from, or begins with the weights of, if there is such a run."""
        if self.weights is not None:
            return self.weights.parent
        return Parent(self.run[0], self.step) if self.run is not None and self.fork else None

    def restore(self, engine: Engine) -> Start:
        """Bring an engine to the checkpoint; return the start with what an earlier ganlab did otherwise.

        Raises:
            ExperimentError: the weights to begin with do not fit.
            GanlabError: the checkpoint does not fit the engine's networks.
        """
        if self.weights is not None:
            with _start_blamed(engine.experiment):
                engine.begin_with(self.weights.engine, self.weights.networks)
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
            return Start(weights=_find_weights(experiment, plan))
        if not plan.fork:
            directory = RunDirectory.open(run.path, keep=experiment.settings.checkpoint.keep)
        return _start_from(run, experiment, plan, data, processes, device)

    try:
        yield processes.run_on_leader(find), directory
    finally:
        if directory is not None:
            directory.close()


def _find_planned_run(experiment: Experiment, plan: Plan) -> Run | None:
    if plan.resume == "auto":
        return next(iter(list_runs(plan.runs, title=experiment.settings.title)), None)
    return None if plan.resume is None else find_run(plan.resume, plan.runs)


def _find_weights(experiment: Experiment, plan: Plan) -> Weights | None:
    """Return the weights that `[start]` asks for, if it does.

    Raises:
        ExperimentError: there is no such run or checkpoint, or it cannot be read.
    """
    asked = experiment.settings.start
    if asked is None:
        return None
    with _start_blamed(experiment):
        run = find_run(asked.run, plan.runs)
        best = asked.checkpoint == "best" and run.checkpoints.best is None
        checkpoint = run.checkpoints.load("last" if best else asked.checkpoint)
        parent = Parent(run.state.id, checkpoint.step)
        return Weights(parent, checkpoint.state()["engine"], tuple(asked.networks))


@contextmanager
def _start_blamed(experiment: Experiment) -> Iterator[None]:
    """Name the file and line of `[start]` in what is wrong with it."""
    try:
        yield
    except GanlabError as error:
        raise ExperimentError([experiment.origin.problem("start.run", str(error))]) from error


def _start_from(
    run: Run, experiment: Experiment, plan: Plan, data: Data, processes: Processes, device: torch.device
) -> Start:
    state: Mapping[str, Any] | None = None
    if plan.fork or run.checkpoints.steps:
        state = run.checkpoints.load(plan.checkpoint if plan.fork else "last").state()
    changes = changes_of_experiment(run, state, experiment, data)
    if changes and not (plan.allow_change or plan.fork):
        listing = "\n".join(f"    {change}" for change in changes)
        raise UsageError(
            f"the experiment differs from that of {run.path}:\n{listing}\n"
            "`--allow-change` continues with the change and records it; `--fork` leaves the run "
            "as it is and continues in a new one; a key set to its old value is not a change"
        )
    steps = experiment.settings.training.steps
    start = Start((run.state.id, run.path), plan.fork, state)
    if start.step > steps:
        raise UsageError(f"{run.path} has completed {start.step} steps, and training.steps is {steps}")
    if steps != run.state.steps:
        changes.append(f"training.steps: {run.state.steps} -> {steps}")
    changes += changes_of_machine(run, processes, device)
    finished = run.state.status == "completed" and start.step >= steps and not plan.fork
    return replace(start, changes=tuple(changes), finished=finished)
