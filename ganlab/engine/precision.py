"""Which device to train on, and in which precision."""

from __future__ import annotations

import contextlib
from typing import Literal

import torch

from ganlab.errors import UsageError
from ganlab.processes import Processes

__all__ = ["autocast", "choose_device", "choose_precision", "has_native_bf16", "names_one_gpu"]


def choose_device(wish: str, processes: Processes | None = None) -> torch.device:
    """Return the device that `[training] device` means: for `auto`, CUDA if there is any.

    Where several processes share a run, `cuda` is the GPU of each one's local rank, and `cuda:1` one
    that they share.

    Raises:
        UsageError: the device that was asked for is not there.
    """
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(wish)
    if processes and processes.world > 1 and wish == "cuda":
        _require_gpus(processes)
        device = torch.device("cuda", processes.local_rank)
    if device.type == "cuda" and (device.index or 0) >= _usable_gpus():
        raise UsageError(
            f"the device {wish!r} was asked for, but torch {torch.__version__} finds "
            f'{_usable_gpus()} CUDA devices here; use "auto" or "cpu"'
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError('the device \'mps\' was asked for, but there is none here; use "auto" or "cpu"')
    return device


def names_one_gpu(wish: str) -> bool:
    """Return whether `[training] device` means the same GPU to all processes of a machine."""
    return wish.startswith("cuda:")


def has_native_bf16(device: torch.device) -> bool:
    """Return whether the hardware multiplies bfloat16 itself, rather than emulating it slowly."""
    if device.type == "cuda":
        with torch.cuda.device(device):  # the current one is asked
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        if not hasattr(torch.cpu, "get_capabilities"):  # torch < 2.11
            return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "sve_bf16", "bf16"))
    return False


def choose_precision(
    wish: Literal["auto", "fp32", "bf16"], device: torch.device, bounded: bool
) -> torch.dtype:
    """Return the type that networks compute in; weights, losses and metrics are float32 always.

    Args:
        wish: `[training] precision`.
        device: what they compute on.
        bounded: whether samples lie in [-1, 1], as images do. Others may lie closer to each other than
            bf16 can tell apart, which has neighbours 1/32 from each other from 4 on: `auto` keeps them
            in float32.
    """
    if wish == "auto":
        wish = "bf16" if bounded and has_native_bf16(device) else "fp32"
    return torch.bfloat16 if wish == "bf16" else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    """Return a context in which networks compute in `dtype`."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)


def _usable_gpus() -> int:
    """Return how many GPUs there are; 0 where torch counts some that the driver is too old for."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _require_gpus(processes: Processes) -> None:
    """Make sure that there is a GPU for each process here, which all of them find out alike.

    Raises:
        UsageError: there are fewer.
    """
    if processes.local_world > _usable_gpus():
        raise UsageError(
            f"{processes.local_world} processes share a run on this machine, where torch {torch.__version__} "
            f"finds {_usable_gpus()} CUDA devices: start at most one process for each (--nproc-per-node), or "
            'let them share one by its number, as in training.device = "cuda:0"'
        )
