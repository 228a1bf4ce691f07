"""Weights never move by a loss or gradient that is not finite."""

from __future__ import annotations

import math

import torch
from torch.optim import Optimizer

from ganlab import tags
from ganlab.engine.meter import Meter
from ganlab.errors import DivergedError

__all__ = ["Guard"]

_NEVER = 2**62
"""Where nothing was not finite; as a step it is later than any. Exact also in floats, which MPS may pass."""


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
        self._tripped_at = torch.full((), _NEVER, dtype=torch.int64, device=device)

    def check(self, optimizer: Optimizer, values: torch.Tensor, step: int) -> None:
        """Check a turn's losses and gradient norm, `(n,)`, before its update.

        Raises:
            DivergedError: one of them is not finite (on an accelerator this may be
                raised later, by `verify`; the weights stay as they are in between).
        """
        # 0·x is NaN where x is not finite: fewer kernels than `isfinite` has, and the sum cannot overflow.
        finite = (0 * values).sum() == 0
        self._tripped_at = torch.where(finite, self._tripped_at, self._tripped_at.clamp(max=step))
        if self._synchronous or not optimizer.defaults.get("fused"):
            self.verify()
        else:
            optimizer.found_inf = (self._tripped_at != _NEVER).float()  # type: ignore[attr-defined]

    def verify(self) -> None:
        """Ask the device whether anything was not finite so far.

        Raises:
            DivergedError: something was; the message names the terms and the step.
        """
        tripped_at = int(self._tripped_at.item())
        if tripped_at == _NEVER:
            return
        step = tripped_at + 1
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
