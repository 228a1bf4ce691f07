"""The auxiliary classifier: a discriminator that also names the class, and fakes that have to show theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class AuxiliaryClassifierOptions(Options):
    """Options of the auxiliary classifier."""

    form: Literal["cross-entropy", "hinge"] = "cross-entropy"
    """How class logits are judged: by cross-entropy as in AC-GAN, or by the multi-class hinge loss of
    Kavalerov et al. (2021), which goes with `hinge`."""
    fakes: bool = True
    """Whether the discriminator learns from the classes of fakes too, as in AC-GAN; the multi-class hinge
    loss's paper shows it real samples only."""


def build_auxiliary_classifier(options: AuxiliaryClassifierOptions) -> Loss:
    """Return the loss."""
    from ganlab_auxiliary.losses import AuxiliaryClassifier

    return AuxiliaryClassifier(options.form, fakes=options.fakes)


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="auxiliary-classifier",
        summary="How badly the discriminator tells the classes, of fakes too (AC-GAN, Odena et al., 2017)",
        options=AuxiliaryClassifierOptions,
        build=build_auxiliary_classifier,
        needs=frozenset({"discriminator"}),
    )
