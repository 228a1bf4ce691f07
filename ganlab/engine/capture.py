"""Recording what functions have a GPU do, as CUDA graphs."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch

from ganlab.processes import Processes

__all__ = ["Capture", "CudaCapture", "capture_for"]

Capture: TypeAlias = Callable[[Sequence[Callable[[], None]]], list[Callable[[], None]]]
"""Returns, for each of some functions that are called one after the other, what repeats its work on the same
tensors. It may call them several times."""

_WARM_UPS = 3
"""How often a function runs before it is recorded, as torch's documentation asks."""


class CudaCapture:
    """Records what functions have a GPU do; to be called where no graph of autograd is alive.

    Args:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, functions: Sequence[Callable[[], None]]) -> list[Callable[[], None]]:
        """Return for each function what replays it; they share memory, and have to be replayed in order.

        Raises:
            RuntimeError: a function waits for the GPU, or does something else that no graph can.
        """
        # Nodes of autograd that were left over would bring the stream along that they were made on.
        gc.collect()
        # The outer stream is the one to be back on: where a recording fails, torch stays on the inner one.
        with torch.cuda.device(self._device), torch.cuda.stream(torch.cuda.current_stream(self._device)):
            self._warm_up(functions)
            graphs = [torch.cuda.CUDAGraph() for _ in functions]
            pool = torch.cuda.graph_pool_handle()
            for graph, function in zip(graphs, functions, strict=True):
                with torch.cuda.graph(graph, pool=pool, stream=self._stream):
                    function()
        return [graph.replay for graph in graphs]

    def _warm_up(self, functions: Sequence[Callable[[], None]]) -> None:
        self._stream.wait_stream(torch.cuda.current_stream())
        before = torch.cuda.get_sync_debug_mode()
        try:
            with torch.cuda.stream(self._stream):
                for count in range(_WARM_UPS):
                    if (
                        count == _WARM_UPS - 1
                    ):  # A host that waits is told here, before it spoils a recording.
                        torch.cuda.set_sync_debug_mode("error")
                    for function in functions:
                        function()
        finally:
            torch.cuda.set_sync_debug_mode(before)
            torch.cuda.current_stream().wait_stream(self._stream)


def capture_for(device: torch.device, processes: Processes) -> Capture | None:
    """Return what records turns on a device, or `None` where nothing can."""
    return CudaCapture(device) if device.type == "cuda" and processes.world == 1 else None
