"""Fakes are made for the labels of the real batch that they meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganlab.commands.cli import run

pytestmark = pytest.mark.slow

PLUGIN = '''
"""A relativistic loss that wants pairs of one class."""

import torch
from torch.nn.functional import softplus

from ganlab import Loss, LossComponent, hookimpl


def paired(game):
    fake, real = game.fake_labels, game.real_labels
    assert torch.equal(real, fake), "a pair of two classes"
    assert len(set(real.tolist())) > 1


class Pairs(Loss):
    def discriminator(self, game):
        paired(game)
        return softplus(game.fake_logits - game.real_logits).mean()

    def generator(self, game):
        paired(game)
        return softplus(game.real_logits - game.fake_logits).mean()


@hookimpl
def ganlab_losses():
    needs = frozenset({"discriminator"})
    yield LossComponent(name="pairs", summary="Pairs", build=lambda options: Pairs(), needs=needs)
'''

EXPERIMENT = """
title = "Pairs"
plugins = ["pairs.py"]
trackers = []
[dataset]
name = "gaussians"
count = 50
labels = true
[latent]
dim = 2
[generator]
name = "mlp"
width = 8
[discriminator]
name = "mlp"
width = 8
[[losses]]
name = "pairs"
[training]
steps = 5
batch_size = 16
"""


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["training.reuse_fakes=false"],
        ["training.microbatch_size=8"],
        ["training.discriminator_steps=2", "training.generator_steps=2"],
    ],
    ids=str,
)
def test_a_pair_is_of_one_class_in_every_turn(tmp_path: Path, changes: list[str]) -> None:
    (tmp_path / "pairs.py").write_text(PLUGIN)
    (tmp_path / "x.toml").write_text(EXPERIMENT)
    arguments = [part for change in changes for part in ("--set", change)]
    assert run(["run", str(tmp_path / "x.toml"), "--runs", str(tmp_path / "runs"), *arguments]) == 0
