"""What is not finite stops the run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from trials import checkpoint, experiment, ganlab, state

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]


BROKEN = """
from ganlab import Loss, LossComponent, hookimpl


class Broken(Loss):
    def generator(self, game):
        return game.fake.mean() * (float("nan") if game.step == 5 else 0.0)


@hookimpl
def ganlab_losses():
    yield LossComponent(name="broken", summary="Not a number in step 6", build=lambda options: Broken())
"""


def test_what_is_not_finite_stops_the_run_and_moves_no_weight(
    tmp_path: Path, device: str, record_property: Record
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "x.toml").write_text(
        'plugins = ["./broken.py"]\n' + experiment(device, more='[[losses]]\nname = "broken"\n')
    )
    done = ganlab("run", "x.toml", cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "step 6" in done.stderr and "loss/generator/broken" in done.stderr
    record_property("it says", done.stderr.strip().splitlines()[-1])
    (run,) = (tmp_path / "runs").glob("*/*/")
    assert state(run)["status"] == "diverged"
    assert checkpoint(run).name.endswith("4")
    assert all(
        torch.isfinite(tensor).all()
        for tensor in load_file(checkpoint(run) / "generator.safetensors").values()
    )
    left = json.loads((run / "logs" / "divergence.json").read_text())
    weights = [part["largest_weight"] for part in left["weights"].values()]
    assert weights and all(weight is not None and math.isfinite(weight) for weight in weights)
