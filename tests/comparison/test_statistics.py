"""The tests themselves: against scipy's, by hand, and how often they see what is not there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ganlab.comparison.statistics import Value, adjust, compare_values, summarise


def values(*numbers: float, error: float | None = None, start: int = 0) -> dict[int, Value]:
    return {start + index: Value(number, error) for index, number in enumerate(numbers)}


FIRST, SECOND = (1.0, 2.5, 2.0, 4.0), (1.5, 3.5, 2.25, 5.5)


def test_seeds_that_are_shared_are_paired() -> None:
    test = compare_values(values(*FIRST), values(*SECOND))
    expected = stats.ttest_rel(FIRST, SECOND)
    interval = expected.confidence_interval(0.95)
    assert (test.how, test.seeds, test.degrees) == ("paired", (4,), 3)
    assert test.p == pytest.approx(expected.pvalue, rel=1e-12)
    assert test.interval == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert test.difference == np.mean(FIRST) - np.mean(SECOND)


def test_seeds_that_are_not_shared_are_paired_with_none() -> None:
    test = compare_values(values(*FIRST), {**values(*SECOND[1:], start=10), 0: Value(SECOND[0])})
    expected = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    assert (test.how, test.seeds) == ("welch", (4, 4))
    assert (test.p, test.degrees) == pytest.approx((expected.pvalue, expected.df), rel=1e-12)


def test_only_what_both_have_is_paired() -> None:
    shared = compare_values(values(*FIRST, 70.0), values(*SECOND))
    assert shared == compare_values(values(*FIRST), values(*SECOND))


def test_a_difference_is_never_known_better_than_each_value() -> None:
    """Three values that lie closer together by chance than each of them is known."""
    close = compare_values(values(1.0, 1.0, 1.001, error=0.3), values(2.0, 2.001, 2.0, error=0.4))
    assert close.error == close.within == pytest.approx(0.5 / math.sqrt(3))
    assert close.p == pytest.approx(2 * stats.t.sf(1 / (0.5 / math.sqrt(3)), 2), rel=1e-3)
    wide = compare_values(values(1.0, 3.0, 8.0, error=0.3), values(2.0, 2.0, 2.0, error=0.4))
    assert wide.error == wide.between == pytest.approx(np.std([-1, 1, 6], ddof=1) / math.sqrt(3))
    constant = compare_values(values(1.0, 1.0, error=0.3), values(2.0, 2.0, error=0.4, start=5))
    assert (constant.how, constant.degrees, constant.error) == ("welch", 1, constant.within)


def test_one_seed_tells_nothing_of_others() -> None:
    test = compare_values(values(1.0, error=0.3), values(2.0, error=0.4))
    assert (test.how, test.seeds, test.p, test.interval, test.error) == ("one seed", (1, 1), None, None, 0.5)
    assert compare_values(values(1.0, 1.1), values(2.0)).p is None


def test_without_any_spread_there_is_no_p_value() -> None:
    test = compare_values(values(9.0, 9.0), values(10.0, 10.0))
    assert (test.how, test.difference, test.error, test.p) == ("no spread", -1.0, None, None)


def test_both_errors_of_a_mean() -> None:
    summary = summarise({0: Value(1.0, 0.3), 1: Value(3.0, 0.4)})
    assert (summary.mean, summary.between) == (2.0, 1.0)
    assert summary.within == pytest.approx(math.sqrt((0.09 + 0.16) / 2))
    assert summarise(values(1.0)).between is None


def test_p_values_are_adjusted_for_all_of_them() -> None:
    assert adjust([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust([0.5, 0.9]) == [1.0, 1.0]
    assert adjust([]) == []


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("spread", "error"), [(1.0, 0.0), (1.0, 0.3), (0.0, 1.0)])
@pytest.mark.parametrize("paired", [True, False])
def test_an_experiment_against_itself_is_told_apart_as_often_as_promised(
    seeds: int, spread: float, error: float, paired: bool
) -> None:
    """At p < 0.05 never more often than one in twenty; and as often, where seeds are what differs."""
    draws = 1000
    rng = np.random.default_rng(seeds)
    noise = rng.normal(size=(draws, 2, seeds)) * math.hypot(spread, error)
    # What both have of a seed: pairs may go up and down together.
    noise += 2 * rng.normal(size=(draws, 1, seeds)) if paired else 0
    start = 0 if paired else seeds
    found = [
        compare_values(values(*first, error=error), values(*second, error=error, start=start)).p
        for first, second in noise
    ]
    share = np.mean([p is not None and p < 0.05 for p in found])
    # Three standard deviations of a share of 1000 draws are 0.021.
    assert share < 0.05 + 0.021
    if error == 0 and paired:
        assert share > 0.05 - 0.021
