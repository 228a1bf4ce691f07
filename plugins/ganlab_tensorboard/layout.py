"""The charts of the CUSTOM SCALARS page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar import metadata
from tensorboard.plugins.custom_scalar.layout_pb2 import (
    Category,
    Chart,
    Layout,
    MarginChartContent,
    MultilineChartContent,
)

from ganlab import tags

if TYPE_CHECKING:
    from ganlab import Metric

__all__ = ["layout_for", "layout_summary"]

_BOTH = "(real|fake)$"

# TensorBoard merges equal charts of several runs, so what a chart shows is a fixed
# pattern and never the tags that one run happens to have.
_LINES = (
    ("Losses", "The discriminator's", tags.losses("discriminator")),
    ("Losses", "The generator's", tags.losses("generator")),
    ("Balance", "Mean probability of being real, of real and of fake samples", tags.probability(_BOTH)),
    ("Balance", "Mean logits of real and of fake samples", tags.logits(_BOTH)),
    ("Training", "Gradient norms", tags.GRADIENT_NORMS),
    ("Training", "Learning rates", tags.LEARNING_RATES),
    ("Speed", "Images per second", f"{tags.IMAGES_PER_SECOND}$"),
    ("Speed", "Share of the time spent waiting for data", f"{tags.DATA_WAIT}$"),
    ("Speed", "Memory at its peak, in MiB", tags.MEMORY),
)
_WITH_ERRORS, _WITHOUT_ERRORS = "Metrics, ± 2 standard errors", "Metrics without standard errors"
# Within a category TensorBoard draws what has margins behind what has none.
_CATEGORIES = (_WITH_ERRORS, _WITHOUT_ERRORS, "Balance", "Losses", "Training", "Speed")


def layout_for(shown: Iterable[str], metrics: Mapping[str, Sequence[Metric]]) -> Layout:
    """Return a chart for everything among the tags shown that there is something to see of.

    Args:
        shown: tags of scalars.
        metrics: what each evaluator measures, by its label.
    """
    present = sorted(shown)
    charts: dict[str, list[Chart]] = {category: [] for category in _CATEGORIES}
    if tags.ACCURACY in present:
        title = "Accuracy, and the 95 % band of as many coin flips"
        charts["Balance"].append(_band(title, tags.ACCURACY, tags.ACCURACY))
    for category, title, pattern in _LINES:
        if any(re.match(pattern, tag) for tag in present):
            charts[category].append(_lines(title, pattern))
    for measured in sorted(_measured(present, metrics), key=lambda each: each.place):
        middle = tags.margin(measured.tag, "middle")
        if middle in present:
            charts[_WITH_ERRORS].append(_band(measured.title, measured.tag, middle))
        else:
            charts[_WITHOUT_ERRORS].append(_lines(measured.title, f"{re.escape(measured.tag)}$"))
    return Layout(
        category=[Category(title=title, chart=content) for title, content in charts.items() if content]
    )


def layout_summary(layout: Layout) -> Summary:
    """Return the summary under which TensorBoard looks for a layout; the last one written counts."""
    tensor = TensorProto(dtype=DT_STRING, string_val=[layout.SerializeToString()])
    return Summary(
        value=[
            Summary.Value(
                tag=metadata.CONFIG_SUMMARY_TAG, tensor=tensor, metadata=metadata.create_summary_metadata()
            )
        ]
    )


def _lines(title: str, pattern: str) -> Chart:
    return Chart(title=title, multiline=MultilineChartContent(tag=[pattern]))


def _band(title: str, tag: str, middle: str) -> Chart:
    series = MarginChartContent.Series(
        value=middle, lower=tags.margin(tag, "low"), upper=tags.margin(tag, "high")
    )
    return Chart(title=title, margin=MarginChartContent(series=[series]))


@dataclass(frozen=True)
class _Measured:
    """A metric that is shown: its tag, its title (`MMD² on wavelet features`), and its place among others."""

    tag: str
    title: str
    place: tuple[int, int]


def _measured(present: Iterable[str], metrics: Mapping[str, Sequence[Metric]]) -> Iterator[_Measured]:
    labels = list(metrics)
    for tag in present:
        label, rest = tags.evaluator_and_metric(tag) or ("", "")
        fitting = [metric for metric in metrics.get(label, ()) if rest.startswith(f"{metric.name}-")]
        if fitting:
            metric = max(fitting, key=lambda metric: len(metric.name))
            # The label says more only where it is not the metric's own name, or something like it.
            beside = "" if metric.name.startswith(label) else f" ({label})"
            title = (
                f"{metric.title or metric.name} on {rest.removeprefix(f'{metric.name}-')} features{beside}"
            )
            yield _Measured(tag, title, (labels.index(label), list(metrics[label]).index(metric)))
        elif label:
            yield _Measured(tag, f"{label}: {rest}", (len(labels), 0))
