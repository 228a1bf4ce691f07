"""The evaluator `gaussian-modes`: modes hit, and samples near one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ganlab import ComponentError, Estimate, FeatureBank, VectorSpec
from ganlab.commands.cli import run
from ganlab_toy import (
    GaussianModesOptions,
    GaussiansOptions,
    build_gaussian_modes,
    build_gaussians,
    ganlab_evaluators,
)
from ganlab_toy.gaussians import grid_centres

GRID = {"arrangement": "grid", "modes": 25}


def judge(fake: object, real: object | None = None, **options: object) -> dict[str, Estimate]:
    evaluator = build_gaussian_modes(GaussianModesOptions.model_validate({**GRID, **options}), VectorSpec(2))
    points = bank(grid_centres(25, 2.0) if real is None else real)
    return dict(evaluator.evaluate(points, bank(fake)))


def bank(points: object) -> FeatureBank:
    return FeatureBank(torch.as_tensor(np.asarray(points), dtype=torch.float32))


def test_a_sample_within_three_deviations_hits_its_mode_and_one_outside_hits_none() -> None:
    result = judge([(4.0, 4.149), (4.0, 3.9), (0.0, 0.151), (2.1, 0.1), (-3.0, -3.0)])
    assert result["hit"].value == 2  # (2.1, 0.1) is 0.14 away from (2, 0)
    assert result["hit"].notes == ("23 of 25 modes missed",)
    assert result["high-quality"].value == pytest.approx(3 / 5)
    assert result["high-quality"].standard_error == pytest.approx(math.sqrt(0.6 * 0.4 / 5))


def test_the_radius_follows_the_options() -> None:
    point, real = [(4.0, 4.19)], grid_centres(25, 2.0)
    assert judge(point)["hit"].value == 0
    assert judge(point, within=4)["hit"].value == 1
    assert judge(point, real, std=0.1)["hit"].value == 1


def test_real_points_hit_all_modes_with_the_share_that_a_normal_distribution_has() -> None:
    source = build_gaussians(GaussiansOptions.model_validate(GRID))
    points = np.stack([source.read(index) for index in range(len(source))])
    result = judge(points, points)
    assert result["hit"].value == 25
    assert result["hit"].notes == ()
    assert result["high-quality"].value == pytest.approx(1 - math.exp(-4.5), abs=0.003)


def test_modes_that_are_not_the_data_s_are_told_of() -> None:
    (warning,) = judge([(0.0, 0.0)], spacing=3.0)["hit"].warnings
    assert warning.startswith("only 4.0% of the real points lie near the modes")
    assert judge([(0.0, 0.0)])["hit"].warnings == ()


def test_other_features_than_the_points_are_refused() -> None:
    with pytest.raises(ComponentError, match="leave out its `features`"):
        judge([(0.0, 0.0, 0.0)])


@pytest.mark.slow
def test_a_run_measures_it_beside_its_floor(tmp_path: Path) -> None:
    (record,) = ganlab_evaluators()
    assert [metric.name for metric in record.metrics] == ["hit", "high-quality"]
    experiment = """
        title = "Modes"
        dataset = { name = "gaussians", arrangement = "grid", modes = 9, count = 900 }
        latent = { dim = 2 }
        generator = { name = "mlp", width = 4 }
        losses = [{ name = "mmd" }]
        training = { steps = 1, batch_size = 4 }
        evaluators = [{ name = "gaussian-modes", arrangement = "grid", modes = 9, every = 1, samples = 90 }]
        trackers = []
    """
    (tmp_path / "modes.toml").write_text(experiment)
    assert run(["run", str(tmp_path / "modes.toml"), "--runs", str(tmp_path / "runs"), "--quiet"]) == 0
    (file,) = tmp_path.glob("runs/*/*/evaluations.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    floors = {line["metric"]: line["floor"] for line in lines if line["step"] == 1}
    assert floors["hit"] == 9
    assert floors["high-quality"] > 0.9
