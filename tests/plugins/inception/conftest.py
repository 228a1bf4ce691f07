from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from random_network import RandomWeights, random_state


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> RandomWeights:
    state = random_state()
    buffer = io.BytesIO()
    # As published, with one count of batches; the others are missing, as in files of old.
    torch.save({**state, "Conv2d_1a_3x3.bn.num_batches_tracked": torch.tensor(0)}, buffer)
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    path.write_bytes(buffer.getvalue())
    return RandomWeights(path, hashlib.sha256(buffer.getvalue()).hexdigest(), state)
