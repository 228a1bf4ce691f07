"""The charts of the CUSTOM SCALARS page."""

from __future__ import annotations

import re
from collections.abc import Iterable

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

__all__ = ["layout_for", "layout_summary"]

_BOTH = "(real|fake)$"

# TensorBoard merges equal charts of several runs, so what a chart shows is a fixed
# pattern and never the tags that one run happens to have.
_LINES = (
    ("Losses", "Discriminator", tags.losses("discriminator")),
    ("Losses", "Generator", tags.losses("generator")),
    ("Balance", "Mean probability of being real, as the discriminator sees it", tags.probability(_BOTH)),
    ("Balance", "Mean logits of real and of fake samples", tags.logits(_BOTH)),
    ("Training", "Gradient norms", tags.GRADIENT_NORMS),
    ("Training", "Learning rates", tags.LEARNING_RATES),
    ("Speed", "Images per second", f"{tags.IMAGES_PER_SECOND}$"),
    ("Speed", "Share of the time spent waiting for data", f"{tags.DATA_WAIT}$"),
    ("Speed", "Memory", tags.MEMORY),
)
_CATEGORIES = ("Losses", "Balance", "Evaluation", "Training", "Speed")
_BESIDE = (tags.FLOOR, tags.STANDARD_ERROR)


def layout_for(shown: Iterable[str]) -> Layout:
    """Return a chart for everything among the tags shown that there is something to see of."""
    present = sorted(shown)
    charts: dict[str, list[Chart]] = {category: [] for category in _CATEGORIES}
    if tags.ACCURACY in present:
        charts["Balance"].append(_accuracy_chart())
    for category, title, pattern in _LINES:
        if any(re.match(pattern, tag) for tag in present):
            charts[category].append(_lines(title, pattern))
    for tag in present:
        measured = tags.evaluator_and_metric(tag)
        if measured and not _stands_beside(tag, present):
            label, metric = measured
            name = label if metric in (label, "") else f"{label} {metric}"
            title = f"{name}, and its floor: real against held-out real"
            charts["Evaluation"].append(_lines(title, f"{re.escape(tag)}({tags.FLOOR})?$"))
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


def _accuracy_chart() -> Chart:
    series = MarginChartContent.Series(
        value=tags.ACCURACY, lower=tags.ACCURACY_BAND_LOW, upper=tags.ACCURACY_BAND_HIGH
    )
    return Chart(
        title="Discriminator accuracy, and the 95 % band of as many coin flips",
        margin=MarginChartContent(series=[series]),
    )


def _stands_beside(tag: str, present: list[str]) -> bool:
    return any(tag.endswith(suffix) and tag.removesuffix(suffix) in present for suffix in _BESIDE)
