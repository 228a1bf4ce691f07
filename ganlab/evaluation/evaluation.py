"""One pass over generated samples, one over real ones, and every evaluator served from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab.components import SampleSpec
from ganlab.config.selection import EvaluatorSelection
from ganlab.drawing.pictures import grid
from ganlab.errors import GanlabError
from ganlab.evaluation.collector import Collector
from ganlab.evaluation.evaluator import Evaluator, Shown
from ganlab.evaluation.extraction import rebatch
from ganlab.evaluation.feature_pass import FeaturePass, Progress, group_by_features
from ganlab.evaluation.measurement import Measurement
from ganlab.evaluation.reference import ReferenceData
from ganlab.evaluation.sharding import in_blocks
from ganlab.evaluation.single_evaluation import Reals, SingleEvaluation
from ganlab.evaluation.statistics_cache import StatisticsCache
from ganlab.processes import Processes

__all__ = ["Evaluation", "Generate", "Show"]

FEW = 3
"""Samples to see whether features can be extracted at all: as few as can depend on their batch."""

Generate = Callable[[slice], Iterator[torch.Tensor]]
"""Maps rows to batches of generated samples, these rows of a set that is always the same: floats
`(n, C, H, W)` in [-1, 1], or vectors `(n, dimension)`, on any device, in batches of any size."""


Show = Callable[[str, str, NDArray[np.uint8]], None]
"""Takes a picture `(H, W, 1 or 3)` by the label of its evaluator and its name."""


class Evaluation:
    """Measures generated samples against real ones, with all evaluators of an experiment.

    Nothing is read until the first `run` (or `prepare`). Real statistics are kept on disk
    under a key of their content. What is frozen at the first look (standardisation, each
    evaluator's state) is in `state_dict`.

    Args:
        selections: the experiment's evaluators.
        spec: what a sample is.
        data: the real samples.
        device: where features are computed.
        cache: directory of real statistics.
        batch_size: samples of an extractor's batch.
        processes: those that share the work; each must call the same methods, and the leader
            alone has measurements to return.
        progress: called with what is being read, samples done and samples in all, after
            each batch (of every process); it may raise to stop.

    Raises:
        ExperimentError: a component refused its options.
        GanlabError: a component built something else than its kind.
    """

    def __init__(
        self,
        selections: Sequence[EvaluatorSelection],
        spec: SampleSpec,
        data: ReferenceData,
        *,
        device: torch.device | str,
        cache: Path,
        batch_size: int = 256,
        processes: Processes | None = None,
        progress: Progress | None = None,
    ) -> None:
        if selections and len(data.training) < 2:
            raise GanlabError("there are fewer than 2 training samples to compare generated ones with")
        self._spec = spec
        self._data = data
        self._batch_size = batch_size
        self._cache = StatisticsCache(cache)
        self._processes = processes or Processes()
        self._prepared = False
        self._progress: Progress = progress or (lambda what, done, total: None)
        self._passes = group_by_features(selections, spec, torch.device(device), batch_size)
        features = {label: each for each in self._passes for label in each.labels}
        self._evaluations = {
            selection.label: SingleEvaluation(
                selection, _built_evaluator(selection, spec), features[selection.label], data.identity
            )
            for selection in selections
        }

    @property
    def most_samples(self) -> int:
        """The most generated samples that an evaluator asks for; 0 where there is none."""
        return max((single.selection.settings.samples for single in self._evaluations.values()), default=0)

    def rehearse(self) -> None:
        """Extract every set of features of a few real samples, and keep nothing.

        Raises:
            GanlabError: features are not finite, or those of a sample depend on its batch.
        """
        samples = self._data.read(self._data.training[:FEW])
        for each in self._passes:
            each.rehearse(samples)

    def prepare(self) -> None:
        """Read the real samples, freeze what is frozen, and measure the floors; once.

        Raises:
            GanlabError: there are fewer than 2 training samples, or features are not finite.
        """
        if self._prepared:
            return
        for each in self._passes:
            reference = self._collect_real(each, "real")
            held_out = self._collect_real(each, "held-out") if len(self._data.held_out) >= 2 else None
            for label in each.labels if self._processes.leader else ():
                self._evaluations[label].prepare(reference, held_out)
        self._prepared = True

    def run(
        self,
        generate: Generate,
        due: Collection[str] | None = None,
        *,
        available: int | None = None,
        show: Show | None = None,
    ) -> list[Measurement]:
        """Measure generated samples.

        Args:
            generate: called for block after block of as many samples as the evaluator that needs most takes.
            due: labels of the evaluators that are due; all if left out.
            available: generated samples that there are, where no more can be made.
            show: called with the evaluator's label, a name and a picture, `(H, W, 1 or 3)` uint8, for
                each that an evaluator has to show; nothing is drawn if left out.

        Returns:
            A measurement for each metric of each evaluator, in the experiment's order.

        Raises:
            GanlabError: too few real samples, or samples or features that are not finite.
        """
        wanted = [label for label in self._evaluations if due is None or label in due]
        if not wanted:
            return []
        self.prepare()
        fakes = self._collect_fakes(generate, wanted, available)
        if not self._processes.leader:
            return []
        measurements: list[Measurement] = []
        for label in wanted:
            measurements += self._evaluations[label].measure(fakes[label])
            if show is not None and self._spec.is_picture:
                for name, rows in self._evaluations[label].pictures(fakes[label]).items():
                    show(label, name, self._draw(rows, self._evaluations[label].indices, generate))
        return measurements

    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen for the run, by the evaluators' labels, and what each was frozen for."""
        states = {label: single.state_dict() for label, single in self._evaluations.items()}
        return {
            label: {**state, "of": self._frozen_for(label), "data": self._data.identity}
            for label, state in states.items()
            if state
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what was frozen; an evaluator that was another then, or saw other data, starts anew.

        Raises:
            GanlabError: its features have changed though its options have not.
        """
        for label, single in self._evaluations.items():
            frozen = state.get(label, {})
            # Earlier versions did not say which data it was.
            same_data = frozen.get("data", self._data.identity) == self._data.identity
            same = same_data and frozen.get("of") == self._frozen_for(label)
            single.load_state_dict(frozen if same else {})
        self._prepared = False

    def _frozen_for(self, label: str) -> list[str | int]:
        """Return all that decides what an evaluator measures."""
        selection = self._evaluations[label].selection
        parts = (selection, selection.features)
        named = [text for part in parts for text in (part.component.name, part.options.model_dump_json())]
        return [*named, selection.settings.samples]

    def _collect_real(self, each: FeaturePass, what: str) -> Reals:
        """Return the features of the training samples (`real`) or of the held-out ones."""
        training = what == "real"
        available = len(self._data.training if training else self._data.held_out)
        demand = each.demand_of_reals(available) if training else each.demand().limited(available)
        indices = (self._data.reference if training else self._data.floor)(demand.count)
        collector = each.collect_real(
            self._data,
            indices,
            demand,
            self._cache,
            self._processes,
            lambda done, total: self._progress(f"{what} samples ({each.name})", done, total),
        )
        labels = None if self._data.labels is None else torch.from_numpy(self._data.labels[indices])
        return Reals(collector, indices, labels)

    def _collect_fakes(
        self, generate: Generate, wanted: Collection[str], available: int | None
    ) -> dict[str, Collector]:
        """Pass the generated samples once through every extractor that is wanted; by label."""
        active = []
        for each in self._passes:
            if not set(wanted).isdisjoint(each.labels):
                demand = each.demand(wanted)
                active.append((each, Collector(demand if available is None else demand.limited(available))))
        count = max(collector.demand.count for _, collector in active)

        def compute(start: int, stop: int) -> list[torch.Tensor | None]:
            samples = generate(slice(start, stop))
            (batch,) = rebatch(map(self._checked, samples), stop - start, stop - start)
            return [
                each.extract(batch) if start < collector.demand.count else None for each, collector in active
            ]

        for done, blocks in in_blocks(count, self._batch_size, self._processes, compute):
            for block in blocks:
                for (_, collector), features in zip(active, block, strict=True):
                    if features is not None:
                        collector.add(features)
            self._progress("generated samples", done, count)
        return {label: collector for each, collector in active for label in each.labels}

    def _draw(
        self, rows: Sequence[Sequence[Shown]], indices: NDArray[np.int64], generate: Generate
    ) -> NDArray[np.uint8]:
        """Return a picture of real and generated images, row by row."""

        def image(shown: Shown) -> torch.Tensor:
            if shown.which == "real":
                return self._data.read(indices[shown.row : shown.row + 1])
            (made,) = generate(slice(shown.row, shown.row + 1))
            return self._checked(made).cpu()

        columns = max(map(len, rows))
        blank = torch.full((1, *self._spec.shape), 255, dtype=torch.uint8)
        tiles = [
            image(row[column]) if column < len(row) else blank for row in rows for column in range(columns)
        ]
        return grid(torch.cat(tiles), columns=columns)

    def _checked(self, samples: torch.Tensor) -> torch.Tensor:
        """Return generated samples as metrics see them: images as the uint8 that a PNG would hold."""
        if tuple(samples.shape[1:]) != self._spec.shape:
            raise GanlabError(
                f"the generator made samples of shape {tuple(samples.shape[1:])}; "
                f"the experiment's are {self._spec.shape} ({self._spec})"
            )
        if not bool(torch.isfinite(samples).all()):
            raise GanlabError("the generator made samples that are not finite; nothing can be measured")
        return self._spec.quantise(samples.detach())


def _built_evaluator(selection: EvaluatorSelection, spec: SampleSpec) -> Evaluator:
    evaluator = selection.build(spec)
    if not isinstance(evaluator, Evaluator):
        raise GanlabError(
            f"evaluator `{selection.label}`: `build` returned a "
            f"{type(evaluator).__name__}, not a ganlab.Evaluator"
        )
    return evaluator
