"""Arithmetic that is the same whatever is switched on around it: what metrics are computed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

__all__ = ["exact_arithmetic"]


@contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Compute in full float32, deterministically and without gradients, whatever the caller has on.

    No autocast, no TF32, and of cuDNN the algorithms that give the same bits every time.

    Args:
        device: where it is computed.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        _full_float32(stack)
        if device.type == "cuda":
            _set(stack, torch.backends.cudnn, "benchmark", False)
            _set(stack, torch.backends.cudnn, "deterministic", True)
        yield


def _full_float32(stack: ExitStack) -> None:
    """Leave TF32 and bfloat16 out of float32 products until the stack is unwound.

    torch has two sets of switches. Reading the older one raises where the newer has set something
    that the older cannot say, so then it stays as it is; where it can be read, it is set, too, for
    the sake of libraries that read it.
    """
    backends: Any = torch.backends
    products = (
        backends.cuda.matmul,
        backends.cudnn.conv,
        backends.cudnn.rnn,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
        backends.mkldnn.rnn,
    )
    for product in products:  # last to be put back, since the older switches move these, too
        stack.callback(setattr, product, "fp32_precision", product.fp32_precision)
    matmul = _readable(torch.get_float32_matmul_precision)
    if matmul not in (None, "highest"):
        stack.callback(torch.set_float32_matmul_precision, matmul)
        torch.set_float32_matmul_precision("highest")
    if _readable(lambda: backends.cudnn.allow_tf32):
        _set(stack, backends.cudnn, "allow_tf32", False)
    for product in products:
        if product.fp32_precision not in ("ieee", "none"):
            product.fp32_precision = "ieee"


def _set(stack: ExitStack, switches: Any, name: str, value: object) -> None:
    stack.callback(setattr, switches, name, getattr(switches, name))
    setattr(switches, name, value)


def _readable(switch: Callable[[], Any]) -> Any:
    """Return where a switch of the older set stands; `None` where it cannot say."""
    try:
        return switch()
    except RuntimeError:
        return None
