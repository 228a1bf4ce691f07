"""The adversarial losses: what the two players of a GAN minimise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

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


class TopKOptions(Options):
    """Options of top-k training."""

    loss: Literal["non-saturating", "minimax", "hinge", "least-squares", "wasserstein"] = "non-saturating"
    """The adversarial loss; the discriminator minimises it on the whole batch. Its generator looks at fakes
    alone: a relativistic one compares them with real samples, and which of those would be left?"""
    least: float = Field(0.5, gt=0, le=1)
    """Share of the batch that the generator learns from in the end."""
    decay: float = Field(0.99, gt=0, le=1)
    """Factor by which the share falls, from 1 on."""
    decay_steps: int = Field(2000, ge=1)
    """Steps from one such factor to the next; an epoch in the paper."""


def build_top_k(options: TopKOptions) -> Loss:
    """Return the loss."""
    from ganlab_adversarial.losses import LOSSES
    from ganlab_adversarial.top_k import TopK

    return TopK(LOSSES[options.loss](), options.least, options.decay, options.decay_steps)


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
    yield LossComponent(
        name="top-k",
        summary="An adversarial loss, the generator's on its k best fakes alone (Sinha et al., 2020)",
        options=TopKOptions,
        build=build_top_k,
        needs=frozenset({"discriminator"}),
    )
