"""Statistics of real samples on disk, keyed by the content they were computed from."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ganlab.files import write_atomically

__all__ = ["StatisticsCache"]

FORMAT = 1
"""Raised whenever what a key stands for, or how it is computed, changes."""

logger = logging.getLogger(__name__)


class StatisticsCache:
    """Named tensors by content key, one checksummed safetensors file each.

    A cache is a convenience: a file that is damaged, and a directory that cannot be
    written, cost a computation and a log line, never a run.

    Args:
        directory: where the files lie; made on first use.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, key: Mapping[str, Any]) -> Path:
        """Return the file for a key of strings, numbers, lists and mappings."""
        content = json.dumps({"format": FORMAT, **key}, sort_keys=True)
        return self._directory / f"{hashlib.sha256(content.encode()).hexdigest()[:32]}.safetensors"

    def load(self, key: Mapping[str, Any]) -> dict[str, torch.Tensor] | None:
        """Return the tensors stored under a key; `None` if there are none, or they are damaged."""
        path = self.path(key)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                checksum = (file.metadata() or {}).get("checksum")
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError) as error:
            logger.warning("computing again what %s should hold: %s", path, error)
            return None
        if checksum != _checksum(tensors):
            logger.warning("computing again what %s should hold: its checksum is wrong", path)
            return None
        return tensors

    def save(self, key: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Store tensors under a key; a reader sees all of them or none."""
        path = self.path(key)
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, save(whole, metadata={"checksum": _checksum(whole)}))
        except OSError as error:
            logger.warning("reference statistics are not kept for the next run: %s", error)


def _checksum(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
