"""What is said of every measured number: which way is better, and which features it is of."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

__all__ = ["Direction", "badness", "error_text", "features_text", "floor_text", "rounded", "with_error"]

_LONGEST_WHOLE = 1e6

Direction: TypeAlias = Literal["lower", "higher"]
"""Which way a metric is better."""


def badness(value: float, better: Direction | None) -> float:
    """Return what is lower for a better value: to sort by, and to compare.

    Args:
        value: of the metric, or a difference of two.
        better: which way the metric is better; lower, where neither is.
    """
    return -value if better == "higher" else value


def with_error(value: float, error: float | None) -> str:
    """Return a number with its standard error, where it has one, as people write it: `0.7460 ± 0.0070`."""
    return rounded(value, error) + ("" if error is None else f" ± {error_text(error)}")


def rounded(value: float, error: float | None, *, digits: int = 4) -> str:
    """Return a number to the second digit of its standard error, or of its units where that is coarser.

    Args:
        value: any number.
        error: its standard error; `None`, zero or not finite where that says nothing.
        digits: significant ones, where there is no standard error to say how many are.
    """
    if error and math.isfinite(error):
        return f"{value:.{_decimals(error)}f}"
    whole = 10 ** (digits - 1) <= abs(value) < _LONGEST_WHOLE  # no power of ten where a few digits will do
    return f"{value:.0f}" if whole else f"{value:.{digits}g}"


def error_text(error: float) -> str:
    """Return a standard error to its second digit, with its number's decimals: `120`, `0.0070`."""
    if not error or not math.isfinite(error):
        return f"{error:g}"
    return f"{float(f'{error:.1e}'):.{_decimals(error)}f}"


def floor_text(floor: float, error: float | None) -> str:
    """Return a floor to the second digit of its own standard error, or to three digits without one."""
    return rounded(floor, error, digits=3)


def _decimals(error: float) -> int:
    """Return how many decimals have the first two digits of a standard error, rounded, among them."""
    return max(0, 1 - int(f"{error:.1e}".partition("e")[2]))


def features_text(features: str | None, protocol: str | None) -> str:
    """Return features as people read them: the extractor, and its preprocessing where it has several."""
    return " ".join(filter(None, (features, protocol)))
