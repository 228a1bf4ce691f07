"""A small experiment whose components are all in one local plugin file with a helper beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab.config import Experiment, load_experiment

PLUGIN = """
from ganlab import *
import tiny_helper

class Nothing(Options):
    pass

def read_nothing(options, image):
    return None

def build_network(options, image, latent=None):
    from tiny_networks import Generator
    return Generator(latent.dim, image.shape)

@hookimpl
def ganlab_datasets():
    yield DatasetComponent(name="tiny-images", summary=tiny_helper.SUMMARY, build=read_nothing,
                           image=ImageSpec(channels=3, height=4, width=6))
    yield DatasetComponent(name="tiny-vectors", summary=tiny_helper.SUMMARY, build=read_nothing,
                           accepts=(VectorSpec,))

@hookimpl
def ganlab_generators():
    yield GeneratorComponent(name="tiny-generator", summary="One layer", build=build_network,
                             accepts=(ImageSpec, VectorSpec))
    yield GeneratorComponent(name="tiny-conditional", summary="One layer", build=build_network,
                             takes_labels=True)

@hookimpl
def ganlab_losses():
    yield LossComponent(name="tiny-loss", summary="None", build=lambda options: None)
"""

NETWORKS = """
import torch
from torch import nn

class Generator(nn.Module):
    def __init__(self, dim, shape):
        super().__init__()
        self.shape = shape
        self.layer = nn.Linear(dim, torch.Size(shape).numel())

    def forward(self, latents, labels=None):
        samples = torch.tanh(self.layer(latents)).view(-1, *self.shape)
        return samples if labels is None else samples * 0 + labels.view(-1, 1, 1, 1) / 10
"""

EXPERIMENT = """\
# as I wrote it
title = "Größe & 64×64: tiny!"
plugins = ["./ideas/tiny_plugin.py"]
trackers = []
[dataset]
name = "{dataset}"
[latent]
dim = 5
[generator]
name = "{generator}"
[[losses]]
name = "tiny-loss"
[training]
steps = 200
[checkpoint]
keep = 2
"""

Maker = Callable[..., Experiment]


@pytest.fixture
def make_experiment(tmp_path: Path) -> Maker:
    def make(dataset: str = "tiny-images", generator: str = "tiny-generator") -> Experiment:
        ideas = tmp_path / "experiments" / "ideas"
        ideas.mkdir(parents=True, exist_ok=True)
        (ideas / "tiny_plugin.py").write_text(PLUGIN)
        (ideas / "tiny_helper.py").write_text('SUMMARY = "Nothing at all"\n')
        (ideas / "tiny_networks.py").write_text(NETWORKS)
        (ideas / "unrelated.py").write_text("raise RuntimeError\n")
        file = tmp_path / "experiments" / "tiny.toml"
        file.write_text(EXPERIMENT.format(dataset=dataset, generator=generator))
        return load_experiment(file)

    return make


@pytest.fixture
def experiment(make_experiment: Maker) -> Experiment:
    return make_experiment()
