"""From an experiment to a finished run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from ganlab.components import TrackerComponent
from ganlab.config import dump_resolved
from ganlab.config.experiment import Experiment, Selection
from ganlab.data.cache import cache_directory
from ganlab.data.preparation import Data, prepare
from ganlab.errors import DivergedError, GanlabError, InterruptedRunError
from ganlab.evaluation.planner import Evaluation
from ganlab.evaluation.reference import ReferenceData
from ganlab.runs.directory import RunDirectory
from ganlab.runs.state import Status
from ganlab.tracking.console import Console
from ganlab.tracking.hub import TrackerHub
from ganlab.tracking.tracker import RunInfo, Tracker
from ganlab.training.engine import Engine
from ganlab.training.interrupt import StopRequest
from ganlab.training.streams import derive_seed
from ganlab.training.summary import network_summary
from ganlab.training.trainer import Trainer

__all__ = ["build_engine", "build_evaluation", "run_experiment"]


def build_engine(experiment: Experiment, data: Data) -> Engine:
    """Return the engine of a new run, and seed torch's global generators for networks that use them."""
    torch.manual_seed(derive_seed(experiment.settings.seed, "networks"))
    return Engine(experiment, data)


def build_evaluation(experiment: Experiment, data: Data, engine: Engine, stop: StopRequest) -> Evaluation:
    """Return the experiment's evaluators over its data; nothing is read yet."""
    store = data.store
    reals = ReferenceData(
        fingerprint=store.fingerprint,
        training=data.split.training,
        held_out=data.split.holdout,
        read=store.gather,
    )
    return Evaluation(
        experiment.evaluators,
        store.spec,
        reals,
        device=engine.device,
        cache=cache_directory() / "statistics",
        progress=lambda what, done, total: stop.check(),
    )


def run_experiment(experiment: Experiment, runs: Path, *, quiet: bool = False) -> RunDirectory:
    """Train and measure an experiment in a new run directory.

    Everything is built before the directory is made, so that an experiment that cannot
    start leaves none.

    Args:
        experiment: what to run.
        runs: the directory of all runs.
        quiet: print nothing while training.

    Returns:
        The finished run, closed.

    Raises:
        GanlabError: the experiment cannot start, or the run ended early; then `run.json` says why.
    """
    data = prepare(experiment)
    engine = build_engine(experiment, data)
    with StopRequest() as stop:
        evaluation = build_evaluation(experiment, data, engine, stop)
        console = Console(experiment.settings.training.steps, quiet=quiet)
        try:
            with RunDirectory.create(runs, experiment, device=str(engine.device)) as run:
                console.message(f"run directory: {run.path}")
                _train_in(run, engine, data, evaluation, console, stop)
        finally:
            console.close()
    return run


def _train_in(
    run: RunDirectory, engine: Engine, data: Data, evaluation: Evaluation, console: Console, stop: StopRequest
) -> None:
    """Train, and leave the run's state true however it ends."""
    status: Status = "failed"
    reason = ""
    trackers = TrackerHub({}, console.message)
    try:
        trackers = _open_trackers(run, engine, console)
        Trainer(engine, data, run, evaluation, trackers, console, stop).train()
        status = "completed"
    except DivergedError as error:
        status, reason = "diverged", str(error)
        run.write_log("divergence.json", {"step": error.step, "values": error.values, "reason": reason})
        raise
    except InterruptedRunError as error:
        status, reason = "interrupted", str(error)
        raise InterruptedRunError(f"{error}; saved at step {engine.step} in {run.path}") from error
    except GanlabError as error:
        reason = str(error)
        raise
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        raise
    finally:
        trackers.close(status, run.state.last.metrics if run.state.last else {})
        run.finish(status, reason)


def _open_trackers(run: RunDirectory, engine: Engine, console: Console) -> TrackerHub:
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
    hub.text("experiment", f"```toml\n{dump_resolved(experiment)}\n```", engine.step)
    hub.text("environment", f"```json\n{json.dumps(run.environment(), indent=2)}\n```", engine.step)
    hub.text("networks", network_summary(engine.networks), engine.step)
    return hub
