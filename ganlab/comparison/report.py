"""A comparison in words and tables, whatever they are then printed as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ganlab.comparison.result import ComparedMetric, ComparedPair, Comparison
from ganlab.comparison.statistics import SIGNIFICANT, Test
from ganlab.metrics import badness, error_text, floor_text, rounded
from ganlab.words import counted

__all__ = [
    "Table",
    "cost_table",
    "difference_table",
    "duration",
    "fairness_sentences",
    "marks",
    "metric_table",
    "moment_words",
    "verdict_sentences",
]

_NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """Rows of text below a header.

    Attributes:
        header: a title for each column.
        rows: a text for each column.
        numbers: columns that are set to the right.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


def marks(comparison: Comparison) -> list[str]:
    """Return a short mark for each experiment: A to Z, then its number."""
    return [
        chr(ord("A") + index) if index < 26 else str(index + 1) for index in range(len(comparison.groups))
    ]


def moment_words(comparison: Comparison) -> str:
    """Return which measurements are compared."""
    if comparison.moment == "last":
        return "the last measurement of each run"
    if comparison.moment == "best":
        return "each run at its best checkpoint"
    return f"each run at step {comparison.moment:,}"


def cost_table(comparison: Comparison) -> Table:
    """Return what each experiment is, and what it takes."""
    kinds = list(dict.fromkeys(kind for cost in comparison.costs for kind in cost.parameters))
    rows = []
    for mark, group, cost in zip(marks(comparison), comparison.groups, comparison.costs, strict=True):
        rows.append(
            (
                mark,
                group.name,
                ", ".join(map(str, group.runs)),
                *(f"{cost.parameters[kind]:,}" if kind in cost.parameters else _NOTHING for kind in kinds),
                f"{cost.steps:,.0f}",
                _NOTHING if cost.images is None else f"{cost.images:,.0f}",
                duration(cost.hours),
            )
        )
    parameters = tuple(f"{kind.upper()} PARAMETERS" for kind in kinds)
    header = ("", "EXPERIMENT", "SEEDS", *parameters, "STEPS", "IMAGES", "WALL TIME")
    return Table(header, tuple(rows), frozenset(range(3, len(header))))


def difference_table(comparison: Comparison) -> Table:
    """Return the keys that differ, with each experiment's value."""
    rows = tuple(
        (key.path, *(_NOTHING if value is None else value for value in key.values))
        for key in comparison.differing
    )
    return Table(("KEY", *marks(comparison)), rows)


def metric_table(comparison: Comparison) -> Table:
    """Return each metric of each experiment, with both of its errors and its floor."""
    rows = []
    for metric in comparison.metrics:
        for mark, measured in zip(marks(comparison), metric.measured, strict=True):
            summary = measured.summary
            rows.append(
                (
                    metric.name,
                    metric.features,
                    metric.better or _NOTHING,
                    mark,
                    rounded(summary.mean, summary.between or summary.within),
                    _NOTHING if summary.between is None else error_text(summary.between),
                    _NOTHING if summary.within is None else error_text(summary.within),
                    _NOTHING if measured.floor is None else floor_text(measured.floor, None),
                    str(summary.count),
                )
            )
    header = ("METRIC", "FEATURES", "BETTER", "", "MEAN", "± SEEDS", "± ESTIMATOR", "FLOOR", "SEEDS")
    return Table(header, tuple(rows), frozenset(range(4, 9)))


def fairness_sentences(comparison: Comparison) -> tuple[list[str], str]:
    """Return what is unequal or not known, a line each, and in one line what is equal."""
    unequal, equal, mark_of = [], [], marks(comparison)
    for condition in comparison.fairness:
        if len(comparison.groups) == 1:
            continue
        if condition.equal:
            equal.append(condition.what)
        else:
            values = "; ".join(
                f"{mark}: {value}" for mark, value in zip(mark_of, condition.values, strict=True)
            )
            unequal.append(f"{condition.what}: {values}")
    return unequal, f"equal: {', '.join(equal)}" if equal else ""


def verdict_sentences(comparison: Comparison) -> Iterator[tuple[ComparedMetric, ComparedPair, str]]:
    """Yield each tested pair with its metric, and what the test says in words."""
    mark_of = marks(comparison)
    for metric in comparison.metrics:
        for pair in metric.pairs:
            yield metric, pair, _sentence(metric, pair, mark_of, comparison.tests)


def _sentence(metric: ComparedMetric, pair: ComparedPair, mark_of: list[str], tests: int) -> str:
    test = pair.test
    first, second = mark_of[pair.first], mark_of[pair.second]
    side = "below" if test.difference < 0 else "above" if test.difference > 0 else "equal to"
    by = f" by {rounded(abs(test.difference), test.error, digits=3)}" if test.difference else ""
    error = "" if test.error is None else f" ± {error_text(test.error)}"
    start = f"{first} {side} {second}{by}{error} {_over(test)}"
    if test.p is None or pair.adjusted is None or test.interval is None:
        return f"{start}: {_without_test(test)}"
    # As far as it says: from how little to how much the first is below, or above.
    low, high = test.interval if test.difference >= 0 else (-test.interval[1], -test.interval[0])
    adjusted = f" [{_p(pair.adjusted)}]" if tests > 1 else ""
    return (
        f"{start} (95 %: {low:.3g} to {high:.3g}), p = {_p(test.p)}{adjusted}: "
        f"{_conclusion(metric, pair, first)}"
    )


def _over(test: Test) -> str:
    if test.how == "paired" or (test.how == "no spread" and len(test.seeds) == 1):
        return f"over {counted(test.seeds[0], 'paired seed')}"
    first, second = test.seeds
    if first == second == 1:
        return "over one seed each"
    return f"over {first} and {counted(second, 'seed')}, unpaired"


def _without_test(test: Test) -> str:
    if test.how == "no spread":
        return "no p-value, since no seed differs from another and the metric has no standard error"
    if test.error is None:
        return "no p-value, since one seed does not tell what another would change"
    return (
        "± is the estimator's error alone, and there is no p-value, since one seed does not tell what "
        "another would change"
    )


def _conclusion(metric: ComparedMetric, pair: ComparedPair, first: str) -> str:
    assert pair.adjusted is not None
    if pair.adjusted >= SIGNIFICANT:
        return "not told apart"
    return f"{first} is {'better' if badness(pair.test.difference, metric.better) < 0 else 'worse'}"


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def duration(hours: float) -> str:
    """Return a time in words, `2.5 h`, `13 min` or `8 s`."""
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.0f} min" if hours >= 1 / 60 else f"{3600 * hours:.0f} s"
