"""Whether two processes hold the same tensor, told by a number each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["checksum"]

_BLOCK = 2**20
"""Elements that are looked at together."""


def checksum(tensor: Tensor) -> Tensor:
    """Return a 64-bit checksum of a tensor's bits and their places, a scalar on its device.

    Each element's bits, offset by its place, are mixed by a one-to-one map of 64 bits (the finaliser
    of SplitMix64: Steele, Lea & Flood, 2014), and the results are added modulo 2⁶⁴. One element
    that differs is noticed always; several, or two that are swapped, but for a chance of about
    2⁻⁶⁴. Beside a contiguous tensor it takes room for a few blocks, however large the tensor is.
    """
    import torch

    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32}
    flat = tensor.detach().reshape(-1)
    flat = flat.view(integers.get(flat.element_size(), torch.int64))
    total = torch.zeros((), dtype=torch.int64, device=flat.device)
    for start in range(0, len(flat), _BLOCK):
        places = torch.arange(start, min(start + _BLOCK, len(flat)), device=flat.device)
        bits = flat[start : start + _BLOCK].long() + places * -0x61C8864680B583EB
        for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15), (31, 1)):
            # torch shifts copies of the sign in, which would map a number and its complement to one.
            bits ^= (bits >> shift) & (2 ** (64 - shift) - 1)
            bits *= factor
        total += bits.sum()
    return total
