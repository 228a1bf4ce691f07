"""A small version of tests/benchmarks/validate_features.py, on drawn faces."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import ganlab_features
from ganlab import ImageSpec

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from corruptions import CORRUPTIONS, Stock
from validate_features import Samples, held_out_sets, load, validate

SPEC = ImageSpec(3, 32, 32)


@pytest.fixture(scope="module")
def faces() -> Samples:
    return load('name = "faces"\ncount = 900\nlabels = "glasses"', 32, 3)


# With so few images only what the extractor sees well; docs/features.md tells the rest.
DAMAGES = {
    "wavelet": ["noise", "blur", "rectangles", "salt-and-pepper", "colour shift"],
    "random-conv": ["rectangles", "salt-and-pepper"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DAMAGES))
def test_distances_rise_with_damage(name: str, faces: Samples) -> None:
    component = next(each for each in ganlab_features.ganlab_features() if each.name == name)
    extractor = component.build(component.options(), SPEC)
    sets = held_out_sets(faces, faces.images.flip(2), reference=300, count=150, seeds=4)
    variation, outcomes = validate(extractor, faces.images[:300], sets, DAMAGES[name])
    assert max(variation.values()) < 0.3
    for what, outcome in outcomes.items():
        assert outcome.tau >= 0.9, f"{what}: {outcome}"
    # The deviation of four sets is a rough one: ask for the mildest where there is much to spare.
    assert outcomes["rectangles", "MMD²"].z > 3
    if name == "wavelet":
        assert outcomes["colour shift", "MMD²"].z > 1.5


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_damage_grows_with_its_level_and_spares_the_original(name: str, faces: Samples) -> None:
    stock = Stock(faces.images[:60], faces.labels[:60], faces.images[60:120])
    before = stock.images.clone()
    series = CORRUPTIONS[name]
    changes = []
    for level in series.levels:
        damaged = series.corrupt(stock, level, torch.Generator().manual_seed(0))
        assert damaged.shape == before.shape and damaged.dtype == torch.uint8
        changes.append(float((damaged.float() - before.float()).abs().mean()))
    assert torch.equal(stock.images, before)
    assert changes[0] > 0 and changes == sorted(changes)
