"""Relativistic losses: the discriminator says which samples are more real, not which are real."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class RelativisticAverageOptions(Options):
    """Options of the relativistic average loss."""

    form: Literal["standard", "hinge", "least-squares"] = "standard"
    """What is taken of the differences: `standard` their log-sigmoid (RaSGAN), or as in the hinge
    (RaHingeGAN) and the least squares loss (RaLSGAN)."""


def build_relativistic(options: Options) -> Loss:
    """Return the relativistic pairing loss."""
    from ganlab_relativistic.losses import Relativistic

    return Relativistic()


def build_relativistic_average(options: RelativisticAverageOptions) -> Loss:
    """Return the relativistic average loss."""
    from ganlab_relativistic.losses import RelativisticAverage

    return RelativisticAverage(options.form)


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the losses."""
    yield LossComponent(
        name="relativistic",
        summary="Real against fake, pair by pair (RpGAN, Jolicoeur-Martineau, 2018); R3GAN's, with r1 and r2",
        build=build_relativistic,
        needs=frozenset({"discriminator"}),
    )
    yield LossComponent(
        name="relativistic-average",
        summary="Each sample against the average of the other kind (RaGAN, Jolicoeur-Martineau, 2018)",
        options=RelativisticAverageOptions,
        build=build_relativistic_average,
        needs=frozenset({"discriminator"}),
    )
