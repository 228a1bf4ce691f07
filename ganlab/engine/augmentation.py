"""Augmentations: what the discriminator sees samples through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ganlab.components import AugmentationComponent
from ganlab.config.selection import Selection
from ganlab.errors import ComponentError
from ganlab.plain_state import plain_state
from ganlab.samples import SampleSpec

__all__ = ["Augmentation", "Augmentations", "Draws"]


class Draws:
    """Random numbers, a row for each sample: the same ones however a batch is cut up or shared.

    Args:
        draw: returns `(n, *shape)` of `torch.rand` or `torch.randn`.
    """

    def __init__(self, draw: Callable[[Callable[..., torch.Tensor], tuple[int, ...]], torch.Tensor]) -> None:
        self._draw = draw

    def rand(self, *shape: int) -> torch.Tensor:
        """Return numbers uniform on [0, 1), `(n, *shape)`, float32 on the samples' device."""
        return self._draw(torch.rand, shape)

    def randn(self, *shape: int) -> torch.Tensor:
        """Return numbers from N(0, 1), `(n, *shape)`, float32 on the samples' device."""
        return self._draw(torch.randn, shape)


class Augmentation:
    """A random, differentiable change of samples, real and generated alike (Karras et al., 2020).

    The engine applies it to all that the discriminator sees, also inside penalties, so that
    gradients flow through it to the samples, twice where a penalty asks for it.
    """

    def __call__(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Return the samples changed at random; shape, device and dtype stay.

        Args:
            samples: `(n, C, H, W)` in [-1, 1], or `(n, dimension)`; never changed in place.
            draws: the only source of randomness; row i is for sample i.
        """
        raise NotImplementedError

    def observe(self, signs: torch.Tensor, images: int) -> None:
        """Learn how sure the discriminator is, after each of its turns in which a loss looked at logits.

        Args:
            signs: the mean sign of its logits for real samples, a scalar in [-1, 1]: near 1, it
                knows the real samples by heart (the heuristic r_t of Karras et al., 2020). Where no loss says
                from where on a logit means real (`ganlab.Loss.undecided`), the mean sign of a real
                sample's logit minus a fake's.
            images: real samples of the turn, over all processes.
        """

    def scalars(self) -> dict[str, torch.Tensor]:
        """Return scalars to log in each discriminator turn, by name."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return adaptive state, as tensors, numbers, strings, lists and dicts; `{}` if there is none."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""


@dataclass(frozen=True)
class _Entry:
    selection: Selection[AugmentationComponent, Any]
    augmentation: Augmentation

    def apply(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        with self.selection.blamed():
            seen = self.augmentation(samples, draws)
            if not isinstance(seen, torch.Tensor) or seen.shape != samples.shape:
                what = tuple(seen.shape) if isinstance(seen, torch.Tensor) else repr(seen)
                raise ComponentError(f"it makes {what} of samples of shape {tuple(samples.shape)}")
        return seen

    def state_dict(self) -> dict[str, Any]:
        with self.selection.blamed():
            return plain_state(self.augmentation.state_dict())


class Augmentations:
    """All augmentations of an experiment, one after the other.

    Args:
        selections: the experiment's entries.
        spec: what a sample is.

    Raises:
        ExperimentError: one of them refuses its options, or builds something else.
    """

    def __init__(self, selections: Sequence[Selection[AugmentationComponent, Any]], spec: SampleSpec) -> None:
        self._entries = [_Entry(selection, _build(selection, spec)) for selection in selections]

    def shown(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Return samples as the discriminator always sees them."""
        for entry in self._entries:
            if entry.selection.settings.always:
                samples = entry.apply(samples, draws)
        return samples

    def augmented(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Return samples changed by what is left to the losses that ask for it, `always = false`.

        Raises:
            ComponentError: nothing is.
        """
        left = [entry for entry in self._entries if not entry.selection.settings.always]
        if not left:
            raise ComponentError(
                "it augments samples, and the discriminator sees every sample through all [[augmentations]]: "
                "set `always = false` in those that are for the loss"
            )
        for entry in left:
            samples = entry.apply(samples, draws)
        return samples

    def __bool__(self) -> bool:
        return bool(self._entries)

    def observe(self, signs: torch.Tensor, images: int) -> None:
        """Tell every augmentation how sure the discriminator is."""
        for entry in self._entries:
            entry.augmentation.observe(signs, images)

    def scalars(self) -> dict[tuple[str, str], torch.Tensor]:
        """Return what augmentations have to log, by label and name."""
        return {
            (entry.selection.label, name): value
            for entry in self._entries
            for name, value in entry.augmentation.scalars().items()
        }

    def state_dict(self) -> dict[str, Any]:
        """Return every augmentation's state, by its label."""
        return {entry.selection.label: entry.state_dict() for entry in self._entries}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the states that there are; the rest starts anew."""
        for entry in self._entries:
            if entry.selection.label in state:
                entry.augmentation.load_state_dict(state[entry.selection.label])


def _build(selection: Selection[AugmentationComponent, Any], spec: SampleSpec) -> Augmentation:
    built = selection.build(spec)
    if not isinstance(built, Augmentation):
        raise selection.refusal(ComponentError(f"its `build` returned {built!r}, not a ganlab.Augmentation"))
    return built
