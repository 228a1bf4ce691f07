"""What is said of every measured number: which way is better, and which features it is of."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

__all__ = ["Direction", "badness", "features_text", "rounded", "with_error"]

Direction: TypeAlias = Literal["lower", "higher"]
"""Which way a metric is better."""


def badness(value: float, better: Direction | None) -> float:
    """Return what is lower for a better value: to sort by, and to compare.

    Args:
        value: of the metric, or a difference of two.
        better: which way the metric is better; lower, where neither is.
    """
    return -value if better == "higher" else value


def rounded(value: float, error: float | None) -> str:
    """Return a number to the second digit of its standard error, where it has one."""
    if not error or not math.isfinite(error):
        return f"{value:.4g}"
    return f"{value:.{max(0, 1 - math.floor(math.log10(error)))}f}"


def with_error(value: float, error: float | None) -> str:
    """Return a number with its standard error, where it has one, as people write it."""
    return rounded(value, error) + ("" if error is None else f" ± {error:.2g}")


def features_text(features: str | None, protocol: str | None) -> str:
    """Return features as people read them: the extractor, and its preprocessing where it has several."""
    return " ".join(filter(None, (features, protocol)))
