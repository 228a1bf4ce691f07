"""Gradient penalties on the discriminator: terms that stand beside an adversarial loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class GradientPenaltyOptions(Options):
    """Options of the gradient penalty."""

    target: float = Field(1.0, ge=0)
    """The gradient norm that is not punished."""
    one_sided: bool = False
    """Punish only norms above the target."""


def build_gradient_penalty(options: GradientPenaltyOptions) -> Loss:
    """Return the gradient penalty."""
    from ganlab_penalties.losses import GradientPenalty

    return GradientPenalty(options.target, one_sided=options.one_sided)


def build_r1(options: Options) -> Loss:
    """Return the R1 penalty."""
    from ganlab_penalties.losses import R1

    return R1()


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
        name="r1",
        summary="½ ‖∇D‖² on real samples; the weight is γ (Mescheder et al., 2018)",
        build=build_r1,
        needs=frozenset({"discriminator"}),
    )
