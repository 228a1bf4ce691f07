"""From an experiment to a finished run: a new one, one that continues, or a fork of one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from ganlab.components import SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.data.preparation import Data, find
from ganlab.engine.assembly import make_networks, require_trainable
from ganlab.engine.engine import Engine
from ganlab.engine.memory_estimate import estimate
from ganlab.engine.network_summary import count_parameters
from ganlab.engine.precision import names_one_gpu
from ganlab.processes import Processes
from ganlab.runs.directory import RunDirectory
from ganlab.runs.reading import Run
from ganlab.runs.state import Status
from ganlab.tracking.console import Console
from ganlab.tracking.hub import TrackerHub
from ganlab.training.build import build_engine, build_evaluation, require_same_data
from ganlab.training.ending import outcome_of, with_what_is_kept
from ganlab.training.interrupt import StopRequest
from ganlab.training.plan import Plan
from ganlab.training.recorder import Recorder, RunRecorder
from ganlab.training.repetition import warn_of_what_is_not_repeated
from ganlab.training.start import Start, find_start
from ganlab.training.trackers import open_trackers
from ganlab.training.trainer import Trainer

__all__ = ["Session", "run_experiment"]


def run_experiment(
    experiment: Experiment,
    plan: Plan,
    *,
    quiet: bool = False,
    look_over: Callable[[Experiment, SampleSpec], None] | None = None,
) -> Run | None:
    """Train and measure an experiment, alone or as one of several processes.

    Everything is built before anything is written, so that an experiment that cannot start
    leaves no run, and one that cannot go on leaves its run as it was.

    Args:
        experiment: what to run.
        plan: where it begins.
        quiet: print nothing while training.
        look_over: called once with the experiment and its samples before a new run begins, which
            neither continues nor forks another: in the leader alone.

    Returns:
        The finished run; `None` in processes that only help.

    Raises:
        GanlabError: it cannot start, or ended early; then `run.json` says why.
    """
    processes = Processes.from_environment()
    unpacked = find(experiment)
    # Before the data is packed, which is dear: what cannot be trained should say so at once.
    networks = make_networks(experiment, unpacked.spec, processes)
    require_trainable(experiment, unpacked.spec, networks)
    estimate(experiment, unpacked, networks, processes).require_room()
    data = unpacked.pack(progress=processes.local_rank == 0 and not quiet)
    one_gpu = names_one_gpu(experiment.settings.training.device)
    with StopRequest(processes) as stop, processes.join(networks.device, one_gpu=one_gpu):
        require_same_data(data, processes)
        with find_start(experiment, plan, data, processes, networks.device) as (start, directory):
            if not start.finished:
                if processes.leader and start.run is None:
                    warn_of_what_is_not_repeated(experiment)
                if look_over is not None and processes.leader and start.run is None:
                    look_over(experiment, unpacked.spec)
                engine = build_engine(start.pin(experiment), data, networks, processes)
                start = start.restore(engine)
                steps = experiment.settings.training.steps
                with closing(Console(steps, engine.step, quiet=quiet or not processes.leader)) as console:
                    directory = Session(plan, start, engine, data, console, stop).run(directory)
        return None if directory is None else directory.reread()


class Session:
    """One session of a run: all processes train and measure, and the leader writes it down.

    Args:
        plan: where a new run is kept.
        start: where the session starts.
        engine: what trains, at that start.
        data: what it trains on.
        console: what a person sees.
        stop: asked between turns, and while something is measured, whether to stop.
    """

    def __init__(
        self, plan: Plan, start: Start, engine: Engine, data: Data, console: Console, stop: StopRequest
    ) -> None:
        self.plan = plan
        self.start = start
        self.engine = engine
        self.data = data
        self.console = console
        self.stop = stop
        self.experiment = engine.experiment
        self.processes = engine.processes
        self.evaluation = build_evaluation(self.experiment, data, engine, self._progress)

    def run(self, directory: RunDirectory | None) -> RunDirectory | None:
        """Train to the last step.

        Args:
            directory: the leader's hold of a run that continues; `None` makes a new one.

        Returns:
            The run's directory; `None` in processes that only help.

        Raises:
            GanlabError: the run ended early; its `run.json` says why.
        """
        if not self.processes.leader:
            self._train(Recorder())
            return None
        with self._begin(directory) as run:
            run.describe_classes(self.data.store.class_names, self.data.class_counts)
            run.describe_ingredients(
                self.data.store.fingerprint,
                {kind: count_parameters(network) for kind, network in self.engine.networks.items()},
            )
            self._train_and_write(run)
        return run

    def _begin(self, directory: RunDirectory | None) -> RunDirectory:
        """Return the run's directory, ready for the session, and say what is begun."""
        run = self._new_directory() if directory is None else self._continue_in(directory)
        for change in self.start.changes:
            self.console.message(f"    changed: {change}")
        if self.processes.world > 1:
            shared = "synchronised between them" if self.engine.device.type == "cuda" else "local to each"
            self.console.message(
                f"{self.processes.world} processes share each batch; batch normalisation is {shared}"
            )
        return run

    def _new_directory(self) -> RunDirectory:
        parent = self.start.parent
        run = RunDirectory.create(
            self.plan.runs,
            self.experiment,
            parent=parent,
            device=str(self.engine.device),
            processes=self.processes.world,
            changes=self.start.changes,
        )
        how = "forked from" if self.start.weights is None else "with the weights of"
        forked = f", {how} {parent.id} at step {parent.step}" if parent else ""
        self.console.message(f"run directory: {run.path}{forked}")
        return run

    def _continue_in(self, run: RunDirectory) -> RunDirectory:
        state = self.start.state
        run.begin(
            self.start.step,
            None if state is None else state["record"]["run"],
            experiment=self.experiment,
            best=None if state is None else state["trainer"]["best"],
            device=str(self.engine.device),
            processes=self.processes.world,
            changes=self.start.changes,
        )
        self.console.message(f"run directory: {run.path}, continuing from step {self.start.step}")
        return run

    def _train_and_write(self, run: RunDirectory) -> None:
        """Train, and leave the run's state true however it ends."""
        status: Status = "completed"
        reason = ""
        trackers = TrackerHub({}, self.console.message)
        try:
            trackers = open_trackers(run, self.engine, self.start, self.console.message)
            self._train(RunRecorder(run, trackers, self.console))
        except BaseException as error:
            status, reason = outcome_of(error)
            explained = with_what_is_kept(error, run, self.engine.step)
            if explained is error:
                raise
            raise explained from error
        finally:
            trackers.close(status, run.state.last.metrics if run.state.last else {})
            run.finish(status, reason)

    def _train(self, recorder: Recorder) -> None:
        trainer = Trainer(self.engine, self.data, self.evaluation, recorder, self.stop)
        if self.start.state is not None:
            begin = trainer.start_from if self.start.fork else trainer.load_state_dict
            begin(self.start.state["trainer"])
        trainer.train()

    def _progress(self, what: str, done: int, total: int) -> None:
        self.stop.check()
        self.console.working(what, done, total)
