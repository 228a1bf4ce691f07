"""A third kind of sample, which a plugin defines, goes through the core that has never heard of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

PLUGIN = '''
"""Signals: int16 `(length, channels)` in packed data, float `(channels, length)` in [-1, 1] in networks."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from ganlab import *


@dataclass(frozen=True)
class SignalSpec(SampleSpec):
    kind: ClassVar[str] = "signal"
    word: ClassVar[str] = "signals"
    bounded: ClassVar[bool] = True
    row_dtype: ClassVar[str] = "<i2"
    mirror_dim: ClassVar[int | None] = 2

    channels: int
    length: int
    classes: int = 0

    @classmethod
    def small(cls):
        return cls(channels=2, length=16)

    @property
    def shape(self):
        return (self.channels, self.length)

    @property
    def row_shape(self):
        return (self.length, self.channels)

    def to_rows(self, quantised):
        return quantised.transpose(1, 2)

    def from_rows(self, rows):
        return rows.transpose(1, 2)

    def quantise(self, samples):
        return (samples.float() * 1000).round().clamp(-1000, 1000).to(torch.int16)

    def dequantise(self, quantised):
        return quantised.float() / 1000


class Waves(ArraySource):
    """Sines over one channel and cosines over the other."""

    spec = SignalSpec(channels=2, length=16)
    class_names = ("slow", "fast")

    def __len__(self):
        return 60

    def fingerprint(self):
        return "waves"

    def labels(self):
        return np.arange(60, dtype=np.int64) % 2

    def read(self, index):
        turns = np.linspace(0, (1 + index % 2) * 2 * np.pi, 16) + index
        return np.round(900 * np.stack([np.sin(turns), np.cos(turns)], axis=1)).astype("<i2")


class Generator(nn.Module):
    def __init__(self, spec, latent):
        super().__init__()
        self.classes, self.shape = spec.classes, spec.shape
        self.start = nn.Linear(latent.dim + spec.classes, 8 * spec.length)
        self.finish = nn.Conv1d(8, spec.channels, 3, padding=1)

    def forward(self, latents, labels=None):
        if self.classes:
            latents = torch.cat([latents, nn.functional.one_hot(labels, self.classes)], 1)
        return self.finish(self.start(latents).view(len(latents), 8, -1).relu()).tanh()


class Discriminator(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(spec.channels, 8, 3, stride=2), nn.LeakyReLU(0.2), nn.Flatten(), nn.LazyLinear(1)
        )
        self.body(torch.zeros(2, *spec.shape))

    def forward(self, signals):
        return self.body(signals).squeeze(1)


class Spectrum(FeatureExtractor):
    """Magnitudes of the spectrum; the type says that it sees signals as they are kept."""

    def extract(self, samples):
        assert samples.dtype == torch.int16, samples.dtype
        return torch.fft.rfft(samples.float() / 1000).abs().flatten(1)

    def fingerprint(self):
        return "spectrum"


@hookimpl
def ganlab_datasets():
    yield DatasetComponent(
        name="waves", summary="Waves", build=lambda options, image: Waves(), accepts=(SignalSpec,)
    )


@hookimpl
def ganlab_generators():
    yield GeneratorComponent(
        name="waves",
        summary="Convolutions in time",
        build=lambda options, signal, latent: Generator(signal, latent),
        accepts=(SignalSpec,),
        takes_labels=True,
    )


@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(
        name="waves",
        summary="Convolutions in time",
        build=lambda options, signal: Discriminator(signal),
        accepts=(SignalSpec,),
    )


@hookimpl
def ganlab_features():
    yield FeaturesComponent(
        name="spectrum",
        summary="Spectrum",
        build=lambda options, signal: Spectrum(),
        accepts=(SignalSpec,),
    )
'''

EXPERIMENT = """
title = "Waves"
plugins = ["./signals.py"]
[dataset]
name = "waves"
mirror = true
holdout = 0.2
[latent]
dim = 3
[generator]
name = "waves"
[discriminator]
name = "waves"
[[losses]]
name = "hinge"
[[losses]]
name = "r1"
[[evaluators]]
name = "mmd"
features = "spectrum"
samples = 20
every = 4
[training]
steps = 4
batch_size = 8
device = "cpu"
[checkpoint]
best = "mmd"
every = 4
[samples]
every = 4
"""

COMMANDS = """
import sys
from ganlab.commands.cli import run
for line in sys.argv[1:]:
    if code := run(line.split()):
        sys.exit(f"{line}: {code}")
"""

KIT = """
import signals
from ganlab.testing import check_component
for kind in ("datasets", "generators", "discriminators", "features"):
    for component in getattr(signals, f"ganlab_{kind}")():
        check_component(component)
"""


def python(directory: Path, code: str, *arguments: str) -> str:
    """Run code in a process of its own, so that no other test meets the kind; return what it printed."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=directory,
        env={**os.environ, "GANLAB_CACHE": str(directory / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def only(paths: Iterable[Path]) -> Path:
    (path,) = paths
    return path


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the kit has looked at a plugin for signals, and an experiment with them has run."""
    place = tmp_path_factory.mktemp("signals")
    (place / "signals.py").write_text(PLUGIN)
    (place / "waves.toml").write_text(EXPERIMENT)
    python(place, COMMANDS + KIT, "validate waves.toml", "run waves.toml --quiet")
    return place


def test_it_is_packed_in_its_own_type_and_layout(directory: Path) -> None:
    packed = np.load(only((directory / "cache").glob("*/samples.npy")))
    assert packed.dtype == np.int16
    assert packed.shape == (60, 16, 2)
    assert packed[0, 0].tolist() == [0, 900]  # sine and cosine of nothing, which no byte could hold


def test_it_is_trained_on_measured_and_drawn(directory: Path) -> None:
    run = only((directory / "runs").glob("*/*"))
    last = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert (last["step"], last["features"]) == (4, "spectrum")
    assert np.isfinite(last["value"])
    spec = json.loads((run / "checkpoints" / "step-00000004" / "meta.json").read_text())["spec"]
    assert spec == {"kind": "signal", "channels": 2, "length": 16, "classes": 2}
    assert any((run / "samples").glob("fixed-*.png"))


def test_a_process_that_has_not_met_it_samples_and_measures_it(directory: Path) -> None:
    run = only((directory / "runs").glob("*/*"))
    told = python(directory, COMMANDS, "cache", f"sample {run} --count 5 --out waves.npy", f"evaluate {run}")
    assert "samples of the kind 'signal', which a plugin defines" in told
    assert "spectrum" in told
    samples = np.load(directory / "waves.npy")
    assert samples.dtype == np.int16
    assert samples.shape == (5, 16, 2)
    assert 0 < np.abs(samples).max() <= 1000
