"""From an experiment to a finished run: a new one, one that goes on, or a fork of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ganlab import tags
from ganlab.components import TrackerComponent
from ganlab.config import dump_resolved
from ganlab.config.difference import differences
from ganlab.config.experiment import Experiment, Selection
from ganlab.data.cache_directory import cache_directory
from ganlab.data.preparation import Data, find
from ganlab.engine.assembly import make_networks
from ganlab.engine.engine import Engine
from ganlab.engine.memory_estimate import estimate
from ganlab.engine.network_summary import network_summary
from ganlab.engine.networks import Networks
from ganlab.engine.streams import derive_seed, seed_global_state
from ganlab.errors import (
    DivergedError,
    GanlabError,
    InterruptedRunError,
    OutOfMemoryError,
    UsageError,
    summarised,
)
from ganlab.evaluation.evaluation import Evaluation
from ganlab.evaluation.feature_pass import Progress
from ganlab.evaluation.reference import ReferenceData
from ganlab.processes import Processes
from ganlab.runs.directory import RunDirectory
from ganlab.runs.environment import describe_environment
from ganlab.runs.reading import Run, find_run, list_runs
from ganlab.runs.state import Parent, Status
from ganlab.tracking.console import Console
from ganlab.tracking.hub import TrackerHub
from ganlab.tracking.tracker import RunInfo, Tracker
from ganlab.training.interrupt import StopRequest
from ganlab.training.recorder import Recorder, RunRecorder
from ganlab.training.trainer import Trainer

__all__ = ["Plan", "build_engine", "build_evaluation", "require_same_data", "run_experiment"]

_EXACTNESS = ("python", "platform", "device_name", "threads", "cuda")
"""What has to be the same for the same bytes, beside torch and the number of processes."""


@dataclass(frozen=True)
class Plan:
    """Where a run begins, and where it is kept.

    Attributes:
        runs: the directory of all runs.
        resume: what is gone on with: a run as `find_run` takes it; `auto` for the newest of this
            title, if there is one; `None` for a new run.
        fork: leave that run as it is, and go on from it in a new one.
        checkpoint: which of its checkpoints a fork starts from.
        allow_change: go on although the experiment has changed, and record how.
    """

    runs: Path
    resume: str | None = None
    fork: bool = False
    checkpoint: Literal["best", "last"] | int = "last"
    allow_change: bool = False


@dataclass(frozen=True)
class _Start:
    """What the leader found to start from, for all processes to know.

    Attributes:
        run: id and directory of the run that is gone on with, or forked; `None` for a new one.
        state: of its checkpoint; `None` where there is none.
        changes: what differs from it.
        finished: whether there is nothing left to do.
    """

    run: tuple[str, Path] | None = None
    state: Mapping[str, Any] | None = None
    changes: tuple[str, ...] = ()
    finished: bool = False

    @property
    def step(self) -> int:
        return 0 if self.state is None else int(self.state["engine"]["step"])


def build_engine(
    experiment: Experiment,
    data: Data,
    processes: Processes | None = None,
    networks: Networks | None = None,
) -> Engine:
    """Return the engine of a new run, and seed the global generators for networks that use them."""
    rank = processes.rank if processes else 0
    seed_global_state(derive_seed(experiment.settings.seed, f"networks/{rank}" if rank else "networks"))
    return Engine(experiment, data, processes, networks)


def build_evaluation(experiment: Experiment, data: Data, engine: Engine, progress: Progress) -> Evaluation:
    """Return the experiment's evaluators over its data; nothing is read yet."""
    return Evaluation(
        experiment.evaluators,
        data.store.spec,
        ReferenceData.of(data),
        device=engine.device,
        cache=cache_directory() / "statistics",
        processes=engine.processes,
        progress=progress,
    )


def run_experiment(experiment: Experiment, plan: Plan, *, quiet: bool = False) -> Run | None:
    """Train and measure an experiment, alone or as one of several processes.

    Everything is built before anything is written, so that an experiment that cannot start
    leaves no run, and one that cannot go on leaves its run as it was.

    Args:
        experiment: what to run.
        plan: where it begins.
        quiet: print nothing while training.

    Returns:
        The finished run; `None` in processes that only help.

    Raises:
        GanlabError: it cannot start, or ended early; then `run.json` says why.
    """
    processes = Processes.from_environment()
    unpacked = find(experiment)
    # Before the data is packed, which is dear: what cannot be trained should say so at once.
    networks = make_networks(experiment, unpacked.spec, processes)
    estimate(experiment, unpacked, networks, processes).require_room()
    data = unpacked.pack(progress=None if processes.local_rank == 0 else False)
    with StopRequest(processes) as stop, processes.join(networks.device):
        require_same_data(data, processes)
        with _found(experiment, plan, data, processes) as (start, directory):
            if start.finished:
                return None if directory is None else directory.reread()
            engine = build_engine(experiment, data, processes, networks)
            if start.state is not None:
                _restore(engine, start.state)
                since = _changes_since_earlier_versions(engine, start.state)
                start = replace(start, changes=(*start.changes, *since))
            console = Console(
                experiment.settings.training.steps, engine.step, quiet=quiet or not processes.leader
            )

            def progress(what: str, done: int, total: int) -> None:
                stop.check()
                console.working(what, done, total)

            try:
                evaluation = build_evaluation(experiment, data, engine, progress)
                if processes.leader:
                    directory = _begin(experiment, plan, start, engine, directory, console)
                    with directory:
                        directory.describe_classes(data.store.class_names, data.class_counts)
                        _write_run(directory, start, engine, data, evaluation, plan, console, stop)
                else:
                    _trainer(engine, data, evaluation, Recorder(), stop, start, plan).train()
            finally:
                console.close()
        return None if directory is None else directory.reread()


