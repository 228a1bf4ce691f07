"""Banks of features, and the moments they are summed up by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

__all__ = ["FeatureBank", "Moments"]


class Moments:
    """Count, mean and covariance of feature vectors, accumulated batch by batch in float64.

    Each batch is centred by its own mean and merged by the pairwise update of Chan, Golub
    and LeVeque (1979), so that large offsets cost no digits, as raw second moments would.

    Attributes:
        count: vectors seen.
        mean: `(d,)` float64.
        scatter: `(d, d)` float64, the sum of outer products of deviations from `mean`.
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self.mean = torch.zeros(dimension, dtype=torch.float64)
        self.scatter = torch.zeros(dimension, dimension, dtype=torch.float64)

    @classmethod
    def of(cls, features: torch.Tensor) -> Moments:
        """Return the moments of `(n, d)` features."""
        moments = cls(features.shape[1])
        moments.update(features)
        return moments

    @classmethod
    def restore(cls, count: int, mean: torch.Tensor, scatter: torch.Tensor) -> Moments:
        """Return moments with the given content."""
        moments = cls(0)
        moments.count, moments.mean, moments.scatter = count, mean, scatter
        return moments

    @classmethod
    def merged(cls, shards: Iterable[Moments]) -> Moments:
        """Return the moments of all shards' vectors together; there must be at least one shard."""
        first, *rest = shards
        whole = cls.restore(first.count, first.mean.clone(), first.scatter.clone())
        for shard in rest:
            whole.merge(shard)
        return whole

    @property
    def covariance(self) -> torch.Tensor:
        """`(d, d)` float64 sample covariance, 1/(n−1); needs two vectors."""
        return self.scatter / (self.count - 1)

    def update(self, features: torch.Tensor) -> None:
        """Take in `(n, d)` features of any floating type."""
        batch = features.detach().to("cpu", torch.float64)
        if not len(batch):
            return
        mean = batch.mean(0)
        centred = batch - mean
        self._join(len(batch), mean, centred.T @ centred)

    def merge(self, other: Moments) -> None:
        """Take in all vectors of `other`, as of another shard."""
        if other.count:
            self._join(other.count, other.mean, other.scatter)

    def affine(self, shift: torch.Tensor, factor: torch.Tensor) -> Moments:
        """Return the moments of `(x − shift) · factor`, elementwise; both are `(d,)`."""
        scatter = self.scatter * factor[:, None] * factor[None, :]
        return Moments.restore(self.count, (self.mean - shift) * factor, scatter)

    def _join(self, count: int, mean: torch.Tensor, scatter: torch.Tensor) -> None:
        total = self.count + count
        offset = mean - self.mean
        self.scatter = self.scatter + scatter + torch.outer(offset, offset) * (self.count * count / total)
        self.mean = self.mean + offset * (count / total)
        self.count = total


class FeatureBank:
    """The features of one set of samples, or only their moments.

    Args:
        features: `(n, d)` float32 on the CPU. `None` in a bank made for an evaluator that
            needs moments only, unless the features take no more room than the covariance.
        moments: computed from the features on first use if left out.
        labels: `(n,)` int64 classes of the samples; `None` where they are not known.
        names: what each feature is, in words; empty where that is not known.
    """

    def __init__(
        self,
        features: torch.Tensor | None = None,
        *,
        moments: Moments | None = None,
        labels: torch.Tensor | None = None,
        names: Sequence[str] = (),
    ) -> None:
        if features is None and moments is None:
            raise ValueError("a feature bank needs features or moments")
        self.features = features
        self.labels = labels
        self.names = tuple(names)
        self._moments = moments

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.moments.count if self.features is None else len(self.features)

    @property
    def dimension(self) -> int:
        """Elements of a feature vector."""
        return len(self.moments.mean) if self.features is None else self.features.shape[1]

    @property
    def constant(self) -> bool:
        """Whether all samples have the very same features."""
        if self.features is None:
            return not bool(self.moments.scatter.diagonal().any())
        return bool((self.features == self.features[0]).all())

    @property
    def moments(self) -> Moments:
        """Count, mean and covariance in float64."""
        if self._moments is None:
            assert self.features is not None
            self._moments = Moments.of(self.features)
        return self._moments
