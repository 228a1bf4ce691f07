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

__all__ = ["ACCURACY", "BAND_HIGH", "BAND_LOW", "layout_for", "layout_summary"]

ACCURACY = "balance/accuracy"
BAND_LOW = "balance/accuracy_band_low"
BAND_HIGH = "balance/accuracy_band_high"

# TensorBoard merges equal charts of several runs, so what a chart shows is a fixed
# pattern and never the tags that one run happens to have.
_LINES = (
    ("Losses", "Discriminator", r"loss/discriminator/"),
    ("Losses", "Generator", r"loss/generator/"),
    ("Balance", "Mean probability of being real, as the discriminator sees it", r"balance/p_(real|fake)$"),
    ("Balance", "Mean logits of real and of fake samples", r"logits/(real|fake)$"),
    ("Training", "Gradient norms", r"gradient_norm/"),
    ("Training", "Learning rates", r"learning_rate/"),
    ("Speed", "Images per second", r"speed/images_per_second$"),
    ("Speed", "Share of the time spent waiting for data", r"speed/data_wait$"),
    ("Speed", "Memory", r"memory/"),
)
_CATEGORIES = ("Losses", "Balance", "Evaluation", "Training", "Speed")
_BESIDE = ("_floor", "_standard_error")


def layout_for(tags: Iterable[str]) -> Layout:
    """Return a chart for everything among the tags that there is something to see of."""
    present = sorted(tags)
    charts: dict[str, list[Chart]] = {category: [] for category in _CATEGORIES}
    if ACCURACY in present:
        charts["Balance"].append(_accuracy_chart())
    for category, title, pattern in _LINES:
        if any(re.match(pattern, tag) for tag in present):
            charts[category].append(_lines(title, pattern))
    for tag in present:
        if tag.startswith("evaluation/") and not _stands_beside(tag, present):
            label, _, metric = tag.removeprefix("evaluation/").partition("/")
            name = label if metric in (label, "") else f"{label} {metric}"
            title = f"{name}, and its floor: real against held-out real"
            charts["Evaluation"].append(_lines(title, rf"{re.escape(tag)}(_floor)?$"))
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
    series = MarginChartContent.Series(value=ACCURACY, lower=BAND_LOW, upper=BAND_HIGH)
    return Chart(
        title="Discriminator accuracy, and the 95 % band of as many coin flips",
        margin=MarginChartContent(series=[series]),
    )


def _stands_beside(tag: str, present: list[str]) -> bool:
    return any(tag.endswith(suffix) and tag.removesuffix(suffix) in present for suffix in _BESIDE)
