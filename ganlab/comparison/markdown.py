"""A comparison as Markdown."""

from __future__ import annotations

from ganlab.comparison.report import (
    Table,
    cost_table,
    difference_table,
    fairness_sentences,
    metric_table,
    moment_words,
    verdict_sentences,
)
from ganlab.comparison.result import Comparison

__all__ = ["to_markdown"]


def to_markdown(comparison: Comparison) -> str:
    """Return all but curves and pictures, which a page of text cannot hold."""
    unequal, equal = fairness_sentences(comparison)
    parts = ["# Comparison", f"Compared: {moment_words(comparison)}."]
    if unequal:
        parts.append("**Unequal**\n\n" + _items(unequal))
    if equal:
        parts.append(f"{equal.capitalize()}.")
    verdicts = [f"`{metric.name}`: {text}" for metric, _, text in verdict_sentences(comparison)]
    if verdicts:
        parts += ["## Verdicts", _items(verdicts)]
    parts += ["## Experiments", _table(cost_table(comparison))]
    if comparison.differing:
        parts += ["## What differs", _table(difference_table(comparison))]
    parts += ["## Metrics", _table(metric_table(comparison))]
    if comparison.notes:
        parts += ["## Notes", _items(comparison.notes)]
    return "\n\n".join(parts) + "\n"


def _items(texts: tuple[str, ...] | list[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _table(table: Table) -> str:
    rule = ["---:" if index in table.numbers else "---" for index in range(len(table.header))]
    rows = [[title.lower() if len(title) > 1 else title for title in table.header], rule, *table.rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
