"""FD-DINOv2 and CMMD on features of known distribution, and as users ask for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from fresh_process import ganlab
from random_vit import tiny_clip, tiny_dinov2

import ganlab_pretrained_vit
from ganlab import ComponentError, Estimate, Evaluator, FeatureBank, ImageSpec

COMPONENTS = {component.name: component for component in ganlab_pretrained_vit.ganlab_evaluators()}
Saved = Callable[..., dict[str, object]]


def measure(name: str, real: torch.Tensor, fake: torch.Tensor, **options: object) -> Estimate:
    component = COMPONENTS[name]
    evaluator = component.build(component.options(**options), ImageSpec(3, 32, 32))
    assert isinstance(evaluator, Evaluator)
    banks = FeatureBank(real), FeatureBank(fake)
    evaluator.prepare(banks[0], None)
    (estimate,) = evaluator.evaluate(*banks).values()
    return estimate


def normal(n: int, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_fd_of_shifted_features_is_the_squared_shift() -> None:
    real = normal(1000)
    estimate = measure("fd-dinov2", real, real + 2)
    assert estimate.value == pytest.approx(4 * 4, rel=1e-5)
    assert not any("ViT-B/14" in warning for warning in estimate.warnings)
    assert (
        "published numbers are on ViT-L/14" in measure("fd-dinov2", real, real, model="vit-b14").warnings[0]
    )


def test_cmmd_of_two_points_by_hand() -> None:
    """All reals are at one end of a diameter, all fakes at the other: k is 1 within, exp(−4/200) between."""
    real = F.normalize(torch.ones(3, 5))
    estimate = measure("cmmd", real, -real)
    assert estimate.value == pytest.approx(1000 * (2 - 2 * math.exp(-4 / 200)), rel=1e-6)
    assert measure("cmmd", real, real).value == pytest.approx(0, abs=1e-9)


def test_cmmd_is_the_published_formula_and_its_bias_is_told() -> None:
    real, fake = F.normalize(normal(60, 8)), F.normalize(normal(50, 8, seed=1) + 0.3)

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.exp(-torch.cdist(x.double(), y.double()).square() / 200)

    xx, yy, xy = kernel(real, real), kernel(fake, fake), kernel(real, fake)
    estimate = measure("cmmd", real, fake)
    published = 1000 * float(xx.mean() + yy.mean() - 2 * xy.mean())
    assert estimate.value == pytest.approx(published, rel=1e-5)
    off_diagonal = [float((each.sum() - len(each)) / (len(each) * (len(each) - 1))) for each in (xx, yy)]
    unbiased = 1000 * (sum(off_diagonal) - 2 * float(xy.mean()))
    assert measure("cmmd", real, fake, estimator="unbiased").value == pytest.approx(unbiased, rel=1e-5)
    assert estimate.warnings[0].startswith(f"{published - unbiased:.3g} of it is bias")
    assert estimate.standard_error is not None and 0 < estimate.standard_error < estimate.value


def test_banks_that_do_not_compare() -> None:
    with pytest.raises(ComponentError, match="at least 2"):
        measure("cmmd", normal(1), normal(5))
    with pytest.raises(ComponentError, match="same extractor"):
        measure("cmmd", normal(5, 4), normal(5, 3))


def test_evaluators_name_their_features() -> None:
    def table(name: str, **options: object) -> Any:
        component = COMPONENTS[name]
        assert component.features_of is not None
        return component.features_of(component.options(**options))

    given: dict[str, Any] = {"weights": Path("some.pth"), "weights_sha256": "0" * 64}
    assert table("fd-dinov2", model="vit-b14", protocol="edm2", **given) == {
        "name": "dinov2",
        "model": "vit-b14",
        "protocol": "edm2",
        "weights": "some.pth",
        "weights_sha256": "0" * 64,
        "download": False,
    }
    assert table("cmmd", download=True, estimator="unbiased") == {
        "name": "clip",
        "model": "vit-l14-336",
        "protocol": "cmmd",
        "download": True,
    }


EXPERIMENT = """
title = "Faces by today's judges"
[image]
size = 16
[dataset]
name = "faces"
count = 8
holdout = 0.0
[latent]
dim = 4
[generator]
name = "dcgan"
width = 4
[[losses]]
name = "mmd"
[training]
steps = 1
batch_size = 4
[[evaluators]]
name = "fd-dinov2"
samples = 2
weights = "dinov2.pth"
[[evaluators]]
name = "cmmd"
samples = 2
weights = "clip.pth"
"""


@pytest.mark.slow
def test_a_run_is_measured_by_both(saved: Saved, tmp_path: Path) -> None:
    files = [saved(tiny_dinov2(), "dinov2.pth"), saved(tiny_clip(), "clip.pth")]
    (tmp_path / "x.toml").write_text(EXPERIMENT)
    refused = ganlab("run", "x.toml", cwd=tmp_path)
    assert refused.returncode == 2
    assert "x.toml:22: evaluators.0.weights:" in refused.stderr
    right = [f'evaluators.{i}.weights_sha256="{each["weights_sha256"]}"' for i, each in enumerate(files)]
    done = ganlab("run", "x.toml", "--set", right[0], "--set", right[1], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (lines,) = [path.read_text() for path in tmp_path.glob("runs/*/*/evaluations.jsonl")]
    for part in (
        '"metric": "fd-dinov2"',
        '"protocol": "vit-l14-dgm-eval"',
        '"metric": "cmmd"',
        '"protocol": "vit-l14-336-cmmd"',
        "not on the published file",
    ):
        assert part in lines
