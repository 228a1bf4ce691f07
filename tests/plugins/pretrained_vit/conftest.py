from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

sys.path.insert(0, str(Path(__file__).parent))
from random_vit import State

Options = dict[str, object]


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Options]:
    """Write a state dict; return the options by which it is taken for the weights."""

    def save(state: State, name: str = "weights.pth") -> Options:
        path = tmp_path / name
        if path.suffix == ".safetensors":
            safetensors.torch.save_file(state, path)
        else:
            torch.save(state, path)
        return {"weights": path, "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    return save
