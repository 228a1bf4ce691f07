"""Distributions in the plane lie where their definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ganlab import DatasetComponent
from ganlab_plane import ganlab_datasets

RECORDS = {record.name: record for record in ganlab_datasets()}


def points(name: str, **options: object) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    record: DatasetComponent = RECORDS[name]
    given = {"count": 4000, "labels": True, "noise": 0.0, **options}
    if name == "checkerboard":
        del given["noise"]
    source = record.build(record.options.model_validate(given), None)
    return np.stack([source.read(index) for index in range(len(source))]).astype(float), source.labels()


def test_rings_have_their_radii() -> None:
    found, parts = points("rings", radius=0.5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 0.5 * (parts + 1), rtol=1e-6)
    assert np.linalg.norm(found[parts == 2].mean(0)) < 0.1


def test_spirals_wind_as_often_as_asked_and_end_where_asked() -> None:
    found, parts = points("spirals", arms=3, turns=2.0, radius=5.0)
    radius = np.linalg.norm(found, axis=1)
    assert radius.max() == pytest.approx(5.0, rel=1e-2)
    angle = 2 * np.pi * (2.0 * radius / 5.0 + parts / 3)
    expected = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Even in area: a quarter of the points within half the radius.
    assert (radius < 2.5).mean() == pytest.approx(0.25, abs=0.03)


def test_moons_clasp_each_other() -> None:
    found, parts = points("two-moons")
    upper, lower = found[parts == 0], found[parts == 1]
    np.testing.assert_allclose(np.linalg.norm(upper - [-0.5, -0.25], axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(lower - [0.5, 0.25], axis=1), 1, rtol=1e-6)
    assert (upper[:, 1] >= -0.25 - 1e-6).all() and (lower[:, 1] <= 0.25 + 1e-6).all()


def test_every_other_square_is_evenly_filled() -> None:
    found, parts = points("checkerboard", squares=4, side=8.0)
    squares = np.floor((found + 4) / 2).astype(int)
    assert (squares.sum(1) % 2 == 0).all()
    assert {tuple(square) for square in squares} == {
        (x, y) for x in range(4) for y in range(4) if (x + y) % 2 == 0
    }
    assert len(np.unique(parts)) == 8
    assert np.bincount(parts).std() == 0


@pytest.mark.parametrize("name", RECORDS)
def test_fewer_points_are_a_prefix_of_more(name: str) -> None:
    few, many = points(name, count=100)[0], points(name, count=300)[0]
    assert np.array_equal(few, many[:100])
    assert not np.array_equal(few, points(name, count=100, seed=1)[0])
