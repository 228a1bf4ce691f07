"""Losses that remember something go on exactly from a checkpoint."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

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
name = "hinge"
[[losses]]
name = "{name}"
weight = 0.3
every = 2
[training]
steps = 8
batch_size = 8
"""


def weights(engine: Engine) -> bytes:
    file = io.BytesIO()
    torch.save({name: network.state_dict() for name, network in engine.networks.items()}, file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["lecam", "path-length"])
def test_a_checkpoint_has_all_that_decides_how_training_goes_on(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.toml").write_text(RING.format(name=name))
    experiment = load_experiment(tmp_path / "x.toml")
    straight, first, second, forgetful = (Engine.build(experiment, prepare(experiment)) for _ in range(4))
    for _ in range(8):
        straight.advance()
    for _ in range(3):
        first.advance()
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    for engine in (second, forgetful):
        file.seek(0)
        state = torch.load(file, weights_only=True)
        if engine is forgetful:
            state["losses"] = {}
        engine.load_state_dict(state)
        while engine.step < 8:
            engine.advance()
    assert weights(second) == weights(straight)
    assert weights(forgetful) != weights(straight), "it remembers nothing that matters"
