"""bfloat16."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from trials import checkpoint, experiment, ganlab, records, train

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]


@pytest.mark.parametrize("precision", ["bf16", "auto"])
def test_bf16(tmp_path: Path, device: str, precision: str, record_property: Record) -> None:
    run = train(tmp_path, experiment(device, precision=precision, count=200))
    assert {tensor.dtype for tensor in load_file(checkpoint(run) / "generator.safetensors").values()} <= {
        torch.float32,
        torch.int64,
    }
    assert all(math.isfinite(value) for tag, value in records(run)[-1].items() if tag.startswith("loss/"))
    done = ganlab("validate", "x.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (line for line in done.stdout.splitlines() if " steps of 16 on " in line)
    record_property(f"precision = {precision!r}", line.strip())
    if precision == "bf16" or (torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)):
        assert "bfloat16" in line
