"""A comparison as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganlab.comparison import charts
from ganlab.comparison.report import (
    cost_table,
    difference_table,
    fairness_sentences,
    marks,
    metric_table,
    moment_words,
    verdict_sentences,
)
from ganlab.comparison.result import Comparison
from ganlab.comparison.statistics import SIGNIFICANT
from ganlab.files import explained

__all__ = ["to_html"]

_SHOWN_SEEDS = 3
"""Seeds whose pictures are shown: a page has to open."""


def to_html(comparison: Comparison) -> str:
    """Return the page: verdicts, tables, curves and pictures, in light and dark.

    Raises:
        GanlabError: a picture cannot be read.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("ganlab.comparison", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    unequal, equal = fairness_sentences(comparison)
    return templates.get_template("page.html").render(
        comparison=comparison,
        marks=marks(comparison),
        moment=moment_words(comparison),
        unequal=unequal,
        equal=equal,
        verdicts=[
            (metric.name, pair.adjusted is not None and pair.adjusted < SIGNIFICANT, text)
            for metric, pair, text in verdict_sentences(comparison)
        ],
        costs=cost_table(comparison),
        differences=difference_table(comparison),
        metrics=metric_table(comparison),
        figures=list(_figures(comparison)),
        charts=charts,
        pictures=list(_pictures(comparison)),
        more_pictures=max(0, len(comparison.pictures) - _SHOWN_SEEDS),
    )


def _figures(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for number, metric in enumerate(comparison.metrics):
        drawn = [chart for axis in charts.AXES if (chart := charts.draw(metric, axis)) is not None]
        if drawn:
            yield {"number": number, "metric": metric, "charts": drawn}


def _pictures(comparison: Comparison) -> Iterator[tuple[int, list[str | None]]]:
    for seed, paths in list(comparison.pictures.items())[:_SHOWN_SEEDS]:
        yield seed, [None if path is None else _inline(path) for path in paths]


def _inline(path: Path) -> str:
    with explained(f"cannot read {path}"):
        return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
