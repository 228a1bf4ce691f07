"""Which lines a run's numbers are: a metric's own, its margins, and its floor's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganlab import tags

__all__ = ["constant_rates", "divide"]


def divide(values: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the numbers that are the run's own lines, and those of its floors, each under its metric's tag.

    Where a metric has a standard error, both have margins.

    Args:
        values: by tag, with standard errors and floors beside their metrics.
    """
    own: dict[str, float] = {}
    floors: dict[str, float] = {}
    for tag, value in values.items():
        if _stands_beside(tag, values):
            continue
        own[tag] = value
        error = values.get(tag + tags.STANDARD_ERROR)
        if error is not None:
            own |= _margins(tag, value, error)
        floor = values.get(tag + tags.FLOOR)
        if floor is None:
            continue
        floors[tag] = floor
        if error is not None:
            floors |= _margins(tag, floor, values.get(tag + tags.FLOOR + tags.STANDARD_ERROR, error))
    return own, floors


def constant_rates(experiment: Mapping[str, Any]) -> frozenset[str]:
    """Return the tags of learning rates that stay what the experiment says."""
    return frozenset(
        tags.learning_rate(player)
        for player, settings in experiment.get("optimizer", {}).items()
        if settings.get("schedule") == "constant" and not settings.get("warmup_steps")
    )


def _stands_beside(tag: str, values: Mapping[str, float]) -> bool:
    stem = tag.removesuffix(tags.STANDARD_ERROR).removesuffix(tags.FLOOR)
    return stem != tag and stem in values


def _margins(tag: str, value: float, error: float) -> dict[str, float]:
    """Return what a chart draws of a value: it and two standard errors to both sides.

    TensorBoard's logarithmic axis reaches down to 1e-323 where anything on it is not positive, and an
    unbiased estimate of what is nearly 0, as MMD² is at the floor, often is not. What cannot be told from
    0 is therefore drawn at half a standard error. A value far below 0 is meant, and stays what it is.
    """

    def drawn(number: float) -> float:
        return number if value < -2 * error else max(number, error / 2)

    numbers = {"low": value - 2 * error, "middle": value, "high": value + 2 * error}
    return {tags.margin(tag, part): drawn(number) for part, number in numbers.items()}
