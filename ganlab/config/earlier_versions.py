"""Resolved experiments of earlier versions, so that a run continues as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ganlab.hookspecs import PROJECT
from ganlab.kinds import KINDS

__all__ = ["up_to_date"]


def up_to_date(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment's tables with what a resolved one of an earlier version left unsaid.

    Args:
        values: content of an experiment file. What is missing from one that a person wrote is a
            default; a file that ganlab resolved has `[provenance]`, and every default of its day.
    """
    provenance = values.get("provenance")
    if not isinstance(provenance, dict):
        return dict(values)
    return {**values, **_split(values), "provenance": _with_optimizers(values, provenance)}


def _split(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dataset's table with its split; what is held out once depended on the experiment's seed."""
    dataset = values.get("dataset")
    if not isinstance(dataset, dict) or "split_seed" in dataset:
        return {}
    return {"dataset": {**dataset, "split_seed": values.get("seed", 0)}}


def _with_optimizers(values: Mapping[str, Any], provenance: dict[str, Any]) -> dict[str, Any]:
    """Return the provenance with the optimizers', which once were the core's own and no components."""
    components = provenance.get("components")
    if not isinstance(components, list):
        return provenance
    known = {entry.get("path") for entry in components if isinstance(entry, dict)}
    missing = [entry for entry in _optimizers(values, provenance) if entry["path"] not in known]
    return {**provenance, "components": [*components, *missing]}


def _optimizers(values: Mapping[str, Any], provenance: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, table in KINDS["optimizer"].tables(values):
        name = table.get("name") if isinstance(table, dict) else None
        if isinstance(name, str):
            yield {
                "path": path,
                "component": f"{PROJECT}/{name}",
                "plugin": f"{PROJECT}:optimizers",
                "version": provenance.get("ganlab", ""),
            }
