"""A vision transformer to one logit.

Dosovitskiy et al., "An image is worth 16×16 words", ICLR 2021; as a discriminator Lee, Chang,
Jiang, Zhang, Tu & Liu, "ViTGAN: training GANs with vision transformers", ICLR 2022. Labels are
told by projection (Miyato & Koyama, 2018).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from ganlab import ImageSpec

__all__ = ["Attention", "Transformer"]


class Attention(nn.Module):
    """Every token takes from all others, in several ways at once.

    By distance, query and key are one, and weights fall with the square of how far two of them lie
    apart (L2 attention, Kim, Papamakarios & Mnih, ICML 2021).

    Args:
        width: elements of a token.
        heads: ways.
        by_distance: attend by distance; otherwise by the dot product.

    Shapes: `(N, tokens, width)` -> the same.
    """

    def __init__(self, width: int, heads: int, *, by_distance: bool) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1 / math.sqrt(width // heads)
        self.by_distance = by_distance
        self.inputs = nn.Linear(width, 2 * width if by_distance else 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return what each token takes."""
        split = self.inputs(tokens).unflatten(2, (-1, self.heads, tokens.shape[2] // self.heads))
        query, *others = split.permute(2, 0, 3, 1, 4)
        value = others[-1]
        # Written out: torch's fused attention has no second derivative, which gradient penalties take.
        if self.by_distance:
            square = query.square().sum(dim=3)
            scores = 2 * query @ query.transpose(2, 3) - square[:, :, None] - square[..., None]
        else:
            scores = query @ others[0].transpose(2, 3)
        taken = (scores * self.scale).softmax(dim=3) @ value
        output: torch.Tensor = self.output(taken.transpose(1, 2).flatten(2))
        return output


class Block(nn.Module):
    """Attention and a perceptron, each normalised before and added to what came in."""

    def __init__(self, width: int, heads: int, *, by_distance: bool) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width), Attention(width, heads, by_distance=by_distance))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return tokens of the same shape."""
        tokens = tokens + self.attention(tokens)
        added: torch.Tensor = self.perceptron(tokens)
        return tokens + added


class Transformer(nn.Module):
    """Images, patch by patch, to one logit, read off a token of its own.

    Args:
        image: what to judge.
        patch: side of a patch in pixels.
        width: elements of a token.
        depth: blocks.
        heads: attentions of a block.
        by_distance: attend by distance; otherwise by the dot product.

    Shapes: `(N, C, H, W)` [and labels `(N,)`] -> `(N,)`.
    """

    def __init__(
        self, image: ImageSpec, patch: int, width: int, depth: int, heads: int, *, by_distance: bool
    ) -> None:
        super().__init__()
        patches = image.height // patch * (image.width // patch)
        self.patches = nn.Conv2d(image.channels, width, patch, stride=patch)
        self.reader = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, patches + 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads, by_distance=by_distance) for _ in range(depth)))
        self.normalise = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1)
        self.embedding = nn.Embedding(image.classes, width) if image.classes else None
        self.apply(_initialise)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, 0.02)  # as the head's

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits, higher for images that look real."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.reader.expand(len(images), -1, -1), tokens], dim=1) + self.places
        read = self.normalise(self.blocks(tokens)[:, 0])
        logits: torch.Tensor = self.head(read).squeeze(1)
        if self.embedding is not None and labels is not None:
            logits = logits + (self.embedding(labels) * read).sum(dim=1)
        return logits


def _initialise(module: nn.Module) -> None:
    """Draw the weights of linear layers from a truncated normal distribution, as the paper's code does."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
