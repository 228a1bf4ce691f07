"""Bringing features to a common spread, fixed by the reference set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ganlab.evaluation.banks import FeatureBank

__all__ = ["Standardiser"]

VARIANCE_FLOOR = 0.1
"""Share of the median variance below which no feature's variance is taken to be.

Without it a feature that hardly varies among real samples would dominate every distance.
"""


@dataclass(frozen=True)
class Standardiser:
    """Maps features to `(x − mean) / scale`; frozen for a run.

    Attributes:
        mean: `(d,)` float64, of the reference set.
        scale: `(d,)` float64, its standard deviations with the floor applied.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def fit(cls, reference: FeatureBank) -> Standardiser:
        """Return the standardiser that the reference set defines."""
        moments = reference.moments
        variance = moments.covariance.diagonal()
        varying = variance[variance > 0]
        floor = VARIANCE_FLOOR * float(varying.median()) if len(varying) else 1.0
        return cls(mean=moments.mean.clone(), scale=variance.clamp_min(floor).sqrt())

    def apply(self, bank: FeatureBank) -> FeatureBank:
        """Return the bank with standardised features and moments."""
        if bank.features is None:
            moments = bank.moments.affine(self.mean, 1 / self.scale)
            return FeatureBank(moments=moments, labels=bank.labels, names=bank.names)
        features = ((bank.features.double() - self.mean) / self.scale).float()
        return FeatureBank(features, labels=bank.labels, names=bank.names)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return mean and scale."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Standardiser:
        """Return the standardiser that `state_dict` described."""
        return cls(mean=state["mean"], scale=state["scale"])
