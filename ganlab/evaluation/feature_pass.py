"""Evaluators that look at the same features share one pass over the samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab.components import FeaturesComponent, SampleSpec
from ganlab.config.selection import EvaluatorSelection, Selection
from ganlab.errors import GanlabError
from ganlab.evaluation.collector import Collector, Demand
from ganlab.evaluation.evaluator import FeatureExtractor
from ganlab.evaluation.extraction import extract, require_independence
from ganlab.evaluation.reference import ReferenceData
from ganlab.evaluation.sharding import in_blocks
from ganlab.evaluation.statistics_cache import StatisticsCache
from ganlab.processes import Processes

__all__ = ["FeaturePass", "Progress", "group_by_features", "wanted_reals"]

Progress = Callable[[str, int, int], None]
"""Called with what is being read, samples done and samples in all; may raise to stop."""


@dataclass
class FeaturePass:
    """One feature extractor and the evaluators that work on it.

    Attributes:
        selection: the extractor as the experiment chose it.
        extractor: the extractor.
        evaluators: the evaluators.
        device: where features are computed.
        batch_size: samples of a batch, always the same, since features of a convolution
            differ in their last bits with it.
    """

    selection: Selection[FeaturesComponent]
    extractor: FeatureExtractor
    evaluators: list[EvaluatorSelection]
    device: torch.device
    batch_size: int

    @property
    def name(self) -> str:
        """Name of the extractor."""
        return self.selection.component.name

    @property
    def labels(self) -> list[str]:
        """Labels of the evaluators."""
        return [evaluator.label for evaluator in self.evaluators]

    def demand(self, due: Collection[str] | None = None) -> Demand:
        """Return what the evaluators, or those that are due, ask of generated samples."""
        return Demand.of(
            (evaluator.component.needs, evaluator.settings.samples)
            for evaluator in self.evaluators
            if due is None or evaluator.label in due
        )

    def demand_of_reals(self, available: int) -> Demand:
        """Return what all evaluators ask of so many real samples."""
        return Demand.of(
            (evaluator.component.needs, wanted_reals(evaluator, available)) for evaluator in self.evaluators
        )

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Return checked float32 features `(n, d)` of one batch."""
        return extract(self.extractor, samples, self.device, self._who)

    def rehearse(self, samples: torch.Tensor) -> None:
        """Extract a few samples, and check what comes of it as a run would."""
        features = self.extract(samples)
        require_independence(self.extractor, samples, features, self.device, self._who)

    def collect_real(
        self,
        data: ReferenceData,
        indices: NDArray[np.int64],
        demand: Demand,
        cache: StatisticsCache,
        processes: Processes,
        progress: Callable[[int, int], None],
    ) -> Collector:
        """Return the features of real samples, from the cache if it has them; empty but for the leader.

        Args:
            data: the real samples.
            indices: those to read, in order.
            demand: what is asked of them.
            cache: where features are looked up, and kept.
            processes: those that share the work.
            progress: called with samples done and samples in all.
        """
        collector = Collector(demand)
        key = self._key(data, indices, demand)
        stored = cache.load(key) if processes.leader else None
        if processes.broadcast_object(stored is not None):
            return collector if stored is None else Collector.restore(demand, stored)

        def compute(start: int, stop: int) -> torch.Tensor:
            samples = data.read(indices[start:stop])
            features = self.extract(samples)
            if start == 0:
                require_independence(self.extractor, samples, features, self.device, self._who)
            return features

        for done, blocks in in_blocks(demand.count, self.batch_size, processes, compute):
            for features in blocks:
                collector.add(features)
            progress(done, demand.count)
        if processes.leader:
            cache.save(key, collector.tensors())
        return collector

    @property
    def _who(self) -> str:
        labels = ", ".join(f"`{label}`" for label in self.labels)
        return f"features `{self.name}` for evaluator {labels}"

    def _key(self, data: ReferenceData, indices: NDArray[np.int64], demand: Demand) -> dict[str, Any]:
        listing = np.ascontiguousarray(indices[: demand.count], dtype="<i8").tobytes()
        return {
            "data": data.fingerprint,
            "indices": hashlib.sha256(listing).hexdigest(),
            "extractor": [self.name, self.extractor.fingerprint(), self.extractor.protocol],
            "features": demand.features,
            "moments": list(demand.moments),
            "computed": [self.device.type, self.batch_size],
        }


def wanted_reals(evaluator: EvaluatorSelection, available: int) -> int:
    """Return how many real samples an evaluator is handed, of so many."""
    everything = evaluator.component.reference == "all"
    return available if everything else min(evaluator.settings.samples, available)


def group_by_features(
    evaluators: Sequence[EvaluatorSelection], spec: SampleSpec, device: torch.device, batch_size: int
) -> list[FeaturePass]:
    """Return one pass for each extractor and set of its options, in order of first mention."""
    passes: list[FeaturePass] = []
    for evaluator in evaluators:
        for existing in passes:
            same = existing.selection.component == evaluator.features.component
            if same and existing.selection.options == evaluator.features.options:
                existing.evaluators.append(evaluator)
                break
        else:
            extractor = evaluator.features.build(spec)
            if not isinstance(extractor, FeatureExtractor):
                raise GanlabError(
                    f"features `{evaluator.features.component.name}`: `build` returned a "
                    f"{type(extractor).__name__}, not a ganlab.FeatureExtractor"
                )
            passes.append(FeaturePass(evaluator.features, extractor, [evaluator], device, batch_size))
    return passes
