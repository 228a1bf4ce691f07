"""What a loss looks at samples through, where the experiment chooses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from ganlab.components import SampleSpec

__all__ = ["LossFeatures"]


class Extractor(Protocol):
    """A `ganlab.FeatureExtractor` that passes gradients on."""

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map samples on the scale on which they are kept to float32 `(N, d)`."""

    def fingerprint(self) -> str:
        """Return a hex digest of all that decides the features."""


class LossFeatures:
    """Features of samples as a game has them, through which gradients flow.

    Networks that the extractor holds are frozen: a loss teaches players, not its eyes.

    Args:
        extractor: of the features.
        spec: what a sample is.
    """

    def __init__(self, extractor: Extractor, spec: SampleSpec) -> None:
        from torch import nn

        self._extractor = extractor
        self._spec = spec
        for held in vars(extractor).values():
            if isinstance(held, nn.Module):
                held.requires_grad_(False)

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Map float32 samples `(N, *spec.shape)` to float32 features `(N, d)`."""
        return self._extractor.extract(self._spec.unrounded(samples))

    def fingerprint(self) -> str:
        """Return a hex digest of all that decides the features: definition, options, weights."""
        return self._extractor.fingerprint()
