"""Measuring a run's checkpoints after it was trained, as the run itself would have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch

from ganlab.after_training.restoring import restore_generator
from ganlab.config import EvaluatorSelection, Experiment
from ganlab.data.cache_directory import statistics_directory
from ganlab.data.preparation import Data
from ganlab.engine.labels import LabelSampler
from ganlab.engine.sampling import run_for_evaluation
from ganlab.errors import GanlabError
from ganlab.evaluation.evaluation import Evaluation, Show
from ganlab.evaluation.feature_pass import Progress
from ganlab.evaluation.measurement import Measurement
from ganlab.evaluation.reference import ReferenceData
from ganlab.runs.reading import Run

__all__ = ["CheckpointEvaluation", "chosen_steps"]


def chosen_steps(run: Run, which: Literal["all", "best", "last"] | int | None) -> list[int]:
    """Return the steps of the checkpoints that are meant, the oldest first.

    Args:
        run: whose they are.
        which: `None` is the best, or the last where nothing was measured.

    Raises:
        GanlabError: there is no such checkpoint.
    """
    checkpoints = run.checkpoints
    if not checkpoints.steps:
        raise GanlabError(f"{run.path} has no checkpoint yet")
    if which == "all":
        return [step for step in checkpoints.steps if checkpoints.last is None or step <= checkpoints.last]
    if which is None:
        which = "last" if checkpoints.best is None else "best"
    return [checkpoints.load(which).step]


@dataclass(frozen=True)
class CheckpointEvaluation:
    """Evaluators at work on the checkpoints of a run.

    The latents are those that the run was measured by. What the run's evaluators froze at
    their first look is taken from its last checkpoint, so that the same evaluator gives the
    number that it gave then.

    Attributes:
        run: whose checkpoints they are.
        experiment: the experiment of the run.
        data: prepared from it.
        evaluators: what is measured.
        device: where to compute.
    """

    run: Run
    experiment: Experiment
    data: Data
    evaluators: Sequence[EvaluatorSelection]
    device: torch.device

    def measure(
        self, steps: Sequence[int], progress: Progress, show: Show | None = None
    ) -> Iterator[tuple[int, list[Measurement]]]:
        """Yield each step with its measurements.

        Args:
            steps: of checkpoints.
            progress: as in `Evaluation`.
            show: is handed the pictures of the last step.

        Raises:
            GanlabError: a checkpoint is damaged, or something cannot be measured.
        """
        evaluation = Evaluation(
            self.evaluators,
            self.data.store.spec,
            ReferenceData.of(self.data),
            device=self.device,
            cache=statistics_directory(),
            progress=progress,
        )
        if not self.other_data:
            evaluation.load_state_dict(self._state["trainer"]["evaluation"])
        # Latents of a set depend on its size: the run's own set comes first, and others after it.
        own = max((evaluator.settings.samples for evaluator in self.experiment.evaluators), default=0)
        most = max(own, evaluation.most_samples)
        labels = LabelSampler(self.data.store.labels, self.data.split.training)
        for step in steps:
            trained = restore_generator(self.run, step, experiment=self.experiment, labels=labels)
            if trained.spec.shape != self.data.store.spec.shape:
                raise GanlabError(
                    f"the generator makes {trained.spec}, and the data is {self.data.store.spec}"
                )
            network = trained.generator.to(self.device)
            drawn = labels if trained.takes_labels else None

            def generate(
                rows: slice, network: torch.nn.Module = network, drawn: LabelSampler | None = drawn
            ) -> Iterator[torch.Tensor]:
                for count, first, last in ((own, 0, own), (most, own, most)):
                    start, stop = max(rows.start, first), min(rows.stop, last)
                    if start < stop:
                        part = slice(start, stop)
                        yield from run_for_evaluation(network, self.experiment, count, drawn, part)

            yield step, evaluation.run(generate, show=show if step == steps[-1] else None)

    @cached_property
    def other_data(self) -> bool:
        """Whether the data is not what the run was trained on, or not the same part of it is held out."""
        same_data = self._state["data"] == self.data.store.fingerprint
        return not same_data or _divided_by(self.run.experiment()) != _divided_by(self.experiment.resolved)

    @property
    def _state(self) -> Mapping[str, Any]:
        return self.run.checkpoints.load("last").state()


def _divided_by(experiment: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what decides which samples are held out, of the same data."""
    dataset = experiment["dataset"]
    return dataset["split_seed"], dataset["holdout"]
