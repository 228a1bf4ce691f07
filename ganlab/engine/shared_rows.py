"""From a process's rows to the whole batch, and back, with the gradients of one process alone.

Whatever is whole is the same in all processes, and so is the gradient of the objective by it. So
gradients take the opposite way of what they are of: each of the two is the other's derivative.
"""

from __future__ import annotations

from typing import Any

import torch

from ganlab.processes import Processes

__all__ = ["cut", "gather"]


def gather(own: torch.Tensor, processes: Processes, count: int) -> torch.Tensor:
    """Return the `count` rows of which every process has its own, `(count, …)`.

    Raises:
        LostProcessError: another process is gone.
    """
    whole: torch.Tensor = _Gather.apply(own, processes, count)  # type: ignore[no-untyped-call]
    return whole


def cut(whole: torch.Tensor, processes: Processes) -> torch.Tensor:
    """Return this process's rows of what all processes have, for it to do its share of the work.

    Raises:
        LostProcessError: another process is gone, when gradients are taken.
    """
    own: torch.Tensor = _Cut.apply(whole, processes)  # type: ignore[no-untyped-call]
    return own


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: torch.Tensor, processes: Processes, count: int) -> torch.Tensor:
        ctx.processes = processes
        return processes.all_gather(own, count)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return cut(gradient, ctx.processes), None, None


class _Cut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: torch.Tensor, processes: Processes) -> torch.Tensor:
        ctx.processes, ctx.count = processes, len(whole)
        return whole[processes.rows(len(whole))].clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gather(gradient, ctx.processes, ctx.count), None
