"""Weights never move by a loss or gradient that is not finite."""

from __future__ import annotations

import math

import torch
from torch.optim import Optimizer

from ganlab import tags
from ganlab.engine.meter import Meter
from ganlab.errors import DivergedError

__all__ = ["Guard"]


class Guard:
    """Holds every optimizer still from the first non-finite value on.

    Each turn is checked before its update. On CUDA, where asking the device would make the host
    wait, fused optimizers are handed the verdict as a tensor on the device, which makes their
    update a no-op there, and the host asks only when scalars are read anyway. Fused kernels
    of other accelerators are not known to look at it.
    """

    def __init__(self, device: torch.device, meter: Meter) -> None:
        self._meter = meter
        self._synchronous = device.type != "cuda"
        self._tripped = torch.zeros((), device=device)
        self._tripped_at = torch.full((), -1, dtype=torch.int64, device=device)

    def check(self, optimizer: Optimizer, values: list[torch.Tensor], step: int) -> None:
        """Check a turn's losses and gradient norm before its update.

        Raises:
            DivergedError: one of them is not finite (on an accelerator this may be
                raised later, by `verify`; the weights stay as they are in between).
        """
        bad = 1 - torch.isfinite(torch.stack(values)).all().to(self._tripped.dtype)
        first = bad * (1 - self._tripped)
        self._tripped_at = torch.where(first > 0, step, self._tripped_at)
        self._tripped = torch.maximum(self._tripped, bad)
        if self._synchronous or not optimizer.defaults.get("fused"):
            self.verify()
        else:
            optimizer.found_inf = self._tripped  # type: ignore[attr-defined]

    def verify(self) -> None:
        """Ask the device whether anything was not finite so far.

        Raises:
            DivergedError: something was; the message names the terms and the step.
        """
        if not self._tripped.item():
            return
        step = int(self._tripped_at.item()) + 1
        values = self._meter.read()
        names = [name for name, mean in values.items() if not math.isfinite(mean)]
        player = next(filter(None, map(tags.player_of, names)), "")
        turn = f", in the {player}'s turn" if player else ""
        raise DivergedError(
            f"step {step}{turn}: not finite: {', '.join(names) or 'the objective'}. "
            "That turn moved no weight. Lower the learning rate, clip the "
            'gradient norm, or try precision = "fp32"',
            step=step,
            values=values,
        )
