"""On real faces, the worse they are damaged the further `wavelet` says they are."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from ganlab import FeatureBank, ImageSpec
from ganlab.evaluation.standardise import Standardiser
from ganlab_features.wavelet import Wavelet
from ganlab_frechet.evaluator import FrechetEvaluator
from ganlab_mmd.evaluator import MmdEvaluator

pytestmark = pytest.mark.real_data
Damage = Callable[[Image.Image, np.random.RandomState], Image.Image]


@pytest.fixture(scope="module")
def faces(real_data: Path) -> list[Image.Image]:
    with zipfile.ZipFile(real_data / "celeba" / "img_align_celeba.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:800]
        images = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    return [image.resize((32, 32), Image.Resampling.LANCZOS, (0, 10, 89, 99)) for image in images]


def features(images: list[Image.Image]) -> FeatureBank:
    stack = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)
    return FeatureBank(Wavelet(ImageSpec(3, 32, 32)).extract(stack))


def blur(radius: float) -> Damage:
    return lambda image, random: image.filter(ImageFilter.GaussianBlur(radius))


def noise(level: float) -> Damage:
    def add(image: Image.Image, random: np.random.RandomState) -> Image.Image:
        values = np.asarray(image) + random.normal(0, level, (32, 32, 3))
        return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))

    return add


@pytest.mark.slow
@pytest.mark.parametrize(
    "series",
    [[blur(radius) for radius in (0.4, 0.7, 1.2, 2.5)], [noise(level) for level in (4, 8, 16, 40)]],
    ids=["blur", "noise"],
)
def test_distances_rise_with_damage(faces: list[Image.Image], series: list[Damage]) -> None:
    reference, held_out = features(faces[:400]), faces[400:]
    standardiser = Standardiser.fit(reference)
    real = standardiser.apply(reference)
    mmd = MmdEvaluator()
    mmd.prepare(real, None)
    undamaged: Damage = lambda image, random: image  # noqa: E731
    discrepancies, distances, errors = [], [], []
    for damage in [undamaged, *series]:
        random = np.random.RandomState(0)
        fake = standardiser.apply(features([damage(image, random) for image in held_out]))
        estimate = mmd.evaluate(real, fake)["mmd2"]
        discrepancies.append(estimate.value)
        errors.append(estimate.standard_error)
        distances.append(FrechetEvaluator().evaluate(real, fake)["frechet"].value)
    assert discrepancies == sorted(discrepancies)
    assert distances == sorted(distances)
    assert errors[0] is not None and abs(discrepancies[0]) < 4 * errors[0]
    assert discrepancies[2] > 5 * errors[0]
