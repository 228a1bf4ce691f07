"""The picture of what a discriminator thinks of the plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganlab.commands.cli import run

pytestmark = pytest.mark.slow

PLUGIN = '''
"""A discriminator of the plane whose logits are shifted."""

from torch import nn

from ganlab import DiscriminatorComponent, Options, Verdict, VectorSpec, hookimpl


class ShiftedOptions(Options):
    shift: float = 0.0
    """Added to all logits."""


class Shifted(nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.shift, self.body, self.head = shift, nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, samples):
        features = self.body(samples).tanh()
        return Verdict(self.head(features).squeeze(1) + self.shift, features)


@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(
        name="shifted",
        summary="Two layers",
        options=ShiftedOptions,
        build=lambda options, samples: Shifted(options.shift),
        accepts=(VectorSpec,),
    )
'''

EXPERIMENT = """
title = "Plane"
plugins = ["shifted.py"]
trackers = []
[dataset]
name = "gaussians"
count = 200
[latent]
dim = 2
[generator]
name = "mlp"
width = 8
[discriminator]
name = "shifted"
[training]
steps = 2
batch_size = 16
[samples]
every = 2
[[losses]]
"""


def fields(directory: Path, loss: str, *changes: str) -> list[np.ndarray]:
    directory.mkdir(exist_ok=True)
    (directory / "shifted.py").write_text(PLUGIN)
    (directory / "x.toml").write_text(EXPERIMENT + loss)
    arguments = [part for change in changes for part in ("--set", change)]
    assert run(["run", str(directory / "x.toml"), "--runs", str(directory / "runs"), *arguments]) == 0
    paths = sorted((directory / "runs").glob("*/*/samples/field*.png"))
    return [np.asarray(Image.open(path), np.float64) for path in paths]


def test_a_resumed_run_draws_it_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    rare = ('name = "wasserstein"\nevery = 4', "samples.every=3", "training.steps=7")
    assert len(fields(tmp_path / "whole", *rare)) == 3
    fields(tmp_path / "broken", *rare[:2], "training.steps=5")
    (broken,) = (tmp_path / "broken" / "runs").glob("*/*/")
    assert run(["resume", str(broken), "--set", "training.steps=7"]) == 0
    names = [
        sorted(path.name for path in (tmp_path / each / "runs").glob("*/*/samples/field*.png"))
        for each in ("whole", "broken")
    ]
    assert "field-00000006.png" in names[1] and set(names[0]) <= set(names[1])


def test_losses_that_look_at_features_alone_leave_no_field(tmp_path: Path) -> None:
    assert fields(tmp_path / "features", 'name = "mmd-gan"') == []
    assert fields(tmp_path / "logits", 'name = "mmd-gan"\nspace = "logits"') != []


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
def test_undecided_is_between_real_and_fake_where_losses_have_no_zero(tmp_path: Path, loss: str) -> None:
    (plain,), (shifted,) = (
        fields(tmp_path / str(shift), f'name = "{loss}"', f"discriminator.shift={shift:.1f}")
        for shift in (0, 8)
    )
    assert np.abs(plain - shifted).mean() < 10


def test_undecided_is_what_losses_say(tmp_path: Path) -> None:
    (shifted,) = fields(tmp_path, 'name = "non-saturating"', "discriminator.shift=8.0")
    red, green, _ = shifted.reshape(-1, 3).mean(0)
    assert green > red + 50, "far above zero all of the plane is taken for real"