def require_same_data(data: Data, processes: Processes) -> None:
    """Make sure that all processes train on the same samples.

    Raises:
        GanlabError: some found other data than the leader, or could not read all of it.
    """
    found = processes.gather_object((data.store.fingerprint, len(data.store)))
    told = ""
    if found and len(set(found)) > 1:
        counts = ", ".join(f"rank {rank}: {count:,}" for rank, (_, count) in enumerate(found))
        told = f"the processes do not have the same data (samples of {counts}): files that some cannot read?"
    if told := processes.broadcast_object(told):
        raise GanlabError(told)


@contextmanager
def _found(
    experiment: Experiment, plan: Plan, data: Data, processes: Processes
) -> Iterator[tuple[_Start, RunDirectory | None]]:
    """Yield what is started from, and to the leader the run that is gone on with, under its lock."""
    directory: RunDirectory | None = None

    def find() -> _Start:
        nonlocal directory
        run = _chosen_run(experiment, plan)
        if run is None:
            return _Start()
        if not plan.fork:
            directory = RunDirectory.open(run.path, keep=experiment.settings.checkpoint.keep)
        return _look_at(run, experiment, plan, data, processes)

    try:
        yield processes.run_on_leader(find), directory
    finally:
        if directory is not None:
            directory.close()


def _chosen_run(experiment: Experiment, plan: Plan) -> Run | None:
    if plan.resume == "auto":
        title = experiment.settings.title
        return next((run for run in list_runs(plan.runs) if run.state.title == title), None)
    return None if plan.resume is None else find_run(plan.resume, plan.runs)


def _look_at(run: Run, experiment: Experiment, plan: Plan, data: Data, processes: Processes) -> _Start:
    """Return where a run goes on, and how the experiment differs from what it was.

    Raises:
        UsageError: it differs, and that is not allowed; or there is nothing to fork from.
        GanlabError: no checkpoint can be read.
    """
    if not run.checkpoints.steps and not plan.fork:
        state = None
    else:
        state = run.checkpoints.load(plan.checkpoint if plan.fork else "last").state()
    changes = [str(difference) for difference in differences(run.experiment(), experiment)]
    if state is not None and state["data"] != data.store.fingerprint:
        changes.append("the data: its content is another, or it is prepared otherwise")
    if changes and not (plan.allow_change or plan.fork):
        listing = "\n".join(f"    {change}" for change in changes)
        raise UsageError(
            f"the experiment is not what {run.path} was:\n{listing}\n"
            "`--allow-change` goes on with it all the same and records the change; `--fork` leaves the run "
            "as it is and goes on in a new one; a key that is set to what it was is no change"
        )
    steps = experiment.settings.training.steps
    reached = 0 if state is None else state["engine"]["step"]
    finished = run.state.status == "completed" and reached >= steps and not plan.fork
    if reached > steps:
        raise UsageError(f"{run.path} has {reached} steps behind it, and training.steps is {steps}")
    if steps != run.state.steps:
        changes.append(f"training.steps: {run.state.steps} -> {steps}")
    changes += _machine_changes(run, processes)
    return _Start((run.state.id, run.path), state, tuple(changes), finished)


def _machine_changes(run: Run, processes: Processes) -> list[str]:
    """Return what keeps the run from going on to the same bytes."""
    now = describe_environment()
    before = run.environment()
    changes = [
        f"{name}: {before.get(name)} -> {now[name]}" for name in _EXACTNESS if before.get(name) != now[name]
    ]
    torch_before, torch_now = (each.get("packages", {}).get("torch") for each in (before, now))
    if torch_before != torch_now:
        changes.append(f"torch: {torch_before} -> {torch_now}")
    world = run.state.sessions[-1].processes if run.state.sessions else 1
    if world != processes.world:
        changes.append(f"processes: {world} -> {processes.world}")
    return changes


