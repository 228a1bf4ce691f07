"""What stands in for CUDA graphs on the CPU: the kernels of a function, run again on the same tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["record"]

WARM_UPS = 3


class _Kernels(TorchDispatchMode):
    """Notes each kernel with the very tensors that it reads and writes.

    As a recording of a GPU, it has no part in what the host does: numbers that the host draws stay what
    they were, and a host that asks for a number spoils it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._noted: list[tuple[Any, Any, Any, list[torch.Tensor]]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        result = function(*args, **kwargs)
        if torch.Tag.nondeterministic_seeded not in function.tags and "record_function" not in str(function):
            read = {tensor.untyped_storage().data_ptr() for tensor in _tensors((args, kwargs))}
            new = [each for each in _tensors(result) if each.untyped_storage().data_ptr() not in read]
            self._noted.append((function, args, kwargs, new))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        """Run all kernels again; what they made before gets its new content."""
        for function, args, kwargs, new in self._noted:
            read = {tensor.untyped_storage().data_ptr() for tensor in _tensors((args, kwargs))}
            result = function(*args, **kwargs)
            made = [each for each in _tensors(result) if each.untyped_storage().data_ptr() not in read]
            for there, now in zip(new, made, strict=True):
                there.copy_(now)


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def record(functions: Sequence[Callable[[], None]]) -> list[Callable[[], None]]:
    """Return for each function what replays it."""
    for _ in range(WARM_UPS):
        for function in functions:
            function()
    replays: list[Callable[[], None]] = []
    for function in functions:
        with _Kernels() as kernels:
            function()
        replays.append(kernels.replay)
    return replays
