"""A trained soft tree in words, and as a picture of what arrives at each split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw

from ganlab import GanlabError
from ganlab_tree.networks import SoftForest

__all__ = ["Node", "draw_tree", "nodes", "tell_tree"]

_MARGIN, _LINE, _WORDS = 4, 14, 110
"""Pixels: around pictures, of a line of words, and of its length."""

_MORE, _LESS = (200, 60, 20), (30, 90, 190)
"""Colours of weights that send to the right, and to the left."""


@dataclass(frozen=True)
class Node:
    """A node of a tree, as some samples see it.

    Attributes:
        level: 0 is the root.
        place: from the left, from 0.
        share: of the samples that arrive here.
        real: the probability of being real that the leaves below give those, on the average.
        mean: of all samples, weighted by how probably each arrives, `(C, H, W)` or `(dimension,)`.
        weights: of the split for each element of a sample, where it reads samples as they are; what is
            positive sends to the right. `None` of leaves, and of splits that read features.
    """

    level: int
    place: int
    share: float
    real: float
    mean: torch.Tensor
    weights: torch.Tensor | None = None

    @property
    def words(self) -> str:
        """Share and probability, as `48%, P(real) 0.31`."""
        return f"{self.share:.0%}, P(real) {self.real:.2f}"


@torch.no_grad()
def nodes(
    forest: SoftForest,
    samples: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    tree: int = 0,
    levels: int = 4,
) -> Iterator[Node]:
    """Return the nodes of a tree, level by level from the root, as samples see them.

    Args:
        forest: a trained `soft-tree`.
        samples: `(N, C, H, W)` in [-1, 1], or vectors, on any device; real ones and fakes, say.
        labels: the class of each, `(N,)`, where the data has labels: each has probabilities of its own.
        tree: which of the forest's, from 0.
        levels: how many, from the root; all if there are fewer.

    Raises:
        GanlabError: there is no such tree, the samples are of another shape, or labels do not fit.
    """
    samples, labels = _checked(forest, samples, labels, tree, levels)
    descended = [level[:, tree].exp() for level in forest.descend(samples)]
    leaves = forest.leaves[labels, tree].sigmoid()
    splits = forest.pixel_weights(tree)

    def found() -> Iterator[Node]:
        for level, arriving in enumerate(descended[:levels]):
            below, real = (each.reshape(len(samples), 2**level, -1) for each in (descended[-1], leaves))
            for place in range(2**level):
                weights, under = arriving[:, place], below[:, place]
                split = 2**level - 1 + place
                yield Node(
                    level,
                    place,
                    share=weights.mean().item(),
                    real=((under * real[:, place]).sum() / under.sum().clamp(min=1e-12)).item(),
                    mean=torch.tensordot(weights / weights.sum().clamp(min=1e-12), samples, dims=1).cpu(),
                    weights=splits[split].cpu() if splits is not None and split < len(splits) else None,
                )

    return found()


def tell_tree(
    forest: SoftForest,
    samples: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    tree: int = 0,
    levels: int = 4,
) -> str:
    """Return a tree in words: a line for each node, below the one that leads to it.

    Arguments and errors as of `nodes`.
    """
    listed = nodes(forest, samples, labels, tree=tree, levels=levels)
    found = {(node.level, node.place): node for node in listed}

    def lines(level: int, place: int, way: str) -> Iterator[str]:
        if (level, place) in found:
            yield f"{'  ' * level}{way}: {found[level, place].words}"
            yield from lines(level + 1, 2 * place, "left")
            yield from lines(level + 1, 2 * place + 1, "right")

    return "\n".join(lines(0, 0, "all"))


def draw_tree(
    forest: SoftForest,
    samples: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    tree: int = 0,
    levels: int = 4,
) -> Image.Image:
    """Return a tree as a picture: at each node the mean image that arrives there, its share and P(real).

    Beside it stand the weights of a split that reads pixels: red ones send to the right where the image is
    bright, blue ones to the left. Of vectors there are the words alone.

    Arguments and errors as of `nodes`.
    """
    found = list(nodes(forest, samples, labels, tree=tree, levels=levels))
    shown = [_pictures(node) for node in found]
    height = max((picture.height for row in shown for picture in row), default=0)
    widest = max(sum(picture.width + _MARGIN for picture in row) for row in shown)
    cell, row = max(widest, _WORDS) + 2 * _MARGIN, height + _LINE + 3 * _MARGIN
    depth: int = found[-1].level
    sheet = Image.new("RGB", (cell * 2**depth, row * (depth + 1)), "white")
    pen = ImageDraw.Draw(sheet)

    def middle(level: int, place: int) -> int:
        return (2 * place + 1) * cell << depth >> level + 1

    for node, pictures in zip(found, shown, strict=True):
        x, y = middle(node.level, node.place), row * node.level + _MARGIN
        if node.level:
            above = (middle(node.level - 1, node.place // 2), y - 2 * _MARGIN)
            pen.line([above, (x, y)], fill="grey")
        left = x - (sum(picture.width + _MARGIN for picture in pictures) - _MARGIN) // 2
        for picture in pictures:
            sheet.paste(picture, (left, y))
            left += picture.width + _MARGIN
        pen.text((x, y + height + _LINE // 2), node.words, fill="black", anchor="mm")
    return sheet


def _checked(
    forest: SoftForest, samples: torch.Tensor, labels: torch.Tensor | None, tree: int, levels: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples, and the class whose probabilities each has, where the forest is."""
    classes, trees, _ = forest.leaves.shape
    device = forest.leaves.device
    if not 0 <= tree < trees:
        raise GanlabError(f"there is no tree {tree}: the forest's are 0 to {trees - 1}")
    if levels < 1:
        raise GanlabError(f"a tree is shown from its root on, and so at least 1 level, not {levels}")
    if not len(samples) or samples.shape[1:] != forest.shape:
        wanted = ", ".join(map(str, forest.shape))
        raise GanlabError(f"the tree judges samples (N, {wanted}), not {tuple(samples.shape)}")
    if classes == 1:
        return samples.to(device), torch.zeros(len(samples), dtype=torch.long, device=device)
    if labels is None:
        raise GanlabError(
            f"every one of the {classes} classes has leaves of its own: give the samples' labels"
        )
    if len(labels) != len(samples) or not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise GanlabError(
            f"there must be a label from 0 to {classes - 1} for each of {len(samples)} samples, and there "
            f"are {len(labels)}, from {int(labels.min())} to {int(labels.max())}"
        )
    return samples.to(device), labels.to(device)


def _pictures(node: Node) -> list[Image.Image]:
    """Return the mean image of a node, over white where it has alpha, and its split's weights."""
    if node.mean.dim() != 3:
        return []
    pixels = (node.mean.clamp(-1, 1) + 1) * 127.5
    channels = 3 if len(pixels) >= 3 else 1
    colour, alpha = pixels[:channels].expand(3, -1, -1), pixels[channels:] / 255
    if len(alpha):
        colour = colour * alpha + 255 * (1 - alpha)
    pictures = [_to_image(colour)]
    if node.weights is not None:
        weights = node.weights[:channels].mean(dim=0)
        share = (weights / weights.abs().max().clamp(min=1e-12))[..., None]
        ink = torch.where(share > 0, torch.tensor(_MORE), torch.tensor(_LESS))
        pictures.append(_to_image((255 + (ink - 255) * share.abs()).permute(2, 0, 1)))
    return pictures


def _to_image(colour: torch.Tensor) -> Image.Image:
    return Image.fromarray(colour.round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy())
