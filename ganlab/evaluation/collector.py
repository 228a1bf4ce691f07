"""One pass of features, collected for several evaluators at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from ganlab.evaluation.banks import FeatureBank, Moments

__all__ = ["Collector", "Demand"]


@dataclass(frozen=True)
class Demand:
    """What evaluators ask of one pass.

    Smaller counts are prefixes of larger ones, so that a result never depends on which
    other evaluators share the pass.

    Attributes:
        features: first samples of which whole features are kept.
        moments: numbers of first samples over which moments are kept, ascending.
    """

    features: int = 0
    moments: tuple[int, ...] = ()

    @classmethod
    def of(cls, wishes: Iterable[tuple[str, int]]) -> Demand:
        """Return the demand of evaluators, each given by what it needs and of how many samples."""
        counts: dict[str, set[int]] = {"features": {0}, "moments": set()}
        for needs, count in wishes:
            counts[needs].add(count)
        return cls(max(counts["features"]), tuple(sorted(counts["moments"])))

    def limited(self, available: int) -> Demand:
        """Return the demand where there are only so many samples."""
        moments = tuple(sorted({min(count, available) for count in self.moments}))
        return Demand(min(self.features, available), moments)

    @property
    def count(self) -> int:
        """Samples that the pass must cover."""
        return max(self.features, *self.moments, 0)


class Collector:
    """Takes in features batch by batch and keeps what was asked for.

    Args:
        demand: what is asked for.
    """

    def __init__(self, demand: Demand) -> None:
        self.demand = demand
        self._seen = 0
        self._kept: list[torch.Tensor] = []
        self._moments: dict[int, Moments] = {}

    def add(self, features: torch.Tensor) -> None:
        """Take in the next `(n, d)` float32 features."""
        dimension = features.shape[1]
        if not self._moments:
            self._moments = {count: Moments(dimension) for count in self.demand.moments}
        # Where they take no more room than the covariance, features are kept beside moments.
        small = [count for count in self.demand.moments if count <= dimension]
        room = max(self.demand.features, *small, 0) - self._seen
        if room > 0:
            self._kept.append(features[:room])
        for count, moments in self._moments.items():
            moments.update(features[: max(0, count - self._seen)])
        self._seen += len(features)

    def bank(
        self, needs: str, count: int, *, labels: torch.Tensor | None = None, names: Sequence[str] = ()
    ) -> FeatureBank:
        """Return what one evaluator asked for: `features` or `moments` of the first `count` samples.

        Where there are fewer, it is all there are.

        Args:
            needs: `features` or `moments`.
            count: samples.
            labels: of all samples that were collected.
            names: of the features.
        """
        count = min(count, self.demand.count)
        labels = None if labels is None else labels[:count]
        if needs == "features":
            return FeatureBank(self._features()[:count], labels=labels, names=names)
        moments = self._moments[count]
        small = count <= len(moments.mean)
        features = self._features()[:count] if small else None
        return FeatureBank(features, moments=moments, labels=labels, names=names)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything that was collected, by names that `restore` knows."""
        tensors = {"features": self._features()} if self._kept else {}
        for count, moments in self._moments.items():
            tensors[f"mean.{count}"] = moments.mean
            tensors[f"scatter.{count}"] = moments.scatter
        return tensors

    @classmethod
    def restore(cls, demand: Demand, tensors: Mapping[str, torch.Tensor]) -> Collector:
        """Return the collector whose `tensors` these are.

        Raises:
            KeyError: they are of another demand.
        """
        collector = cls(demand)
        if demand.features or "features" in tensors:
            collector._kept = [tensors["features"]]
        for count in demand.moments:
            collector._moments[count] = Moments.restore(
                count, tensors[f"mean.{count}"], tensors[f"scatter.{count}"]
            )
        collector._seen = demand.count
        return collector

    def _features(self) -> torch.Tensor:
        if len(self._kept) > 1:
            self._kept = [torch.cat(self._kept)]
        return self._kept[0]
