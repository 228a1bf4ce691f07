"""Whether two experiments differ in a metric, as far as a few seeds can tell.

The spread over seeds contains the estimators' own errors: each run's value is what its seed made of the
experiment, plus what measuring with so many samples adds. So a t test on the seeds' values is the whole
test. Three values can however lie closer together by chance than each of them is known; therefore the
standard error of a difference is never taken as less than what the estimators say of themselves. Where that
is the larger one the test errs on the safe side.

- Two or more seeds that both experiments have: the paired t test on the differences of each seed, with n - 1
  degrees of freedom.
- Otherwise, two or more seeds on either side: Welch's t test, with degrees of freedom after Welch and
  Satterthwaite.
- Otherwise: the difference with the estimators' errors, and no p-value, since nothing is known of what
  another seed would have changed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["SIGNIFICANT", "Summary", "Test", "Value", "adjust", "compare_values", "summarise"]

How: TypeAlias = Literal["paired", "welch", "one seed", "no spread"]

SIGNIFICANT = 0.05
"""Adjusted p-values below this tell experiments apart."""

_MOST_ERRORS = 0.95
"""Share of intervals that hold the true difference."""


@dataclass(frozen=True)
class Value:
    """What was measured of one run.

    Attributes:
        value: finite.
        error: the estimator's standard error; `None` where it has none.
    """

    value: float
    error: float | None = None


@dataclass(frozen=True)
class Summary:
    """A metric of one experiment over its seeds.

    Attributes:
        count: seeds.
        mean: the mean of their values.
        between: standard error of the mean by the spread over seeds; `None` for one seed.
        within: the estimator's standard error in one run, as a root mean square; `None` where it has none.
    """

    count: int
    mean: float
    between: float | None
    within: float | None


@dataclass(frozen=True)
class Test:
    """The first experiment against the second, in one metric.

    Attributes:
        how: which test.
        seeds: pairs of a paired test; otherwise seeds of the first and of the second.
        difference: mean of the first less mean of the second.
        error: standard error of the difference, the larger of the two below; `None` where neither is known.
        between: by the spread over seeds.
        within: by the estimators' own errors.
        degrees: degrees of freedom; `None` without a test.
        interval: 95 % confidence interval of the difference; `None` without a test.
        p: two-sided p-value; `None` without a test.
    """

    how: How
    seeds: tuple[int, ...]
    difference: float
    error: float | None
    between: float | None
    within: float | None
    degrees: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None


def summarise(values: Mapping[int, Value]) -> Summary:
    """Return a metric's mean over seeds, with both of its errors.

    Args:
        values: by seed, at least one.
    """
    numbers = [value.value for value in values.values()]
    between = statistics.stdev(numbers) / math.sqrt(len(numbers)) if len(numbers) > 1 else None
    within = _error_of_mean(list(values.values()))
    within = None if within is None else within * math.sqrt(len(numbers))
    return Summary(len(numbers), statistics.fmean(numbers), between, within)


def compare_values(first: Mapping[int, Value], second: Mapping[int, Value]) -> Test:
    """Test whether two experiments differ.

    Args:
        first: values by seed, at least one.
        second: the other experiment's.
    """
    shared = [seed for seed in first if seed in second]
    if len(shared) > 1:
        return _paired([first[seed] for seed in shared], [second[seed] for seed in shared])
    return _unpaired(list(first.values()), list(second.values()))


def adjust(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm (1979): below α, one is right at that level however many were tried."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, index in enumerate(order):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = reached
    return adjusted


def _paired(first: list[Value], second: list[Value]) -> Test:
    differences = [one.value - other.value for one, other in zip(first, second, strict=True)]
    count = len(differences)
    return _t_test(
        "paired",
        (count,),
        statistics.fmean(differences),
        statistics.stdev(differences) / math.sqrt(count),
        _together(_error_of_mean(first), _error_of_mean(second)),
        count - 1,
    )


def _unpaired(first: list[Value], second: list[Value]) -> Test:
    counts = (len(first), len(second))
    means = [statistics.fmean(value.value for value in side) for side in (first, second)]
    difference = means[0] - means[1]
    within = _together(_error_of_mean(first), _error_of_mean(second))
    if min(counts) < 2:
        return Test("one seed", counts, difference, within, None, within)
    parts = [statistics.variance([value.value for value in side]) / len(side) for side in (first, second)]
    between = math.sqrt(sum(parts))
    spread = sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    # The bound holds where neither side has any spread at all, and only the estimators' errors are left.
    degrees = sum(parts) ** 2 / spread if spread else min(counts) - 1
    return _t_test("welch", counts, difference, between, within, degrees)


def _t_test(
    how: How,
    seeds: tuple[int, ...],
    difference: float,
    between: float,
    within: float | None,
    degrees: float,
) -> Test:
    from scipy.special import stdtr, stdtrit  # `scipy.stats` takes seconds to import

    error = max(between, within or 0.0)
    if not error:
        # Values on a grid, such as a count of classes, may be the same for every seed.
        return Test("no spread", seeds, difference, None, between, within)
    reach = error * float(stdtrit(degrees, (1 + _MOST_ERRORS) / 2))
    p = 2 * float(stdtr(degrees, -abs(difference) / error))
    interval = (difference - reach, difference + reach)
    return Test(how, seeds, difference, error, between, within, degrees, interval, p)


def _error_of_mean(values: list[Value]) -> float | None:
    """Return the standard error of a mean by the estimators' own; `None` where one has none."""
    errors = [value.error for value in values if value.error is not None and math.isfinite(value.error)]
    return math.hypot(*errors) / len(values) if len(errors) == len(values) else None


def _together(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else math.hypot(first, second)
