"""Whole runs of a generator that replays its training set, and of one that has collapsed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fresh_process import ganlab
from PIL import Image

from ganlab.config.loader import load_experiment
from ganlab.data.preparation import prepare

pytestmark = pytest.mark.slow

REPLAYING = '''
"""A generator that has learned its training set by heart."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ganlab import GeneratorComponent, Options, hookimpl


class ReplayingOptions(Options):
    images: Path
    """uint8 `(n, C, H, W)` as `.npy`."""


class Replaying(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.register_buffer("images", torch.from_numpy(images))
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, latents):
        rows = (torch.special.ndtr(latents[:, 0]) * len(self.images)).long()
        images = self.images[rows.clamp(max=len(self.images) - 1)]
        return images.float() / 127.5 - 1 + 0 * self.gain


@hookimpl
def ganlab_generators():
    yield GeneratorComponent(
        name="replaying",
        summary="Replays images",
        options=ReplayingOptions,
        build=lambda options, image, latent: Replaying(np.load(options.images)),
    )
'''

EXPERIMENT = """
title = "Replaying"
plugins = ["./replaying.py"]
[image]
size = 32
[dataset]
{dataset}
holdout = 0.3
[generator]
name = "replaying"
images = "images.npy"
[[losses]]
name = "mmd"
[training]
steps = 1
batch_size = 8
[[evaluators]]
name = "memorisation"
samples = {samples}
[[evaluators]]
name = "diversity"
samples = {samples}
[[evaluators]]
name = "nearest-neighbour-test"
samples = {samples}
[[evaluators]]
name = "precision-recall"
samples = {samples}
[[evaluators]]
name = "density-coverage"
samples = {samples}
"""
SAMPLES = 200
FACES = 'name = "faces"\ncount = 600'
Measured = dict[str, dict[str, Any]]


@pytest.fixture(params=["faces", pytest.param("celeba", marks=pytest.mark.real_data)])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A `[dataset]` table of 600 drawn or photographed faces."""
    if request.param == "faces":
        return FACES
    archive = request.getfixturevalue("real_data") / "celeba" / "img_align_celeba.zip"
    folder = tmp_path / "photographs"
    folder.mkdir()
    with zipfile.ZipFile(archive) as images:
        for name in sorted(name for name in images.namelist() if name.endswith(".jpg"))[:600]:
            Image.open(io.BytesIO(images.read(name))).save(folder / Path(name).with_suffix(".png").name)
    return 'name = "image-folder"\nroot = "photographs"'


def run(tmp_path: Path, dataset: str, keep: int | None) -> Measured:
    """Return what was measured of a generator that replays so many training images."""
    (tmp_path / "replaying.py").write_text(REPLAYING)
    (tmp_path / "x.toml").write_text(EXPERIMENT.format(dataset=dataset, samples=SAMPLES))
    np.save(tmp_path / "images.npy", np.zeros((1, 3, 32, 32), np.uint8))
    data = prepare(load_experiment(tmp_path / "x.toml"), progress=False)
    np.save(tmp_path / "images.npy", data.store.gather(data.split.training[:keep]).numpy())
    result = ganlab("run", "x.toml", "--runs", "runs", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (directory,) = (tmp_path / "runs").glob("*/*/")
    lines = map(json.loads, (directory / "evaluations.jsonl").read_text().splitlines())
    return {f"{line['evaluator']}.{line['metric']}": line for line in lines}


def accusations(measured: Measured) -> dict[str, str]:
    """Return the loud warnings, by metric."""
    return {
        name: warning
        for name, line in measured.items()
        for warning in line["warnings"]
        if warning.startswith(("MEMORISATION", "COLLAPSED"))
    }


def test_a_generator_that_replays_its_training_set_is_caught(tmp_path: Path, dataset: str) -> None:
    measured = run(tmp_path, dataset, keep=None)
    assert measured["memorisation.copies"]["value"] == 1.0
    assert measured["memorisation.ratio"]["value"] < 0.01 and measured["memorisation.ratio"]["floor"] == 1.0
    said = accusations(measured)
    assert "diversity.diversity" not in said
    assert "200 of 200 generated samples are copies of training samples" in said["memorisation.ratio"]
    # Nearest neighbours are wrong more often than chance, and what measures likeness alone is content.
    assert measured["nearest-neighbour-test.accuracy"]["value"] < 0.45
    precision = measured["precision-recall.precision"]
    assert precision["value"] > precision["floor"] - 0.1


def test_a_generator_that_repeats_three_images_is_caught(tmp_path: Path, dataset: str) -> None:
    measured = run(tmp_path, dataset, keep=3)
    said = accusations(measured)
    assert said.keys() == {"memorisation.ratio", "diversity.diversity"}
    assert "100% of 200 generated samples have a twin" in said["diversity.diversity"]
    assert "as if drawn from 3 distinct ones" in said["diversity.diversity"]
    assert measured["diversity.duplicates"]["value"] == 1.0
    assert measured["diversity.diversity"]["value"] < 0.9
    assert measured["precision-recall.recall"]["value"] < 0.05
    assert measured["density-coverage.coverage"]["value"] < 0.3
    # Copies of an image that is in the real bank too are as near to it as to each other.
    assert measured["nearest-neighbour-test.accuracy-fake"]["value"] > 0.6
