"""MMD² of two samples with its standard error, in memory that does not grow with their product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ganlab_mmd.kernels import Centred, Kernel, without

__all__ = ["KernelSums", "centre_of", "cross_sums", "mmd2", "within_sums"]

TILE = 1024
"""Rows and columns of a block: small enough for the cache, large enough for the matrix product."""


@dataclass(frozen=True)
class KernelSums:
    """All that is kept of a kernel matrix; for one sample against itself, without the diagonal.

    Attributes:
        rows: `(n,)` float64 sums over columns.
        columns: `(m,)` float64 sums over rows.
        squares: sum of squared elements.
        diagonal: sum of the diagonal that was left out; 0 for two samples.
        pairs: number of elements summed.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    squares: float
    diagonal: float
    pairs: int

    @property
    def mean(self) -> float:
        """Mean element."""
        return float(self.rows.sum()) / self.pairs

    @property
    def row_means(self) -> torch.Tensor:
        """`(n,)` float64 mean of each row."""
        return self.rows * (len(self.rows) / self.pairs)

    @property
    def column_means(self) -> torch.Tensor:
        """`(m,)` float64 mean of each column."""
        return self.columns * (len(self.columns) / self.pairs)

    @property
    def interaction(self) -> float:
        """Variance of the elements beyond their row and column means."""
        spread = self.row_means.square().mean() + self.column_means.square().mean()
        return max(0.0, self.squares / self.pairs - float(spread) + self.mean**2)


class _Tiles:
    """Centred vectors, a tile at a time, with no centred copy of them all.

    Args:
        x: `(n, d)`.
        centre: `(d,)` float64.
        size: rows of a tile.
    """

    def __init__(self, x: torch.Tensor, centre: torch.Tensor, size: int) -> None:
        self._x = x
        self._centre = centre
        self._size = size
        self._along = torch.cat([Centred.of(part, centre).along for part in torch.split(x, size)])

    def __getitem__(self, start: int) -> Centred:
        """Return the tile that begins at a row."""
        rows = slice(start, start + self._size)
        return Centred(without(self._x[rows], self._centre), self._along[rows])


def cross_sums(kernel: Kernel, x: torch.Tensor, y: torch.Tensor, tile: int = TILE) -> KernelSums:
    """Return the sums of k(xᵢ, yⱼ) over `(n, d)` and `(m, d)` features."""
    centre = centre_of([x, y], tile)
    right = _Tiles(y, centre, tile)
    rows, columns, squares = _zeros(len(x)), _zeros(len(y)), _zeros(1)
    for i in range(0, len(x), tile):
        left = Centred.of(x[i : i + tile], centre)
        for j in range(0, len(y), tile):
            block = kernel.tile(left, right[j])
            _accumulate(block, rows[i : i + tile], columns[j : j + tile], squares)
    return KernelSums(rows, columns, float(squares), 0.0, len(x) * len(y))


def within_sums(kernel: Kernel, x: torch.Tensor, tile: int = TILE) -> KernelSums:
    """Return the sums of k(xᵢ, xⱼ), i ≠ j, over `(n, d)` features; half the blocks follow by symmetry."""
    centre = centre_of([x], tile)
    tiles = _Tiles(x, centre, tile)
    rows, squares, diagonal = _zeros(len(x)), _zeros(1), 0.0
    for i in range(0, len(x), tile):
        left = tiles[i]
        diagonal += float(kernel.diagonal(left).sum())
        _accumulate(kernel.tile(left, left).fill_diagonal_(0), rows[i : i + tile], None, squares)
        for j in range(i + tile, len(x), tile):
            block = kernel.tile(left, tiles[j])
            _accumulate(block, rows[i : i + tile], rows[j : j + tile], squares, times=2)
    return KernelSums(rows, rows, float(squares), diagonal, len(x) * (len(x) - 1))


def mmd2(xx: KernelSums, yy: KernelSums, xy: KernelSums, *, unbiased: bool = True) -> tuple[float, float]:
    """Return MMD² and its standard error.

    The unbiased estimate is mean Kxx + mean Kyy − 2 mean Kxy without the diagonals of Kxx and
    Kyy, for any n and m; it may be negative. The biased one has the diagonals in.

    The standard error comes from the projections h(xᵢ) = meanⱼ k(xᵢ,xⱼ) − meanⱼ k(xᵢ,yⱼ) and
    their counterpart for y: 4 Var h(x)/n + 4 Var h(y)/m, where means over finite samples carry
    the second-order term 2 s²xx/n(n−1) + 2 s²yy/m(m−1) + 4 s²xy/nm (s², the variance of a kernel
    matrix beyond its row and column means) twice; here it is taken off once. No true variance is
    below that term, and so neither is the estimate: where the distributions differ it is right,
    where they are the same it is right or somewhat too large.
    """
    n, m = len(xx.rows), len(yy.rows)
    value = _mean(xx, unbiased) + _mean(yy, unbiased) - 2 * xy.mean
    first_order = 4 * (
        float((xx.row_means - xy.row_means).var()) / n + float((yy.row_means - xy.column_means).var()) / m
    )
    second_order = (
        2 * xx.interaction / (n * (n - 1)) + 2 * yy.interaction / (m * (m - 1)) + 4 * xy.interaction / (n * m)
    )
    return value, max(first_order - second_order, second_order) ** 0.5


def _mean(sums: KernelSums, unbiased: bool) -> float:
    if unbiased:
        return sums.mean
    return (float(sums.rows.sum()) + sums.diagonal) / (sums.pairs + len(sums.rows))


def centre_of(samples: Sequence[torch.Tensor], tile: int = TILE) -> torch.Tensor:
    """Return the mean of all vectors `(d,)` as near as float32 has it, with no copy of them all."""
    total = sum(part.double().sum(0) for each in samples for part in torch.split(each, tile))
    return (torch.as_tensor(total) / sum(len(each) for each in samples)).float().double()


def _accumulate(
    block: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor | None,
    squares: torch.Tensor,
    times: int = 1,
) -> None:
    """Add a block's row sums, column sums and `times` its squares."""
    rows += block.sum(1)
    if columns is not None:
        columns += block.sum(0)
    squares += times * torch.dot(block.flatten(), block.flatten())


def _zeros(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.float64)
