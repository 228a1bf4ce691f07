"""What a loss has returned: the part to be minimised, and what is only logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ganlab.errors import ComponentError

__all__ = ["objective", "parts_of", "scaled", "total"]


def parts_of(value: Any, player: str) -> dict[str, torch.Tensor]:
    """Return a loss's scalars by name; one alone has the empty name.

    Args:
        value: what the loss returned.
        player: in whose turn, for the message.

    Raises:
        ComponentError: it is something else; the message says what would be right.
    """
    parts: dict[str, torch.Tensor] = dict(value) if isinstance(value, Mapping) else {"": value}
    if not parts:
        raise ComponentError(f"{player}() returned no tensor at all; there is nothing to minimise")
    for name, part in parts.items():
        what = f"what {player}() returns" + (f" as `{name}`" if name else "")
        if not isinstance(part, torch.Tensor) or not part.is_floating_point():
            kind = getattr(part, "dtype", type(part).__name__)
            raise ComponentError(f"{what} must be a float tensor, not {kind}")
        if part.ndim:
            raise ComponentError(
                f"{what} has shape {tuple(part.shape)}; it must be a scalar: take mean() over the samples"
            )
    return parts


def objective(parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the sum of the parts that depend on weights; 0 where none does, and the rest is only logged."""
    learned = [part for part in parts.values() if part.requires_grad]
    first = next(iter(parts.values()))
    return total(learned) if learned else first.new_zeros(())


def total(scalars: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sum of one or more scalars, without a kernel where there is one."""
    return torch.stack(list(scalars)).sum() if len(scalars) > 1 else scalars[0]


def scaled(value: torch.Tensor, factor: float) -> torch.Tensor:
    """Return a tensor times a number, without a kernel where that is 1, as it mostly is."""
    return value if factor == 1 else factor * value
