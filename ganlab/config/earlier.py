"""Resolved experiments of earlier versions, so that a run goes on as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["up_to_date"]


def up_to_date(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment's tables with what a resolved one of an earlier version left unsaid.

    Args:
        values: content of an experiment file. What is missing from one that a person wrote is a
            default; a file that ganlab resolved has `[provenance]`, and every default of its day.
    """
    dataset = values.get("dataset")
    if "provenance" not in values or not isinstance(dataset, dict) or "split_seed" in dataset:
        return dict(values)
    # The samples held out once depended on the experiment's seed.
    return {**values, "dataset": {**dataset, "split_seed": values.get("seed", 0)}}