def _restore(engine: Engine, state: Mapping[str, Any]) -> None:
    try:
        engine.load_state_dict(state["engine"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise GanlabError(
            f"the checkpoint does not fit the experiment as it is now: {summarised(error)}\n"
            "    networks keep their shapes when a run goes on, or is forked; for others, start a new run"
        ) from error


def _changes_since_earlier_versions(engine: Engine, state: Mapping[str, Any]) -> list[str]:
    """Return what an earlier ganlab, which did not record how it took statistics, did otherwise."""
    if "statistics_samples" in state["trainer"]:
        return []
    changes = []
    if engine.statistics_samples:
        changes.append(
            "the generator's running statistics: those that training left behind -> taken afresh from "
            f"{engine.statistics_samples:,} samples, so measurements before and after do not compare"
        )
    if engine.average is not None and engine.images_per_step != engine.batch_size:
        changes.append(
            f"ema.half_life_images: a step counted {engine.batch_size:,} images -> "
            f"{engine.images_per_step:,}, a batch for each turn"
        )
    return changes


def _begin(
    experiment: Experiment,
    plan: Plan,
    start: _Start,
    engine: Engine,
    directory: RunDirectory | None,
    console: Console,
) -> RunDirectory:
    """Return the run's directory, ready for a session, and say what is begun."""
    world = engine.processes.world
    if directory is not None:
        record = None if start.state is None else start.state["record"]["run"]
        best = None if start.state is None else start.state["trainer"]["best"]
        directory.begin(
            start.step,
            record,
            experiment=experiment,
            best=best,
            device=str(engine.device),
            processes=world,
            changes=start.changes,
        )
        console.message(f"run directory: {directory.path}, going on from step {start.step}")
    else:
        parent = None if start.run is None else Parent(start.run[0], start.step)
        directory = RunDirectory.create(
            plan.runs,
            experiment,
            parent=parent,
            device=str(engine.device),
            processes=world,
            changes=start.changes,
        )
        forked = f", forked from {parent.id} at step {parent.step}" if parent else ""
        console.message(f"run directory: {directory.path}{forked}")
    for change in start.changes:
        console.message(f"    changed: {change}")
    if world > 1:
        shared = "synchronised between them" if engine.device.type == "cuda" else "local to each"
        console.message(f"{world} processes share each batch; batch normalisation is {shared}")
    return directory


def _trainer(
    engine: Engine,
    data: Data,
    evaluation: Evaluation,
    record: Recorder,
    stop: StopRequest,
    start: _Start,
    plan: Plan,
) -> Trainer:
    trainer = Trainer(engine, data, evaluation, record, stop, engine.processes)
    if start.state is not None and plan.fork:
        trainer.start_from(start.state["trainer"])
    elif start.state is not None:
        trainer.load_state_dict(start.state["trainer"])
    return trainer


def _write_run(
    run: RunDirectory,
    start: _Start,
    engine: Engine,
    data: Data,
    evaluation: Evaluation,
    plan: Plan,
    console: Console,
    stop: StopRequest,
) -> None:
    """Train, and leave the run's state true however it ends."""
    status: Status = "failed"
    reason = ""
    trackers = TrackerHub({}, console.message)
    try:
        trackers = _open_trackers(run, engine, console, start, plan)
        record = RunRecorder(run, trackers, console)
        _trainer(engine, data, evaluation, record, stop, start, plan).train()
        status = "completed"
    except DivergedError as error:
        status, reason = "diverged", str(error)
        details = run.divergence
        left = f", and {details} has the details" if details.is_file() else ""
        raise DivergedError(f"{error}; {_kept(run)}{left}", step=error.step, values=error.values) from error
    except InterruptedRunError as error:
        status, reason = "interrupted", str(error)
        raise InterruptedRunError(
            f"{error}; saved at step {engine.step} in {run.path}\n    go on with: ganlab resume {run.path}"
        ) from error
    except OutOfMemoryError as error:
        reason = str(error)
        raise OutOfMemoryError(f"{error}\n    {_kept(run)}") from error
    except GanlabError as error:
        reason = str(error)
        raise
    except BaseException as error:
        reason = summarised(error)
        raise
    finally:
        trackers.close(status, run.state.last.metrics if run.state.last else {})
        run.finish(status, reason)


def _kept(run: RunDirectory) -> str:
    last = run.checkpoints.last
    return "no checkpoint was written before" if last is None else f"the checkpoint of step {last} is kept"


def _open_trackers(
    run: RunDirectory, engine: Engine, console: Console, start: _Start, plan: Plan
) -> TrackerHub:
    experiment = engine.experiment

    def opener(selection: Selection[TrackerComponent]) -> Callable[[], Tracker]:
        info = RunInfo(
            id=run.id,
            title=experiment.settings.title,
            directory=run.tracker_directory(selection.label),
            experiment=experiment.resolved,
            step=engine.step,
        )
        return lambda: selection.build(info)

    openers = {selection.label: opener(selection) for selection in experiment.trackers}
    hub = TrackerHub.open(openers, console.message)
    resumed = start.run is not None and not plan.fork
    if resumed:
        hub.rewind(None if start.state is None else start.state["record"]["trackers"], start.step)
    if start.state is None or start.changes or not resumed:
        hub.text(tags.EXPERIMENT, f"```toml\n{dump_resolved(experiment)}\n```", engine.step)
        hub.text(tags.ENVIRONMENT, f"```json\n{json.dumps(run.environment(), indent=2)}\n```", engine.step)
        hub.text(tags.NETWORKS, network_summary(engine.networks), engine.step)
    return hub
