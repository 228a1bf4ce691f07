"""Distances between feature vectors: quick ones by matrix products, and exact ones pair by pair."""

from __future__ import annotations

import torch

__all__ = ["ROUNDING", "TIE", "TILE", "Centred", "exact_squares"]

TILE = 1024
"""Rows of a block: memory for its distances stays the same however many samples there are."""
ROUNDING = 64 * torch.finfo(torch.float32).eps
"""How far quick squared distances may be off, as a share of ‖x‖² + ‖y‖²; seen: a tenth of it at d = 2048."""
TIE = 1e-12
"""Relative difference up to which exact squared distances count as equal: sums of other order."""
ELEMENTS_AT_ONCE = 1 << 18
"""Elements of the differences that are held together: they stay in the cache."""


class Centred:
    """Float32 vectors that are shifted near the origin, a block at a time.

    ‖x−y‖² = ‖x‖² + ‖y‖² − 2xᵀy is exact to rounding only where norms are not much larger than
    distances; the same shift for all leaves the distances as they are.

    Args:
        vectors: `(n, d)` float32.
        centre: `(d,)` what to take off.
    """

    def __init__(self, vectors: torch.Tensor, centre: torch.Tensor) -> None:
        self._vectors = vectors
        self._centre = centre.float()

    def block(self, start: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return up to `size` shifted vectors from row `start` on, and their squared norms."""
        block = self._vectors[start : start + size] - self._centre
        return block, block.square().sum(1)


def mean_of(vectors: torch.Tensor) -> torch.Tensor:
    """Return the mean `(d,)` float64 of `(n, d)` vectors, with no copy of them all."""
    total = sum(part.sum(0, dtype=torch.float64) for part in torch.split(vectors, TILE))
    return torch.as_tensor(total) / len(vectors)


def exact_squares(
    x: torch.Tensor, rows: torch.Tensor, y: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """Return ‖x[rowsᵢ] − y[columnsᵢ]‖² `(p,)` float64, summed from differences.

    Exactly 0 for equal vectors, and the same whichever comes first.
    """
    size = max(1, ELEMENTS_AT_ONCE // x.shape[1])
    squares = [
        (x[some].double() - y[others].double()).square_().sum(1)
        for some, others in zip(torch.split(rows, size), torch.split(columns, size), strict=True)
    ]
    return torch.cat(squares)
