"""Maximum mean discrepancy (Gretton et al., 2012), as a metric and as a loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from ganlab import EvaluatorComponent, LossComponent, Metric, Options, SampleSpec, hookimpl

if TYPE_CHECKING:
    from ganlab import LossFeatures
    from ganlab_mmd.evaluator import MmdEvaluator
    from ganlab_mmd.gan_loss import MmdGan
    from ganlab_mmd.loss import MmdLoss

Bandwidths: TypeAlias = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]


class MmdEvaluatorOptions(Options):
    """Options of the `mmd` evaluator."""

    kernel: Literal["rbf", "rational-quadratic", "energy", "polynomial", "linear"] = "rbf"
    """`rbf` and `rational-quadratic` with `bandwidths`; `energy` −‖x−y‖; `polynomial` (xᵀy/d+1)³, that of
    KID; `linear` xᵀy, which compares means only."""
    estimator: Literal["unbiased", "biased", "block"] = "unbiased"
    """`unbiased` may be negative; `biased` never is, and shrinks with the number of samples; `block` is the
    mean of √n blocks of √n samples, faster and several times less certain."""
    bandwidths: Bandwidths = Field([0.25, 0.5, 1.0, 2.0, 4.0])
    """Widths of the mixed kernels, in median distances between real samples; for `rbf` and
    `rational-quadratic`."""
    permutations: int = Field(1000, ge=1, le=2**30)
    """Random divisions of the pooled samples, 1,000 of each at most, that the p-value is counted over."""


class MmdLossOptions(Options):
    """Options of the `mmd` loss."""

    bandwidths: Bandwidths = Field([0.25, 0.5, 1.0, 2.0, 4.0])
    """Widths of the mixed Gaussian kernels, in root mean square distances between real samples."""
    scales: Annotated[list[Annotated[int, Field(ge=1, le=2**16)]], Field(min_length=1)] = Field([1])
    """Factors by which images are averaged down; each scale adds its own discrepancy."""
    root: bool = True
    """Take the square root, whose gradient does not fade as the distributions meet."""


class MmdGanOptions(Options):
    """Options of the `mmd-gan` loss."""

    space: Literal["features", "logits"] = "features"
    """What of the discriminator's verdict the kernels compare."""
    bandwidths: Bandwidths = Field([1.0, 2.0, 4.0, 8.0, 16.0])
    """Widths of the mixed Gaussian kernels, in the units of that space: the discriminator sets the scale."""
    repulsive: bool = False
    """Train the discriminator by the repulsive loss (Wang et al., 2019): it parts real samples from one
    another and draws fakes together."""


def build_evaluator(options: MmdEvaluatorOptions, image: SampleSpec) -> MmdEvaluator:
    """Return the evaluator."""
    from ganlab_mmd.evaluator import MmdEvaluator

    return MmdEvaluator(
        options.kernel, options.bandwidths, estimator=options.estimator, permutations=options.permutations
    )


def build_loss(options: MmdLossOptions, features: LossFeatures | None) -> MmdLoss:
    """Return the loss."""
    from ganlab_mmd.loss import MmdLoss

    return MmdLoss(options.bandwidths, options.scales, root=options.root, features=features)


def build_gan_loss(options: MmdGanOptions) -> MmdGan:
    """Return the loss for a generator and a discriminator."""
    from ganlab_mmd.gan_loss import MmdGan

    return MmdGan(options.space, options.bandwidths, repulsive=options.repulsive)


@hookimpl
def ganlab_evaluators() -> Iterable[EvaluatorComponent]:
    """Offer the metric."""
    yield EvaluatorComponent(
        name="mmd",
        summary="Squared maximum mean discrepancy, its standard error and p-value (Gretton et al., 2012)",
        options=MmdEvaluatorOptions,
        build=build_evaluator,
        metrics=(Metric("mmd2", better="lower", title="MMD²"), Metric("p-value", better=None)),
    )


@hookimpl
def ganlab_losses() -> Iterable[LossComponent]:
    """Offer the losses."""
    yield LossComponent(
        name="mmd",
        summary="Generative moment matching: real against fake by MMD, no discriminator (Li et al., 2015)",
        options=MmdLossOptions,
        build=build_loss,
        takes_features=True,
    )
    yield LossComponent(
        name="mmd-gan",
        summary="MMD of what the discriminator makes of real and of fake, a game (MMD GAN, Li et al., 2017)",
        options=MmdGanOptions,
        build=build_gan_loss,
        needs=frozenset({"discriminator"}),
    )
