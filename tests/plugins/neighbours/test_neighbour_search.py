"""Nearest neighbours and balls against brute force, ties and copies."""

from __future__ import annotations

import pytest
import torch

from ganlab_neighbours.balls import count_covering
from ganlab_neighbours.search import nearest


def points(n: int, d: int = 6, seed: int = 0, offset: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + offset


def dense(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x.double()[:, None] - y.double()).square().sum(2).sqrt()


# More rows than a tile, and more columns than several: 1024 and 4096.
@pytest.mark.parametrize(("n", "m", "k"), [(7, 5, 5), (1100, 900, 3), (300, 4500, 4)])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_neighbours_are_those_of_brute_force(n: int, m: int, k: int, offset: float) -> None:
    x, y = points(n, offset=offset), points(m, seed=1, offset=offset)
    found, (distances, indices) = nearest(x, y, k), dense(x, y).topk(k, largest=False)
    assert torch.equal(found.indices, indices)
    torch.testing.assert_close(found.distances, distances, rtol=1e-12, atol=0)


@pytest.mark.parametrize("queries", [5, 700, 1500])
def test_no_point_is_its_own_neighbour_but_its_copy_is(queries: int) -> None:
    y = points(1500 if queries > 5 else 5)
    y[3] = y[1]
    found = nearest(y[:queries], y, 4, exclude_self=True)
    distances = dense(y[:queries], y)
    distances[torch.arange(queries), torch.arange(queries)] = torch.inf
    torch.testing.assert_close(found.distances, distances.topk(4, largest=False).values)
    assert (found.indices != torch.arange(queries)[:, None]).all()
    assert found.indices[1, 0] == 3 and found.distances[1, 0] == 0


def test_copies_are_at_distance_zero_far_from_the_origin() -> None:
    y = points(2000, d=320, offset=300.0)
    found = nearest(y.clone(), y, 2)
    assert not found.distances[:, 0].any()
    assert torch.equal(found.indices[:, 0], torch.arange(2000))
    assert found.distances[:, 1].min() > 1


def test_of_equally_near_points_the_first_comes_first() -> None:
    y = torch.tensor([[1.0], [-1.0], [1.0], [5.0]])
    assert nearest(torch.zeros(1, 1), y, 3).indices.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(("k", "exclude"), [(0, False), (5, False), (4, True)])
def test_more_neighbours_than_there_are_is_an_error(k: int, exclude: bool) -> None:
    with pytest.raises(ValueError, match=f"{k} neighbours were asked for, of {4 - exclude} points"):
        nearest(points(4), points(4), k, exclude_self=exclude)


@pytest.mark.parametrize("inclusive", [True, False])
def test_balls_are_counted_as_by_brute_force(inclusive: bool) -> None:
    x, y = points(1100, offset=50.0), points(1300, seed=1, offset=50.0)
    y[:40] = x[:40]
    radii = nearest(y, y, 3, exclude_self=True).distances[:, -1]
    distances = dense(x, y)
    within = (distances <= radii) if inclusive else (distances < radii)
    assert torch.equal(count_covering(x, y, radii, inclusive=inclusive), within.sum(1))


def test_a_ball_contains_its_surface_only_if_asked_to() -> None:
    x = points(1500, d=64, offset=20.0)
    found = nearest(x, x, 2, exclude_self=True)
    radii = found.distances[:, -1]
    counts = [int(count_covering(x, x, radii, inclusive=inclusive).sum()) for inclusive in (True, False)]
    # Each ball holds its centre and the nearest point; the second nearest is on the surface.
    assert counts == [3 * len(x), 2 * len(x)]
