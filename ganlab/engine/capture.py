"""Recording what functions have a GPU do, as CUDA graphs."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
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
        self._failed: list[torch.cuda.CUDAGraph] = []

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
            try:
                for graph, function in zip(graphs, functions, strict=True):
                    with self._recording(graph, pool):
                        function()
            except BaseException:
                self._recover(graphs, pool)
                raise
        return [graph.replay for graph in graphs]

    def _recording(self, graph: torch.cuda.CUDAGraph, pool: torch.cuda._POOL_HANDLE) -> torch.cuda.graph:
        # Of this thread alone: another one may pin memory meanwhile, as a loader's does.
        return torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local")

    def _recover(self, graphs: Sequence[torch.cuda.CUDAGraph], pool: torch.cuda._POOL_HANDLE) -> None:
        """Have torch take none of its parts for recorded any more.

        Before 2.12, where a recording's end fails, its allocator and its generator never hear of it: from
        then on nothing can be drawn at random on the GPU, and no other graph can be replayed.
        """
        self._failed += graphs  # kept, since the allocator of pinned memory may go on asking them
        for graph in graphs:
            graph.reset()
        with suppress(RuntimeError, AttributeError):  # it mostly has heard
            torch._C._cuda_endAllocateToPool(torch.cuda.current_device(), pool)
        with suppress(RuntimeError):  # the generator hears of any recording that ends well
            number = torch.zeros((), device=self._device)
            with self._recording(torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()):
                number.zero_()

    def _warm_up(self, functions: Sequence[Callable[[], None]]) -> None:
        self._stream.wait_stream(torch.cuda.current_stream())
        before = torch.cuda.get_sync_debug_mode()
        try:
            with torch.cuda.stream(self._stream):
                for count in range(_WARM_UPS):
                    if count == _WARM_UPS - 1:
                        # A host that waits is told here, before it spoils a recording.
                        _refuse_to_wait()
                    for function in functions:
                        function()
        finally:
            torch.cuda.set_sync_debug_mode(before)
            torch.cuda.current_stream().wait_stream(self._stream)


def _refuse_to_wait() -> None:
    with warnings.catch_warnings():  # that it does not see all that waits: a recording does
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")


def capture_for(device: torch.device, processes: Processes) -> Capture | None:
    """Return what records turns on a device, or `None` where nothing can."""
    return CudaCapture(device) if device.type == "cuda" and processes.world == 1 else None
