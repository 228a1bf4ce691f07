"""From host memory to an accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["copies_from_pinned", "pinned", "to_device"]


def copies_from_pinned(device: torch.device) -> bool:
    """Return whether copies to a device need not be waited for where they are from pinned memory."""
    return device.type == "cuda"


def pinned(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a CPU tensor where a copy to a device need not wait for the host: pinned, for CUDA."""
    return tensor.pin_memory() if copies_from_pinned(device) else tensor


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor on a device, without waiting for CUDA to be done with earlier work.

    Only from pinned memory, which torch uses for nothing else until the copy is done: on other devices a
    copy that is not waited for may read what has been overwritten by then, as on MPS.
    """
    if not copies_from_pinned(device) or tensor.device.type != "cpu":
        return tensor.to(device)
    return pinned(tensor, device).to(device, non_blocking=True)
