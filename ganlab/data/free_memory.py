"""How much memory is free, where samples, weights and activations are to live."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["control_group_memory", "free_memory"]

_ROOT = Path("/")


def free_memory(device: torch.device) -> int | None:
    """Return the bytes of a device's memory that can still be had; `None` where nobody knows.

    On the CPU that is what the machine has available, within the limits of the control groups
    (containers, Slurm jobs) and of `ulimit -v`.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    available = _kilobytes(_ROOT / "proc/meminfo", "MemAvailable:")
    if available is None:
        return None
    return max(0, min([available, *control_group_memory(), *_address_space()]))


def control_group_memory(root: Path = _ROOT) -> Iterator[int]:
    """Yield the bytes that each limited control group around this process has left.

    What its files hold in the page cache counts as left, since the kernel takes it back.

    Args:
        root: the file system that holds `proc/` and `sys/`.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, limit, usage, files = (
                root / "sys/fs/cgroup",
                "memory.max",
                "memory.current",
                ("inactive_file", "active_file"),
            )
        elif "memory" in controllers.split(","):
            base, limit, usage, files = (
                root / "sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                ("total_inactive_file", "total_active_file"),
            )
        else:
            continue
        group = base / path.strip("/")
        for directory in (group, *group.parents):
            most, used = _text(directory / limit).strip(), _text(directory / usage).strip()
            if most.isdecimal() and used.isdecimal():
                cached = sum(_counter(directory / "memory.stat", kind) for kind in files)
                yield int(most) - int(used) + cached
            if directory == base:
                break


def _address_space() -> Iterator[int]:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _kilobytes(_ROOT / "proc/self/status", "VmSize:")
    if limit != resource.RLIM_INFINITY and used is not None:
        yield limit - used


def _kilobytes(file: Path, name: str) -> int | None:
    count = _counter(file, name, absent=-1)
    return None if count < 0 else count * 1024


def _counter(file: Path, name: str, absent: int = 0) -> int:
    """Return the number behind a name in a file of such lines."""
    for line in _text(file).splitlines():
        words = line.split()
        if words[:1] == [name]:
            return int(words[1])
    return absent


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
