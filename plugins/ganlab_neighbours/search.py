"""The nearest neighbours of feature vectors, by distances that are exact."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ganlab_neighbours.distances import TILE, Centred, exact_squares, mean_of

__all__ = ["Neighbours", "nearest"]

COLUMNS = 4 * TILE
"""Points that a block of queries is compared with at once."""
SPARE = 4
"""Candidates beyond k whose exact distances are looked at: rounding may have exchanged some."""


@dataclass(frozen=True)
class Neighbours:
    """The k nearest points of each query, nearest first.

    Attributes:
        distances: `(n, k)` float64.
        indices: `(n, k)` int64 rows of the points.
    """

    distances: torch.Tensor
    indices: torch.Tensor


def nearest(queries: torch.Tensor, points: torch.Tensor, k: int, *, exclude_self: bool = False) -> Neighbours:
    """Return the k nearest of `points` `(m, d)` for each of `queries` `(n, d)`, both float32.

    Candidates come from tiled matrix products in float32; the distances among which the nearest are
    chosen, and which are returned, are exact. A neighbour can be missed only for others that are as
    near to within the rounding of those products, about 1e-6 of the features' variance.

    Args:
        queries: what to look around.
        points: what to look for.
        k: neighbours wanted.
        exclude_self: the queries are the first rows of the points, and none is its own neighbour.

    Raises:
        ValueError: there are no k points.
    """
    available = len(points) - exclude_self
    if not 1 <= k <= available:
        raise ValueError(f"{k} neighbours were asked for, of {available} points")
    centre = mean_of(points)
    left, right = Centred(queries, centre), Centred(points, centre)
    found = []
    for start in range(0, len(queries), TILE):
        block, _ = left.block(start, TILE)
        own = torch.arange(start, start + len(block))
        candidates = _candidates(block, right, len(points), k + SPARE, start if exclude_self else None)
        squares = exact_squares(
            queries, own.repeat_interleave(candidates.shape[1]), points, candidates.flatten()
        )
        squares = squares.view(candidates.shape)
        if exclude_self:
            squares[candidates == own[:, None]] = torch.inf
        # Candidates are in order of their rows: of equals, lower rows come first.
        order = squares.argsort(dim=1, stable=True)[:, :k]
        found.append((squares.gather(1, order).sqrt(), candidates.gather(1, order)))
    distances, indices = zip(*found, strict=True)
    return Neighbours(torch.cat(distances), torch.cat(indices))


def _candidates(
    queries: torch.Tensor, points: Centred, count: int, wanted: int, itself: int | None
) -> torch.Tensor:
    """Return ascending rows `(n, ≤ wanted)` of the points that seem nearest.

    `itself` is the first query's own row; `None` where queries are no points.
    """
    scores = torch.empty(len(queries), 0)
    rows = torch.empty(len(queries), 0, dtype=torch.int64)
    for start in range(0, count, COLUMNS):
        block, norms = points.block(start, COLUMNS)
        # ‖y‖² − 2xᵀy orders as the distance does.
        tile = torch.addmm(norms[None], queries, block.T, alpha=-2)
        if itself is not None:
            _forget(tile, itself - start)
        some, where = tile.topk(min(wanted, tile.shape[1]), dim=1, largest=False, sorted=False)
        scores, rows = torch.cat([scores, some], 1), torch.cat([rows, where + start], 1)
        if scores.shape[1] > wanted:
            scores, kept = scores.topk(wanted, dim=1, largest=False, sorted=False)
            rows = rows.gather(1, kept)
    return rows.sort(dim=1).values


def _forget(tile: torch.Tensor, offset: int) -> None:
    """Put element `(i, i + offset)` of each row out of reach."""
    first, last = max(0, -offset), min(len(tile), tile.shape[1] - offset)
    rows = torch.arange(first, max(first, last))
    tile[rows, rows + offset] = torch.inf
