"""A comparison as plain values, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ganlab.comparison.report import marks, verdict_sentences
from ganlab.comparison.result import ComparedMetric, Comparison, Verdict

__all__ = ["to_record"]


def to_record(comparison: Comparison) -> dict[str, Any]:
    """Return all of a comparison but its pictures' content; experiments go by their marks."""
    told = marks(comparison)
    words = {(metric.name, verdict): text for metric, verdict, text in verdict_sentences(comparison)}
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
            for mark, group, cost in zip(told, comparison.groups, comparison.costs, strict=True)
        ],
        "differences": {key.path: dict(zip(told, key.values, strict=True)) for key in comparison.differing},
        "fairness": [
            {
                "what": finding.what,
                "equal": finding.equal,
                "values": dict(zip(told, finding.values, strict=True)),
            }
            for finding in comparison.fairness
        ],
        "metrics": [_metric(metric, told, words) for metric in comparison.metrics],
        "tests": comparison.tests,
        "pictures": {
            seed: dict(zip(told, paths, strict=True)) for seed, paths in comparison.pictures.items()
        },
        "notes": list(comparison.notes),
    }


def _metric(metric: ComparedMetric, told: list[str], words: dict[tuple[str, Verdict], str]) -> dict[str, Any]:
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
            for mark, measured in zip(told, metric.measured, strict=True)
        },
        "verdicts": [
            {
                "first": told[verdict.first],
                "second": told[verdict.second],
                **asdict(verdict.test),
                "adjusted_p": verdict.adjusted,
                "words": words[metric.name, verdict],
            }
            for verdict in metric.verdicts
        ],
    }
