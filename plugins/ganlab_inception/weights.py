"""The published weights: where they are, and whether a file holds them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ganlab import ComponentError, PublishedFile, ReadFile
from ganlab_inception.network import parameter_shapes

__all__ = ["PUBLISHED", "Weights", "read_weights"]

_NAME = "pt_inception-2015-12-05-6726825d.pth"
PUBLISHED = PublishedFile(
    "FID's Inception network",
    (
        f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{_NAME}",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    ),
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    megabytes=96,
)


@dataclass(frozen=True)
class Weights:
    """What was read from a file of weights.

    Attributes:
        state: tensors by their published names.
        sha256: of the file, in hex.
    """

    state: Mapping[str, torch.Tensor]
    sha256: str


def read_weights(path: Path | None, sha256: str | None, *, download: bool) -> Weights:
    """Return the weights, from a user's file or else from the cache.

    Args:
        path: the user's file; the cache's where it is left out.
        sha256: hex digest of that file, where it is not the published one.
        download: fetch the published file into the cache if it is not there.

    Raises:
        ComponentError: there is no such file, it is not the one that was meant, or it is not
            a state dict of this network.
    """
    file = PUBLISHED.read(path, sha256, download=download)
    return Weights(_parse(file), file.sha256)


def _parse(file: ReadFile) -> Mapping[str, torch.Tensor]:
    try:
        state = torch.load(io.BytesIO(file.content), map_location="cpu", weights_only=True)
    except Exception as error:  # The unpickler runs what the file says, and stumbles in any way.
        raise ComponentError(
            f"{file.path} is not a file of tensors as torch.save writes it", option="weights"
        ) from error
    problems = list(_problems(state)) if isinstance(state, dict) else ["it holds no state dict"]
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ComponentError(
            f"{file.path} does not fit FID's Inception (TensorFlow's of 2015-12-05; torchvision's own "
            f"weights are another network's): {'; '.join(problems[:3])}{more}",
            option="weights",
        )
    return {name: state[name] for name in parameter_shapes()}


def _problems(state: Mapping[str, object]) -> list[str]:
    shapes = parameter_shapes()
    problems = []
    for name, shape in shapes.items():
        tensor = state.get(name)
        if not isinstance(tensor, torch.Tensor):
            problems.append(f"{name} is missing")
        elif tuple(tensor.shape) != shape:
            problems.append(f"{name} has shape {tuple(tensor.shape)}, not {shape}")
        elif not bool(torch.isfinite(tensor).all()):
            problems.append(f"{name} is not finite")
    # The count of training batches says nothing about features.
    counted = {name for name in state if str(name).endswith(".num_batches_tracked")}
    return problems + [
        f"{name} is not part of it" for name in state if name not in shapes and name not in counted
    ]
