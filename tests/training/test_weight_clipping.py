"""Weights that are clamped after each update."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine.engine import Engine

RING = """
title = "Ring"
[dataset]
name = "gaussians"
count = 100
[latent]
dim = 2
[generator]
name = "mlp"
width = 8
[discriminator]
name = "mlp"
width = 8
[[losses]]
name = "wasserstein"
[training]
steps = 2
batch_size = 8
[optimizer.discriminator]
name = "{name}"
clip_weights = 0.0625
"""


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_no_weight_of_that_player_is_larger(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.toml").write_text(RING.format(name=name))
    experiment = load_experiment(tmp_path / "x.toml")
    engine = Engine.build(experiment, prepare(experiment))
    engine.advance()
    largest = {
        name: max(float(weight.detach().abs().max()) for weight in player.parameters)
        for name, player in engine.players.items()
    }
    assert largest["discriminator"] == 0.0625
    assert largest["generator"] > 0.0625
