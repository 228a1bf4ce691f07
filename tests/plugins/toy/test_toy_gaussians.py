"""The dataset `gaussians`."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from ganlab import ComponentError, VectorSource, VectorSpec
from ganlab_toy import GaussiansOptions, build_gaussians, ganlab_datasets
from ganlab_toy.gaussians import grid_centres, ring_centres


def _source(**options: object) -> VectorSource:
    return build_gaussians(GaussiansOptions.model_validate(options))


def _points(source: VectorSource) -> NDArray[np.float32]:
    return np.stack([source.read(index) for index in range(len(source))])


def test_the_hook_offers_vectors() -> None:
    (record,) = ganlab_datasets()
    assert record.name == "gaussians"
    assert record.accepts == (VectorSpec,)
    source = record.build(record.options(), None)
    assert (len(source), source.dimension) == (20_000, 2)
    assert source.labels() is None
    assert source.class_names == ()


def test_a_ring_of_four_is_a_diamond() -> None:
    np.testing.assert_allclose(ring_centres(4, 2.0), [(2, 0), (0, 2), (-2, 0), (0, -2)], atol=1e-12)


def test_neighbours_on_the_ring_are_equally_far() -> None:
    centres = ring_centres(8, 2.0)
    gaps = np.linalg.norm(centres - np.roll(centres, 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, 4.0 * np.sin(np.pi / 8))


def test_the_grid_of_the_literature() -> None:
    # Five by five, two apart, from -4 to 4 (Srivastava et al., 2017).
    expected = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(centre) for centre in grid_centres(25, 2.0)} == expected


def test_a_grid_needs_a_square_number() -> None:
    with pytest.raises(ComponentError, match="4 and 9 are the nearest") as caught:
        _source(arrangement="grid", modes=8)
    assert caught.value.option == "modes"


@pytest.mark.parametrize(
    ("options", "centres"),
    [
        ({"modes": 8, "radius": 2.0}, ring_centres(8, 2.0)),
        ({"arrangement": "grid", "modes": 9, "spacing": 1.5}, grid_centres(9, 1.5)),
    ],
)
def test_each_mode_has_its_moments_and_its_share(
    options: dict[str, object], centres: NDArray[np.float64]
) -> None:
    std = 0.1
    source = _source(**options, std=std, count=18_000, labels=True)
    points, labels = _points(source), source.labels()
    assert labels is not None
    assert points.dtype == np.float32
    share = np.bincount(labels, minlength=len(centres))
    assert share.max() - share.min() <= 1
    for mode, centre in enumerate(centres):
        mine = points[labels == mode].astype(float)
        n = len(mine)
        # Five standard errors of a mean, of a variance and of a covariance.
        np.testing.assert_allclose(mine.mean(axis=0), centre, atol=5 * std / n**0.5)
        covariance = np.cov(mine.T)
        np.testing.assert_allclose(covariance, std**2 * np.eye(2), atol=5 * std**2 * (2 / n) ** 0.5)


def test_names_of_modes_are_their_places() -> None:
    source = _source(modes=4, radius=1.5, labels=True, count=8)
    assert source.class_names == ("(1.5, 0)", "(0, 1.5)", "(-1.5, 0)", "(0, -1.5)")
    assert source.labels() is not None


def test_points_are_pure() -> None:
    source = _source(count=100, seed=4)
    copy = pickle.loads(pickle.dumps(source))
    backwards = np.stack([copy.read(index) for index in reversed(range(100))])
    np.testing.assert_array_equal(_points(source), backwards[::-1])
    np.testing.assert_array_equal(_points(_source(count=10, seed=4)), _points(source)[:10])
    assert not np.array_equal(_points(_source(count=100, seed=5)), _points(source))


def test_a_point_that_was_read_may_be_written_to() -> None:
    source = _source(count=4)
    source.read(0)[:] = 99.0
    assert (source.read(0) < 10).all()


def test_the_fingerprint_follows_everything_that_matters() -> None:
    changes: tuple[dict[str, object], ...] = (
        {},
        {"seed": 1},
        {"count": 999},
        {"modes": 7},
        {"std": 0.06},
        {"radius": 2.5},
        {"labels": True},
    )
    prints = {_source(**{"count": 1_000, **change}).fingerprint() for change in changes}
    assert len(prints) == len(changes)
    assert _source(count=1_000).fingerprint() in prints


@pytest.mark.parametrize("options", [{"modes": 0}, {"std": 0.0}, {"count": 0}, {"arrangement": "spiral"}])
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GaussiansOptions.model_validate(options)
