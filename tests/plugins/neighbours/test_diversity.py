"""Diversity: exact cases, collapse, repeats, standard errors."""

from __future__ import annotations

import statistics

import pytest
import torch

from ganlab import ComponentError, Estimate, FeatureBank, Shown
from ganlab_neighbours.diversity import Diversity
from ganlab_neighbours.pairs import over_pairs


def normal(n: int, seed: int = 0, d: int = 8) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


REAL = normal(1000)


def judge(fake: torch.Tensor, real: torch.Tensor = REAL) -> dict[str, Estimate]:
    return dict(Diversity().evaluate(FeatureBank(real), FeatureBank(fake)))


def loud(estimates: dict[str, Estimate]) -> list[str]:
    return [warning for warning in estimates["diversity"].warnings if "twin" in warning]


def draws_of(samples: torch.Tensor, n: int) -> torch.Tensor:
    return samples[torch.randint(len(samples), (n,), generator=torch.Generator().manual_seed(7))]


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_pairs_are_summed_as_by_brute_force(offset: float) -> None:
    # More than a tile of 1024; the nearest pairs lie in one tile and across tiles.
    x = normal(1500) + offset
    x[3], x[1400] = x[1], x[1]
    distances = torch.pdist(x.double())
    pairs = over_pairs(x, 0.5)
    assert pairs.mean == pytest.approx(float(distances.mean()), rel=1e-9)
    assert pairs.near == int((distances <= 0.5).sum())
    assert over_pairs(x, 0.0).near == 3
    assert over_pairs(x, 0.0).distinct == pytest.approx(1500 * 1499 / 2 / 3)


def test_real_samples_are_as_diverse_as_real_samples() -> None:
    result = judge(normal(1000, 1))
    error = result["diversity"].standard_error
    assert error is not None and abs(result["diversity"].value - 1) < 3 * error < 0.1
    assert result["duplicates"].value < 0.01 and result["diversity"].warnings == ()
    assert judge(REAL)["diversity"].value == 1.0


def test_scaling_scales_it() -> None:
    assert judge(3 * REAL)["diversity"].value == pytest.approx(3.0)
    assert judge(REAL + 100)["diversity"].value == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("modes", [1, 3])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_a_collapse_is_caught_by_name(modes: int, noise: float) -> None:
    result = judge(draws_of(normal(modes, 5), 1000) + noise * normal(1000, 6))
    assert result["duplicates"].value == 1.0
    (warning,) = loud(result)
    assert warning.startswith("COLLAPSED: 100% of 1,000 generated samples have a twin")
    assert f"as if drawn from {modes} distinct ones" in warning
    if modes == 1:
        assert result["diversity"].value == pytest.approx(0, abs=0.01)


def test_repeats_of_many_samples_are_no_collapse_but_said() -> None:
    (warning,) = loud(judge(draws_of(normal(4000, 5), 1000)))
    assert warning.startswith("REPEATS: ")
    distinct = float(warning.split("drawn from ")[1].split(" ")[0].replace(",", ""))
    assert 3000 < distinct < 5500


def test_samples_that_come_again_unequally_often_are_told_so() -> None:
    """A third of one, and all others distinct: no number of equally frequent ones gives as few twins."""
    fake = torch.cat([normal(1, 5).expand(300, -1), normal(700, 6)])
    (warning,) = loud(judge(fake))
    assert warning.startswith("REPEATS: 30% of 1,000 generated samples have a twin")
    assert "one in 11 of all pairs are twins: some samples come again far more often" in warning


def test_copies_in_the_data_itself_do_not_accuse_the_generator() -> None:
    real = torch.cat([normal(500), normal(500)])
    fake = torch.cat([normal(500, 1), normal(500, 1)])
    assert loud(judge(fake, real)) == []


def test_the_first_samples_of_the_larger_set_are_used() -> None:
    assert judge(normal(300, 1))["duplicates"].value == judge(normal(300, 1), REAL[:300])["duplicates"].value
    assert judge(normal(300, 1))["diversity"].value == judge(normal(300, 1), REAL[:300])["diversity"].value
    assert "the first 300 of both" in judge(normal(300, 1))["diversity"].notes[0]
    assert judge(normal(300, 1), REAL[:300])["diversity"].notes == ()


def test_reals_that_are_all_equal_are_refused() -> None:
    with pytest.raises(ComponentError, match="all 30 real samples are equal; choose other `features`"):
        judge(normal(30), torch.ones(30, 8))


def test_the_picture_has_the_most_alike_beside_each_other_and_each_once() -> None:
    fake = normal(40, 1)
    fake[20], fake[30], fake[31] = fake[5], fake[6], fake[6] + 0.001
    rows = Diversity().pictures(FeatureBank(REAL), FeatureBank(fake))["most-alike"]
    assert [row[:2] for row in rows[:2]] == [
        [Shown("fake", 5), Shown("fake", 20)],
        [Shown("fake", 6), Shown("fake", 30)],
    ]
    assert len(rows) <= 8
    for number, row in enumerate(rows):
        assert not any(row[0] in earlier for earlier in rows[:number])


@pytest.mark.slow
def test_the_standard_error_of_duplicates_is_the_spread_over_draws() -> None:
    """Twins come in pairs, so that their number varies more than that of as many independent samples."""
    draws = [judge(normal(300, 100 + seed, d=4) / 2, normal(300, seed, d=4)) for seed in range(60)]
    spread = statistics.stdev(draw["duplicates"].value for draw in draws)
    claimed = statistics.fmean(draw["duplicates"].standard_error or 0 for draw in draws)
    assert 0.85 < claimed / spread < 1.35


def test_the_standard_error_is_the_spread_over_draws() -> None:
    draws = [judge(normal(100, 100 + seed), normal(100, seed)) for seed in range(60)]
    spread = statistics.stdev(draw["diversity"].value for draw in draws)
    claimed = statistics.fmean(draw["diversity"].standard_error or 0 for draw in draws)
    assert 0.75 < claimed / spread < 1.35
