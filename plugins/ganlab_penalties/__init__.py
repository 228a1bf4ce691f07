"""Penalties on the discriminator: terms that stand beside an adversarial loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class GradientPenaltyOptions(Options):
    """Options of the gradient penalty."""

    target: float = Field(1.0, ge=0)
    """The gradient norm that is not punished; 0 makes the zero-centred penalty 0-GP (Thanh-Tung et al.,
    2019), whose weight is 100 in its paper."""
    one_sided: bool = False
    """Punish only norms above the target."""


class DraganOptions(Options):
    """Options of the DRAGAN penalty."""

    target: float = Field(1.0, ge=0)
    """The gradient norm that is not punished."""
    amplitude: float = Field(0.5, gt=0)
    """Largest perturbation of an element, in standard deviations."""
    deviation: Literal["batch"] | Annotated[float, Field(gt=0)] = "batch"
    """Standard deviation of the samples' elements: measured on each batch as in the paper, which microbatches
    cannot share; or a number, with which they can."""


class LecamOptions(Options):
    """Options of the LeCam regulariser."""

    decay: float = Field(0.99, ge=0, lt=1)
    """What remains of the averages from one batch to the next."""
    one_sided: bool = False
    """Punish only real logits above the fakes' average and fake logits below that of the real ones, as the
    authors' code does; the paper's formula punishes every distance."""


def build_gradient_penalty(options: GradientPenaltyOptions) -> Loss:
    """Return the gradient penalty."""
    from ganlab_penalties.losses import GradientPenalty

    return GradientPenalty(options.target, one_sided=options.one_sided)


def build_dragan(options: DraganOptions) -> Loss:
    """Return the DRAGAN penalty."""
    from ganlab_penalties.losses import Dragan

    deviation = None if options.deviation == "batch" else options.deviation
    return Dragan(options.target, options.amplitude, deviation)


def build_r1(options: Options) -> Loss:
    """Return the R1 penalty."""
    from ganlab_penalties.losses import R1

    return R1()


def build_r2(options: Options) -> Loss:
    """Return the R2 penalty."""
    from ganlab_penalties.losses import R2

    return R2()


def build_lecam(options: LecamOptions) -> Loss:
    """Return the LeCam regulariser."""
    from ganlab_penalties.lecam import Lecam

    return Lecam(options.decay, one_sided=options.one_sided)


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the penalties."""
    yield LossComponent(
        name="gradient-penalty",
        summary="(‖∇D‖ − 1)² between real and fake; weight 10 in WGAN-GP (Gulrajani et al., 2017)",
        options=GradientPenaltyOptions,
        build=build_gradient_penalty,
        needs=frozenset({"discriminator"}),
    )
    yield LossComponent(
        name="dragan",
        summary="(‖∇D‖ − 1)² around real samples; weight 10 in the paper (Kodali et al., 2017)",
        options=DraganOptions,
        build=build_dragan,
        needs=frozenset({"discriminator"}),
    )
    yield LossComponent(
        name="r1",
        summary="½ ‖∇D‖² on real samples; the weight is γ (Mescheder et al., 2018)",
        build=build_r1,
        needs=frozenset({"discriminator"}),
    )
    yield LossComponent(
        name="r2",
        summary="½ ‖∇D‖² on fakes; the weight is γ (Mescheder et al., 2018)",
        build=build_r2,
        needs=frozenset({"discriminator"}),
    )
    yield LossComponent(
        name="lecam",
        summary="Logits near the other kind's moving average, for little data (LeCam, Tseng et al., 2021)",
        options=LecamOptions,
        build=build_lecam,
        needs=frozenset({"discriminator"}),
    )
