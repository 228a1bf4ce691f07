"""Where the tests of this folder compute."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from trials import experiment, train


@pytest.fixture(scope="session")
def device() -> str:
    """The GPU, as experiments call it; the CPU where `run.sh` rehearses without one."""
    if torch.cuda.is_available():
        return "cuda"
    if os.environ.get("GANLAB_REHEARSE_GPU_TESTS"):
        return "cpu"
    pytest.skip("no CUDA device")


@pytest.fixture(scope="session")
def cuda() -> torch.device:
    """The GPU, for what only that can show."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.device("cuda")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, device: str) -> Path:
    """A finished run's directory."""
    # Enough samples for several packing processes, which are forked when the GPU is in use already.
    return train(tmp_path_factory.mktemp("whole"), experiment(device, count=3000))
