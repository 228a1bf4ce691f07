"""Programs that `torch.export` wrote."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass

from ganlab import ComponentError

__all__ = ["TorchProgram"]


class TorchProgram:
    """A program, on whatever device the images are.

    Args:
        path: file that `torch.export.save` wrote.

    Raises:
        ComponentError: the file cannot be read or is no such program.
    """

    identity = "torch-export, version 1"

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ComponentError(
                f"cannot read {path}: {error.strerror or error}", option="program"
            ) from error
        self._program = _loaded(content, path)
        self._module = self._program.module()
        self._device = torch.device("cpu")
        self.digest = hashlib.sha256(content).hexdigest()
        self.batch = _fixed_batch(self._program)

    def __call__(self, images: torch.Tensor) -> object:
        """Return what the program makes of float32 images `(N, channels, side, side)`."""
        if images.device != self._device:
            self._program = move_to_device_pass(self._program, images.device)
            self._module = self._program.module()
            self._device = images.device
        return self._module(images)


def _loaded(content: bytes, path: Path) -> ExportedProgram:
    try:
        return torch.export.load(io.BytesIO(content))
    except Exception as error:  # What reads it stumbles in any way.
        raise ComponentError(
            f"{path} is not a program that torch.export.save wrote, of this version of PyTorch "
            f"({torch.__version__}) or a somewhat older one",
            option="program",
        ) from error


def _fixed_batch(program: ExportedProgram) -> int | None:
    """Return the number of images that the program insists on; `None` where any will do."""
    inputs = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in inputs:
            value = node.meta.get("val")
            if isinstance(value, torch.Tensor) and value.ndim == 4:
                return value.shape[0] if isinstance(value.shape[0], int) else None
    return None
