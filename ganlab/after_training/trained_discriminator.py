"""A trained discriminator out of a run, to look into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from PIL.Image import Image
from torch import nn

from ganlab.after_training.restoring import restore_generator
from ganlab.after_training.trained_network import restore_network
from ganlab.components import SampleSpec
from ganlab.config import load_experiment
from ganlab.data import prepare
from ganlab.drawing.pictures import to_pillow
from ganlab.errors import UsageError
from ganlab.runs.reading import Run

__all__ = ["TrainedDiscriminator", "restore_discriminator"]


@dataclass(frozen=True, eq=False)
class TrainedDiscriminator:
    """A discriminator as a checkpoint has it: what `ganlab.load_discriminator` returns.

    Attributes:
        network: `samples [, labels] -> logits`, or a `Verdict`; in evaluation mode, on the CPU.
        spec: what it judges.
        takes_labels: whether it is called with labels, int64.
        run: whose it is.
        step: the step of the checkpoint.
    """

    network: nn.Module
    spec: SampleSpec
    takes_labels: bool
    run: Run
    step: int

    def samples(self, count: int = 100) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return so many real training samples, then as many of the generator's, and the labels of all.

        Args:
            count: of each; of real ones at most all.

        Returns:
            Float32 samples `(2 * count, *spec.shape)`, always the same, and int64 labels `(2 * count,)`:
            a fake has that of a real one. Labels are `None` where the discriminator takes none.
        """
        data = prepare(load_experiment(self.run.resolved))
        chosen = data.split.training[:count]
        real = self.spec.dequantise(data.store.gather(chosen))
        known = data.store.labels
        labels = None if known is None else torch.from_numpy(known[chosen])
        generator = restore_generator(self.run, self.step)
        fake = generator.sample(len(real), labels=labels if generator.takes_labels else None)
        told = labels if self.takes_labels else None
        return torch.cat([real, fake]), None if told is None else told.repeat(2)

    def pictures(self, count: int = 100) -> Mapping[str, Image]:
        """Return what the discriminator shows of itself, by name, on the `samples`, as Pillow images.

        Raises:
            UsageError: it has no method `draw`.
        """
        draw: Any = getattr(self.network, "draw", None)
        if draw is None:
            raise UsageError(
                f"the discriminator of {self.run.name} has nothing to show: it has no method `draw`"
            )
        samples, labels = self.samples(count)
        with torch.no_grad():
            drawn = draw(*((samples,) if labels is None else (samples, labels)))
        return {name: to_pillow(picture) for name, picture in drawn.items()}


def restore_discriminator(run: Run, which: int | Literal["best", "last"] = "last") -> TrainedDiscriminator:
    """Build a run's discriminator and load a checkpoint into it, on the CPU and in evaluation mode.

    Args:
        run: the run.
        which: the checkpoint, by its step or as `best` or `last`.

    Raises:
        UsageError: the run has no discriminator.
        GanlabError: there is no such checkpoint, it is damaged, or it does not fit the network.
    """
    judge = load_experiment(run.resolved).discriminator
    if judge is None:
        raise UsageError(f"{run.path} has no discriminator")
    restored = restore_network(run, "discriminator", which)
    takes_labels = restored.spec.classes > 0 and judge.component.takes_labels
    network = restored.network.requires_grad_(True)
    return TrainedDiscriminator(network, restored.spec, takes_labels, run, restored.step)
