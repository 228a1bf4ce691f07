"""FD-DINOv2 and CMMD: distances whose numerics are other plugins', on the features that define them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_frechet.evaluator import FrechetEvaluator
from ganlab_mmd.kernels import RbfKernel
from ganlab_mmd.statistic import KernelSums, cross_sums, mmd2, within_sums

__all__ = ["SCALE", "SIGMA", "Cmmd", "FdDinov2"]

SIGMA = 10.0
"""Width of CMMD's Gaussian kernel; features have length 1, so it is nearly quadratic."""
SCALE = 1000.0
"""What the discrepancy is multiplied by, for people to read."""


class FdDinov2(FrechetEvaluator):
    """The Fréchet distance on DINOv2 (Stein et al., 2023).

    Args:
        model: of the features; the paper's numbers are ViT-L/14's.
    """

    def __init__(self, model: Literal["vit-b14", "vit-l14"] = "vit-l14") -> None:
        super().__init__()
        self._model = model

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `fd-dinov2`.

        Raises:
            ComponentError: a bank has fewer than two samples.
        """
        return {"fd-dinov2": super().evaluate(real, fake)["frechet"]}

    def _warnings(self, value: float, real: FeatureBank, fake: FeatureBank) -> Iterator[str]:
        if self._model != "vit-l14":
            yield "on ViT-B/14, to follow training by: published numbers are on ViT-L/14"
        yield from super()._warnings(value, real, fake)


class Cmmd(Evaluator):
    """CLIP's maximum mean discrepancy (Jayasumana et al., 2024): σ = 10, times 1,000.

    Args:
        estimator: `biased` as published, with every sample's similarity to itself; `unbiased`
            without, which may be negative.
    """

    def __init__(self, estimator: Literal["biased", "unbiased"] = "biased") -> None:
        self._unbiased = estimator == "unbiased"
        self._within: tuple[FeatureBank, KernelSums] | None = None

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `cmmd`; what its bias is at these sample counts is told.

        Raises:
            ComponentError: a bank has no features or too few, or they have different dimensions.
        """
        if real.features is None or fake.features is None or min(real.n, fake.n) < 2:
            raise ComponentError("CMMD compares two banks of at least 2 feature vectors each")
        if real.dimension != fake.dimension:
            raise ComponentError(
                f"features of {real.dimension} and of {fake.dimension} elements are not of the same extractor"
            )
        kernel = RbfKernel([SIGMA])
        if self._within is None or self._within[0] is not real:
            self._within = (real, within_sums(kernel, real.features))
        sums = (
            self._within[1],
            within_sums(kernel, fake.features),
            cross_sums(kernel, real.features, fake.features),
        )
        value, error = mmd2(*sums, unbiased=self._unbiased)
        warnings = () if self._unbiased else (_bias_warning(value - mmd2(*sums)[0]),)
        return {"cmmd": Estimate(SCALE * value, standard_error=SCALE * error, warnings=warnings)}


def _bias_warning(bias: float) -> str:
    return (
        f"{SCALE * bias:.3g} of it is bias of the sample counts; compare with values at the same counts only"
    )
