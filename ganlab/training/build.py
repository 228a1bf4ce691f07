"""What a run is built of: its engine, its evaluation, and data that all of its processes share."""

from __future__ import annotations

from ganlab.config.experiment import Experiment
from ganlab.data.cache_directory import statistics_directory
from ganlab.data.preparation import Data
from ganlab.engine.engine import Engine
from ganlab.engine.networks import Networks
from ganlab.engine.streams import derive_seed, seed_global_state
from ganlab.errors import GanlabError
from ganlab.evaluation.evaluation import Evaluation
from ganlab.evaluation.feature_pass import Progress
from ganlab.evaluation.reference import ReferenceData
from ganlab.processes import Processes

__all__ = ["build_engine", "build_evaluation", "require_same_data"]


def build_engine(
    experiment: Experiment,
    data: Data,
    networks: Networks,
    processes: Processes | None = None,
) -> Engine:
    """Return the engine of a new run, and seed the global generators for networks that use them."""
    rank = processes.rank if processes else 0
    seed_global_state(derive_seed(experiment.settings.seed, f"networks/{rank}" if rank else "networks"))
    return Engine(experiment, data, networks, processes)


def build_evaluation(experiment: Experiment, data: Data, engine: Engine, progress: Progress) -> Evaluation:
    """Return the experiment's evaluators over its data; nothing is read yet."""
    return Evaluation(
        experiment.evaluators,
        data.store.spec,
        ReferenceData.of(data),
        device=engine.device,
        cache=statistics_directory(),
        processes=engine.processes,
        progress=progress,
    )


def require_same_data(data: Data, processes: Processes) -> None:
    """Make sure that all processes train on the same samples.

    Raises:
        GanlabError: some found other data than the leader, or could not read all of it.
    """
    found = processes.gather_object((data.store.fingerprint, len(data.store)))
    message = ""
    if found and len(set(found)) > 1:
        counts = ", ".join(f"rank {rank}: {count:,}" for rank, (_, count) in enumerate(found))
        message = (
            f"the processes do not have the same data (samples of {counts}): files that some cannot read?"
        )
    if message := processes.broadcast_object(message):
        raise GanlabError(message)
