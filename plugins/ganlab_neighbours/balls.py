"""How many balls around some points contain each of other points."""

from __future__ import annotations

import torch

from ganlab_neighbours.distances import ROUNDING, TIE, TILE, Centred, exact_squares, mean_of

__all__ = ["count_covering", "reaches"]


def reaches(squares: torch.Tensor, squared_radii: torch.Tensor, *, inclusive: bool = True) -> torch.Tensor:
    """Return where exact squared distances are within radii; equal ones are, if `inclusive`."""
    return squares <= squared_radii * (1 + TIE if inclusive else 1 - TIE)


def count_covering(
    points: torch.Tensor, centres: torch.Tensor, radii: torch.Tensor, *, inclusive: bool = True
) -> torch.Tensor:
    """Return for each of `points` how many balls contain it, `(n,)` int64.

    Distances come from tiled matrix products in float32; those that are a radius to within their
    rounding are computed again, exactly, so that ties are decided alike everywhere.

    Args:
        points: `(n, d)` float32.
        centres: `(m, d)` float32.
        radii: `(m,)` float64, exact distances.
        inclusive: whether a ball contains what lies on its surface.
    """
    centre = mean_of(centres)
    left, right = Centred(points, centre), Centred(centres, centre)
    squared_radii = radii.square()
    counts = torch.zeros(len(points), dtype=torch.int64)
    for i in range(0, len(points), TILE):
        block, norms = left.block(i, TILE)
        for j in range(0, len(centres), TILE):
            others, other_norms = right.block(j, TILE)
            sizes = norms[:, None] + other_norms
            # How far beyond its ball's surface a point lies.
            excess = torch.addmm(sizes, block, others.T, alpha=-2) - squared_radii[j : j + TILE].float()
            inside = excess <= 0
            rows, columns = (excess.abs() <= ROUNDING * sizes).nonzero(as_tuple=True)
            if len(rows):
                squares = exact_squares(points, rows + i, centres, columns + j)
                inside[rows, columns] = reaches(squares, squared_radii[columns + j], inclusive=inclusive)
            counts[i : i + TILE] += inside.sum(1)
    return counts
