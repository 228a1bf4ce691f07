"""Programs that `torch.export` wrote."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass

from ganlab import ComponentError

__all__ = ["TorchProgram"]

TRAINING = ("train", "training", "use_input_stats")
"""What operators call the argument that says that they are in training mode."""


class TorchProgram:
    """A program, on whatever device the images are.

    Args:
        path: file that `torch.export.save` wrote.
        channels: that images have.
        side: that images have.

    Raises:
        ComponentError: the file cannot be read or is no such program, or it reads other images, returns
            something else than `(N, d)`, or was written in training mode.
    """

    identity = "torch-export, version 1"

    def __init__(self, path: Path, channels: int, side: int) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ComponentError(
                f"cannot read {path}: {error.strerror or error}", option="program"
            ) from error
        self._program = _loaded(content, path)
        images = _images_read(self._program, path, channels, side)
        _require_features(self._program, path)
        _require_evaluation(self._program, path)
        self.fewest, self.most = _batch(self._program, images)
        self._module = self._program.module()
        self._device = torch.device("cpu")
        self.digest = hashlib.sha256(content).hexdigest()

    def __call__(self, images: torch.Tensor) -> object:
        """Return what the program makes of float32 images `(N, channels, side, side)`."""
        if images.device != self._device:
            self._program = move_to_device_pass(self._program, images.device)
            self._module = self._program.module()
            self._device = images.device
        return self._module(images)


def _loaded(content: bytes, path: Path) -> ExportedProgram:
    try:
        with _silent("torch.export"):
            return torch.export.load(io.BytesIO(content))
    except Exception as error:  # What reads it stumbles in any way.
        raise ComponentError(
            f"{path} is {_kind(content)}not a program that torch.export.save wrote, of this version of "
            f"PyTorch ({torch.__version__}) or a somewhat older one",
            option="program",
        ) from error


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Keep a logger quiet: it prints the traceback of what is raised as well."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _kind(content: bytes) -> str:
    """Return what a file is instead, as the beginning of a sentence; empty where nothing can be told."""
    try:
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    except zipfile.BadZipFile:
        return ""
    if any(name.endswith("/constants.pkl") for name in names):
        return "TorchScript (torch.jit.save), "
    if any(name.endswith("/data.pkl") for name in names):
        return "what torch.save wrote, weights without their network or a pickled module, "
    return ""


def _images_read(program: ExportedProgram, path: Path, channels: int, side: int) -> torch.Tensor:
    """Return a stand-in for the images that the program reads, if it reads such images."""
    names = set(program.graph_signature.user_inputs)
    read = [
        node.meta.get("val")
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names
    ]
    images = read[0] if len(read) == 1 else None
    if not isinstance(images, torch.Tensor) or images.ndim != 4 or images.dtype != torch.float32:
        found = ", ".join(map(_described, read))
        raise ComponentError(
            f"{path} reads {found or 'nothing'}; features need one input, "
            "float32 (N, channels, height, width)",
            option="program",
        )
    fixed = [size if isinstance(size, int) else None for size in images.shape[1:]]
    if fixed[0] not in (None, channels):
        raise ComponentError(
            f"has {channels} number{'s' * (channels > 1)}, one for each channel, and {path} reads "
            f"{_described(images)}, where the second is the number of channels",
            option="mean",
        )
    if any(size not in (None, side) for size in fixed[1:]):
        raise ComponentError(f"is {side}, and {path} reads {_described(images)}", option="size")
    return images


def _require_features(program: ExportedProgram, path: Path) -> None:
    (output,) = (node for node in program.graph.nodes if node.op == "output")
    names = set(program.graph_signature.user_outputs)
    made = [node.meta.get("val") for node in output.args[0] if getattr(node, "name", None) in names]
    if len(made) != 1 or not isinstance(made[0], torch.Tensor) or made[0].ndim != 2:
        raise ComponentError(
            f"{path} returns {', '.join(map(_described, made)) or 'nothing'}; export a network that returns "
            "one tensor, (N, features)",
            option="program",
        )


def _require_evaluation(program: ExportedProgram, path: Path) -> None:
    for node in program.graph.nodes:
        for number, argument in enumerate(getattr(getattr(node.target, "_schema", None), "arguments", ())):
            given = node.args[number] if number < len(node.args) else node.kwargs.get(argument.name)
            if argument.name in TRAINING and given is True:
                raise ComponentError(
                    f"{path} was exported in training mode ({node.target.name()}), and its features would "
                    "depend on the batch or on chance; call network.eval() before torch.export.export",
                    option="program",
                )


def _batch(program: ExportedProgram, images: torch.Tensor) -> tuple[int, int | None]:
    """Return how few and how many images the program takes at once."""
    size = images.shape[0]
    if isinstance(size, int):
        return size, size
    allowed = program.range_constraints.get(size.node.expr)
    if allowed is None:
        return 1, None
    return max(1, int(allowed.lower)), int(allowed.upper) if allowed.upper.is_Integer else None


def _described(value: object) -> str:
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"({', '.join(str(size) if isinstance(size, int) else '?' for size in value.shape)})"
