"""Adaptive discriminator augmentation: "Training GANs with Limited Data" (Karras et al., 2020)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch

from ganlab import Augmentation, Draws
from ganlab_augment.boxes import without_box
from ganlab_augment.chance import Chance
from ganlab_augment.colour import recoloured
from ganlab_augment.filtering import filtered
from ganlab_augment.geometry import blitted, moved

__all__ = ["TRANSFORMS", "AdaptiveAugmentation"]

NOISE = 0.1
"""Standard deviation of half-normal standard deviations of noise."""
CUTOUT = 0.5
"""Side of the box that is cut out, as a share of the image's."""


def noisy(images: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Return images with normal noise, each of its own strength."""
    strength = chance.value(chance.draws.randn().abs() * NOISE, otherwise=0.0)
    return images + strength[:, None, None, None] * chance.draws.randn(*images.shape[1:])


def cut(images: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Return images with a box of half their side set to 0."""
    happens = chance.happens()
    holed = without_box(images, chance.draws.rand(2), CUTOUT)
    return torch.where(happens[:, None, None, None], holed, images)


TRANSFORMS: Mapping[str, Callable[[torch.Tensor, Chance], torch.Tensor]] = {
    "blit": blitted,
    "geometry": moved,
    "colour": recoloured,
    "filter": filtered,
    "noise": noisy,
    "cutout": cut,
}
"""The groups of transforms, in the order in which they happen."""


class AdaptiveAugmentation(Augmentation):
    """Transforms that each happen with probability p, which follows how much the discriminator overfits.

    After every `interval` of its turns, p goes up where it is surer of real samples than `target`, and
    down otherwise. As long as p is well below 1, the augmentations do not leak into what the generator
    makes: it could not match the augmented real samples by any other distribution than the real one.

    How sure it is, the mean sign of its logits for real samples tells or, under losses that leave logits
    without a zero (relativistic, Wasserstein, energies), that of a real sample's logit minus a fake's.
    Where no loss looks at logits, p stays.

    Args:
        transforms: names of groups of `TRANSFORMS`.
        p: at the start, in [0, `most`].
        most: largest p, in [0, 1].
        target: that mean sign, in [-1, 1].
        images: that p would need from 0 to 1.
        interval: turns between adjustments.
        adaptive: whether p is adjusted at all.
    """

    def __init__(
        self,
        transforms: Collection[str],
        *,
        p: float,
        most: float,
        target: float,
        images: int,
        interval: int,
        adaptive: bool,
    ) -> None:
        self._transforms = [transform for name, transform in TRANSFORMS.items() if name in transforms]
        self._most, self._target, self._images = most, target, images
        self._interval, self._adaptive = interval, adaptive
        # Tensors on the training device from the first turn on, so that nothing waits for it.
        self._p = torch.tensor(p)
        self._signs = torch.tensor(0.0)
        self._turns = self._seen = 0

    def __call__(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Return images `(n, C, H, W)`, each of the transforms done to some of them."""
        chance = Chance(self._p, draws)
        for transform in self._transforms:
            samples = transform(samples, chance)
        return samples

    def observe(self, signs: torch.Tensor, images: int) -> None:
        """Gather how sure the discriminator is, and adjust p when it is time."""
        if not self._adaptive:
            return
        self._signs = self._signs.to(signs.device) + signs.detach()
        self._turns += 1
        self._seen += images
        if self._turns == self._interval:
            towards = torch.sign(self._signs / self._turns - self._target)
            moved = self._p.to(signs.device) + towards * (self._seen / self._images)
            self._p = moved.clamp(0.0, self._most)
            self._signs = torch.zeros_like(self._signs)
            self._turns = self._seen = 0

    def scalars(self) -> dict[str, torch.Tensor]:
        """Return p, in [0, 1]."""
        return {"p": self._p}

    def state_dict(self) -> dict[str, Any]:
        """Return p, and what has gathered since it was adjusted."""
        return {"p": self._p, "signs": self._signs, "turns": self._turns, "seen": self._seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._p, self._signs = state["p"].clone(), state["signs"].clone()
        self._turns, self._seen = state["turns"], state["seen"]
