"""What is said of every measured number: which way is better, and which features it is of."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Direction", "badness", "features_text"]

Direction: TypeAlias = Literal["lower", "higher"]
"""Which way a metric is better."""


def badness(value: float, better: Direction | None) -> float:
    """Return what is lower for a better value: to sort by, and to compare.

    Args:
        value: of the metric, or a difference of two.
        better: which way the metric is better; lower, where neither is.
    """
    return -value if better == "higher" else value


def features_text(features: str | None, protocol: str | None) -> str:
    """Return features as people read them: the extractor, and its preprocessing where it has several."""
    return " ".join(filter(None, (features, protocol)))
