"""Constant tensors, copied to a device once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

__all__ = ["constant"]


def constant(values: Any, like: torch.Tensor) -> torch.Tensor:
    """Return numbers as a tensor of another one's type and device; it must not be changed.

    Args:
        values: numbers in tuples, nested as the tensor's dimensions are.
        like: of floating type.
    """
    return _on_device(values, like.dtype, like.device)


@lru_cache(maxsize=64)
def _on_device(values: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    # Copying from the host in every step would have a GPU wait for it.
    return torch.tensor(values, dtype=dtype, device=device)
