"""A comparison as plain values, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ganlab.comparison.report import marks, verdict_sentences
from ganlab.comparison.result import ComparedMetric, ComparedPair, Comparison

__all__ = ["to_json_values"]


def to_json_values(comparison: Comparison) -> dict[str, Any]:
    """Return all of a comparison but its pictures' content; experiments go by their marks."""
    mark_of = marks(comparison)
    words = {(metric.name, pair): text for metric, pair, text in verdict_sentences(comparison)}
    return {
        "at": comparison.moment,
        "experiments": [
            {
                "mark": mark,
                "name": group.name,
                "title": group.title,
                "runs": {seed: run.path for seed, run in group.runs.items()},
                **asdict(cost),
            }
            for mark, group, cost in zip(mark_of, comparison.groups, comparison.costs, strict=True)
        ],
        "differences": {
            key.path: dict(zip(mark_of, key.values, strict=True)) for key in comparison.differing
        },
        "fairness": [
            {
                "what": condition.what,
                "equal": condition.equal,
                "values": dict(zip(mark_of, condition.values, strict=True)),
            }
            for condition in comparison.fairness
        ],
        "metrics": [_metric(metric, mark_of, words) for metric in comparison.metrics],
        "tests": comparison.tests,
        "pictures": {
            seed: dict(zip(mark_of, paths, strict=True)) for seed, paths in comparison.pictures.items()
        },
        "notes": list(comparison.notes),
    }


def _metric(
    metric: ComparedMetric, mark_of: list[str], words: dict[tuple[str, ComparedPair], str]
) -> dict[str, Any]:
    return {
        "name": metric.name,
        "better": metric.better,
        "features": metric.features,
        "measured": {
            mark: {
                **asdict(measured.summary),
                "floor": measured.floor,
                "steps": measured.steps,
                "values": {seed: asdict(value) for seed, value in measured.values.items()},
                "curves": {
                    seed: [asdict(point) for point in curve] for seed, curve in measured.curves.items()
                },
            }
            for mark, measured in zip(mark_of, metric.measured, strict=True)
        },
        "verdicts": [
            {
                "first": mark_of[pair.first],
                "second": mark_of[pair.second],
                **asdict(pair.test),
                "adjusted_p": pair.adjusted,
                "words": words[metric.name, pair],
            }
            for pair in metric.pairs
        ],
    }
