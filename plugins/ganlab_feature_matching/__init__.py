"""Feature matching: fakes that look alike to an inner layer of the discriminator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class FeatureMatchingOptions(Options):
    """Options of feature matching."""

    alone: bool = False
    """Let it be the generator's only loss, as in the paper: the discriminator then learns the minimax loss
    from this entry. Otherwise it stands beside an adversarial loss."""


def build_feature_matching(options: FeatureMatchingOptions) -> Loss:
    """Return the loss."""
    from ganlab_feature_matching.losses import FeatureMatching, FeatureMatchingAlone

    return FeatureMatchingAlone() if options.alone else FeatureMatching()


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="feature-matching",
        summary="Squared distance of the discriminator's mean features, real to fake (Salimans et al., 2016)",
        options=FeatureMatchingOptions,
        build=build_feature_matching,
        needs=frozenset({"discriminator"}),
    )
