"""The `encoder` extractor: codes that another run has learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from ganlab import (
    ComponentError,
    FeatureExtractor,
    GanlabError,
    SampleSpec,
    TrainedNetwork,
    load_encoder,
)
from ganlab_features.identity import digest

__all__ = ["EncoderFeatures", "trained_encoder"]


def trained_encoder(run: Path, checkpoint: Literal["best", "last"] | int) -> TrainedNetwork:
    """Return a run's encoder; the best is the last where nothing was measured.

    Raises:
        GanlabError: it cannot be had.
    """
    return load_encoder(run, checkpoint=None if checkpoint == "best" else checkpoint)


class EncoderFeatures(FeatureExtractor):
    """The mean that an encoder gives for the latents of a sample.

    Args:
        spec: what a sample is; it must be what the encoder was trained on.
        run: directory of the run that trained it.
        checkpoint: which of the run's.

    Raises:
        ComponentError: the run is missing, damaged, without an encoder, or about other samples.
    """

    def __init__(self, spec: SampleSpec, run: Path, checkpoint: Literal["best", "last"] | int) -> None:
        try:
            trained = trained_encoder(run, checkpoint)
        except GanlabError as error:
            raise ComponentError(
                f"its encoder cannot be had: {error}; name the run of a VAE, or another with an [encoder]",
                option="run",
            ) from error
        if (type(trained.spec), trained.spec.shape) != (type(spec), spec.shape):
            raise ComponentError(
                f"the encoder of {run} was trained on {trained.spec}, and these are {spec}", option="run"
            )
        self._spec = spec
        self._trained = trained

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map samples `(N, *spec.shape)`, as they are kept, to float32 `(N, latent.dim)`."""
        self._trained.network.to(samples.device)
        mean: torch.Tensor = self._trained.network(self._spec.dequantise(samples))[0]
        return mean.float()

    def fingerprint(self) -> str:
        """Return a digest of the encoder's weights and of what it looks at."""
        return digest("encoder", 1, self._spec.shape, self._trained.digest)

    def names(self) -> Sequence[str]:
        """Return the latents' numbers."""
        return [f"latent {index}" for index in range(self._trained.latent.dim)]
