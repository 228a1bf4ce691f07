"""A trained soft tree in words, and as a picture of what arrives at each split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw

from ganlab_tree.networks import SoftForest

__all__ = ["Node", "draw_tree", "nodes", "tell_tree"]

_MARGIN, _LINE, _WORDS = 4, 14, 110
"""Pixels: around pictures, of a line of words, and of its length."""


@dataclass(frozen=True)
class Node:
    """A node of a tree, as some images see it.

    Attributes:
        level: 0 is the root.
        place: from the left, from 0.
        share: of the images that arrive here.
        real: the probability of being real that the leaves below give those, on the average.
        mean: of all images, weighted by how probably each arrives, `(C, H, W)` or `(dimension,)`.
    """

    level: int
    place: int
    share: float
    real: float
    mean: torch.Tensor

    @property
    def words(self) -> str:
        """Share and probability, as `48 %, P(real) 0.31`."""
        return f"{self.share:.0%}, P(real) {self.real:.2f}"


@torch.no_grad()
def nodes(
    forest: SoftForest, images: torch.Tensor, *, tree: int = 0, levels: int = 4, label: int = 0
) -> Iterator[Node]:
    """Yield the nodes of a tree, level by level from the root, as `images` see them.

    Args:
        forest: a trained `soft-tree`.
        images: `(N, C, H, W)` in [-1, 1], or vectors; real ones and fakes, say.
        tree: which of the forest's, from 0.
        levels: how many, from the root; at most all.
        label: the class whose probabilities are told, where the data has labels.
    """
    descended = [level[:, tree].exp() for level in forest.descend(images)]
    real = forest.leaves[label, tree].sigmoid()
    for level, arriving in enumerate(descended[:levels]):
        below = descended[-1].reshape(len(images), 2**level, -1)
        for place in range(2**level):
            weights = arriving[:, place]
            leaves = real.reshape(2**level, -1)[place]
            yield Node(
                level,
                place,
                share=weights.mean().item(),
                real=((below[:, place] * leaves).sum() / below[:, place].sum().clamp(min=1e-12)).item(),
                mean=torch.tensordot(weights / weights.sum().clamp(min=1e-12), images, dims=1),
            )


def tell_tree(
    forest: SoftForest, images: torch.Tensor, *, tree: int = 0, levels: int = 4, label: int = 0
) -> str:
    """Return a tree in words: a line for each node, below the one that leads to it.

    Arguments as for `nodes`.
    """
    listed = nodes(forest, images, tree=tree, levels=levels, label=label)
    found = {(node.level, node.place): node for node in listed}

    def lines(level: int, place: int, way: str) -> Iterator[str]:
        if (level, place) in found:
            yield f"{'  ' * level}{way}: {found[level, place].words}"
            yield from lines(level + 1, 2 * place, "left")
            yield from lines(level + 1, 2 * place + 1, "right")

    return "\n".join(lines(0, 0, "all"))


def draw_tree(
    forest: SoftForest, images: torch.Tensor, *, tree: int = 0, levels: int = 4, label: int = 0
) -> Image.Image:
    """Return a tree as a picture: at each node the mean image that arrives there, its share and P(real).

    Arguments as for `nodes`; the images have one or three channels.
    """
    found = list(nodes(forest, images, tree=tree, levels=levels, label=label))
    height, width = images.shape[2:]
    cell, row = max(width, _WORDS) + 2 * _MARGIN, height + _LINE + 3 * _MARGIN
    depth: int = found[-1].level
    sheet = Image.new("RGB", (cell * 2**depth, row * (depth + 1)), "white")
    pen = ImageDraw.Draw(sheet)

    def middle(level: int, place: int) -> int:
        return (2 * place + 1) * cell << depth >> level + 1

    for node in found:
        x, y = middle(node.level, node.place), row * node.level + _MARGIN
        if node.level:
            above = (middle(node.level - 1, node.place // 2), y - 2 * _MARGIN)
            pen.line([above, (x, y)], fill="grey")
        pixels = ((node.mean.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).expand(3, -1, -1)
        sheet.paste(Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()), (x - width // 2, y))
        pen.text((x, y + height + _LINE // 2), node.words, fill="black", anchor="mm")
    return sheet
