"""A soft decision tree: every sample goes both ways at every split, each with a probability.

Frosst & Hinton, "Distilling a neural network into a soft decision tree", 2017, and as a forest on
learned features Kontschieder et al., "Deep neural decision forests", ICCV 2015. All of it is
differentiable, so that a tree is trained, and trains a generator, by backpropagation.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import logsigmoid

from ganlab import SampleSpec, Verdict

__all__ = ["SoftForest"]


class SoftForest(nn.Module):
    """Trees of splits, and of leaves that each hold a probability of being real.

    The answer is the mean of the leaves' probabilities, weighted by the probabilities of arriving
    there, and over the trees; the logits are its log-odds. Where the data has labels, all classes
    share the splits, and every leaf has a probability for each class. Beside the logits, a verdict
    shows as the output `splits` the log-probabilities of leaving each split either way.

    Args:
        samples: what to judge.
        depth: splits from the root to a leaf.
        trees: how many.
        steepness: factor on what splits decide by.
        convolutions: strided convolutions whose features images are split by; 0 for the bare samples.
        width: channels after the first of them.

    Shapes: `(N, …)` [and labels `(N,)`] -> logits `(N,)`, `splits` `(N, trees, splits, 2)`.
    """

    def __init__(
        self, samples: SampleSpec, depth: int, trees: int, *, steepness: float, convolutions: int, width: int
    ) -> None:
        super().__init__()
        self.shape = torch.Size(samples.shape)
        self.depth = depth
        self.steepness = steepness
        layers: list[nn.Module] = []
        shape = samples.shape
        for _ in range(convolutions):
            outputs = 2 * shape[0] if layers else width
            layers += [nn.Conv2d(shape[0], outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            shape = (outputs, shape[1] // 2, shape[2] // 2)
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.splits = nn.Linear(math.prod(shape), trees * (2**depth - 1))
        self.leaves = nn.Parameter(torch.randn(max(samples.classes, 1), trees, 2**depth))

    def descend(self, samples: torch.Tensor) -> list[torch.Tensor]:
        """Return the log-probabilities of arriving at each node, level by level: `(N, trees, 2^level)`.

        The nodes below node i are 2i, to the left, and 2i + 1.
        """
        decisions = (self.steepness * self.splits(self.body(samples)).float()).reshape(
            len(samples), self.leaves.shape[1], -1
        )
        levels = [decisions.new_zeros(*decisions.shape[:2], 1)]
        for level in range(self.depth):
            here = decisions[:, :, 2**level - 1 : 2 ** (level + 1) - 1]
            ways = torch.stack([levels[-1] + logsigmoid(-here), levels[-1] + logsigmoid(here)], dim=3)
            levels.append(ways.flatten(2))
        return levels

    def pixel_weights(self, tree: int) -> torch.Tensor | None:
        """Return what each split of a tree weighs each element of a sample by, `(splits, …)`.

        `None` where convolutions are between.
        """
        if len(self.body) > 1:
            return None
        return self.splits.weight.reshape(self.leaves.shape[1], -1, *self.shape)[tree]

    def draw(self, samples: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, NDArray[np.uint8]]:
        """Return a picture of the first tree, as samples see it, `(H, W, 3)`."""
        from ganlab_tree.showing import draw_tree

        return {"tree": np.asarray(draw_tree(self, samples, labels))}

    def forward(self, samples: torch.Tensor, labels: torch.Tensor | None = None) -> Verdict:
        """Return the verdict; its logits are higher for samples that look real."""
        levels = self.descend(samples)
        leaves = self.leaves[0] if labels is None else self.leaves[labels]
        real = (levels[-1] + logsigmoid(leaves)).flatten(1).logsumexp(dim=1)
        fake = (levels[-1] + logsigmoid(-leaves)).flatten(1).logsumexp(dim=1)
        ways = [level.reshape(*level.shape[:2], -1, 2) for level in levels[1:]]
        return Verdict(real - fake, outputs={"splits": torch.cat(ways, dim=2)})
