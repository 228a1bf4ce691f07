"""The `torch-export` feature extractor."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_pretrained_vit.preprocessing import Preprocessing

__all__ = ["ExportedFeatures"]

IMAGES_AT_ONCE = 32
"""Images in the network together, where the program leaves their number open."""


class ExportedFeatures(FeatureExtractor):
    """What a user's network says of an image.

    Args:
        image: what an image is.
        path: file that `torch.export.save` wrote: `(N, channels, side, side)` to `(N, d)`.
        channels: that the network reads, 1 or 3; gray is repeated.
        preprocessing: to what it reads.
        definition: all of the options that the features depend on, beside the file.

    Raises:
        ComponentError: the file cannot be read or is no such program, or images have other channels.
    """

    def __init__(
        self, image: ImageSpec, path: Path, channels: int, preprocessing: Preprocessing, definition: str
    ) -> None:
        if channels == 2 or image.channels not in (1, channels):
            raise ComponentError(
                f"has {channels} number{'s' * (channels > 1)}, one for each channel that the network reads, "
                f"and these are {image}; networks of gray images have 1, those of RGB 3",
                option="mean",
            )
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ComponentError(
                f"cannot read {path}: {error.strerror or error}", option="program"
            ) from error
        self._path = path
        self._program = _loaded(content, path)
        self._module = self._program.module()
        self._device = torch.device("cpu")
        self._batch = _fixed_batch(self._program)
        self._channels = channels
        self._preprocess = preprocessing
        self._content = f"torch-export, version 1: {definition} {hashlib.sha256(content).hexdigest()}"
        # It becomes a part of tags.
        self.protocol = re.sub(r"[^\w.-]+", "-", path.stem).strip("-")

    @torch.no_grad()
    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, d)`.

        Raises:
            ComponentError: the program does not take such images, or does not return `(N, d)`.
            TypeError: the images are not uint8.
        """
        self._move_to(samples.device)
        pieces = torch.split(samples, self._batch or IMAGES_AT_ONCE)
        return torch.cat([self._features(self._preprocess(piece)) for piece in pieces])

    def fingerprint(self) -> str:
        """Return a digest of the definition's version, the options and the file."""
        return hashlib.sha256(self._content.encode()).hexdigest()

    def _move_to(self, device: torch.device) -> None:
        if device != self._device:
            self._program = move_to_device_pass(self._program, device)
            self._module = self._program.module()
            self._device = device

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        count = len(images)
        images = images.expand(-1, self._channels, -1, -1)
        if self._batch is not None and count < self._batch:
            # A program of a fixed batch sees the last image again and again.
            images = torch.cat([images, images[-1:].expand(self._batch - count, -1, -1, -1)])
        try:
            features = self._module(images.contiguous())
        except Exception as error:  # A user's program fails in any way.
            raise ComponentError(
                f"{self._path} does not take images of {tuple(images.shape)}: {error}", option="program"
            ) from error
        if (
            not isinstance(features, torch.Tensor)
            or features.shape[:1] != images.shape[:1]
            or features.ndim != 2
        ):
            found = tuple(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
            raise ComponentError(
                f"{self._path} makes {found} of images of {tuple(images.shape)}; export a network that "
                f"returns one tensor, ({len(images)}, features)",
                option="program",
            )
        return features[:count].float()


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
