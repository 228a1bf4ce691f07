"""The adversarial losses: what the two players of a GAN minimise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss

SUMMARIES = {
    "non-saturating": "-log D(fake) for the generator: strong gradients early on (Goodfellow et al., 2014)",
    "minimax": "The original zero-sum game (Goodfellow et al., 2014)",
    "hinge": "Hinge losses with margin 1 (Lim & Ye, 2017)",
    "least-squares": "Squared distance of logits to 1 and 0 (Mao et al., 2017)",
    "wasserstein": "Difference of mean logits; wants a Lipschitz penalty (Arjovsky et al., 2017)",
}


def _component(name: str, summary: str) -> LossComponent:
    def build(options: Options) -> Loss:
        from ganlab_adversarial.losses import LOSSES

        return LOSSES[name]()

    return LossComponent(name=name, summary=summary, build=build, needs=frozenset({"discriminator"}))


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the losses."""
    for name, summary in SUMMARIES.items():
        yield _component(name, summary)
