"""An experiment whose choices are changed: what stands there for choices that are no longer made.

Where `--set` chooses another component, the options of the old one must not stand in its way: as where a
file that `extends` another names another component, the new one begins with its own defaults. A resolved
file holds every default besides, so that a key in it may be one that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganlab.components import EvaluatorComponent, LossComponent
from ganlab.config.document import Document
from ganlab.kinds import KINDS, kind_at
from ganlab.registry import Registry, UnknownComponentError

__all__ = ["without_leftovers"]


def without_leftovers(
    document: Document, registry: Registry, written: Document, overrides: Sequence[str] = ()
) -> Document:
    """Return a document without what it says of components that are no longer chosen.

    What goes is the old component's options, a label that was its name, and what the new component
    forbids; of a resolved file, also a metric of an evaluator's that is gone. What `--set` says stays, and
    of what a resolved file was extended by, all.

    Args:
        document: the experiment with the overrides laid over it.
        registry: the components that there are.
        written: the experiment before that.
        overrides: `dotted.path=VALUE` each.
    """
    said = [override.partition("=")[0].strip() for override in overrides]
    chosen = {
        path: str(table.get("name", kind.default))
        for kind in KINDS.values()
        for path, table in kind.tables(written.values)
        if isinstance(table, dict)
    }
    leftovers = {
        path
        for path in _of_components(document.values, chosen, registry)
        if not any(_overlap(path, each) for each in said)
    }
    provenance = document.values.get("provenance")
    entries = provenance.get("components") if isinstance(provenance, dict) else None
    if not isinstance(entries, list):
        return replace(document, values=_without(document.values, "", leftovers))
    resolved, _ = document.places.get("provenance", (None, None))
    was = {
        str(entry.get("path")): str(entry.get("component")) for entry in entries if isinstance(entry, dict)
    }
    leftovers |= {
        path
        for path in _of_components(document.values, was, registry)
        if document.places.get(path, (None, None))[0] == resolved
    }
    values = _without(document.values, "", leftovers)
    best = _gone_metric(values)
    if best and document.places.get(best, (None, None))[0] == resolved:
        values = _without(values, "", {best})
    return replace(document, values=values)


def _overlap(path: str, other: str) -> bool:
    """Return whether one path is the other, or leads to it."""
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


def _of_components(values: Any, was: Mapping[str, str], registry: Registry) -> Iterator[str]:
    """Yield the paths of keys that belong to another component than a table chooses now.

    Args:
        values: an experiment's nested tables.
        was: the component that a table chose before, by the table's path.
        registry: the components that there are.
    """
    for path, component_then in was.items():
        old = component_then.rpartition("/")[2]
        table = _at(values, path)
        name = table.get("name") if isinstance(table, dict) else None
        if not isinstance(name, str) or name.rpartition("/")[2] == old:
            continue
        kind = kind_at(path)
        if kind is None:
            continue
        try:
            component = registry.get(kind.name, name).component
        except UnknownComponentError:
            continue
        yield from (f"{path}.{key}" for key in table if key not in kind.core_keys)
        if table.get("label") == old:
            yield f"{path}.label"
        if isinstance(component, EvaluatorComponent) and component.features_of is not None:
            yield f"{path}.features"
        if isinstance(component, LossComponent) and not component.takes_features and "features" in table:
            yield f"{path}.features"


def _gone_metric(values: Any) -> str:
    """Return the path of `checkpoint.best` where no evaluator bears its label."""
    best, evaluators = _at(values, "checkpoint.best"), values.get("evaluators", [])
    if not isinstance(best, str) or not isinstance(evaluators, list):
        return ""
    tables = [table for table in evaluators if isinstance(table, dict)]
    labels = [str(table.get("label", table.get("name"))) for table in tables]
    measured = any(best == label or best.startswith(f"{label}.") for label in labels)
    return "" if measured else "checkpoint.best"


def _at(values: Any, path: str) -> Any:
    """Return what stands at a path, indices included; `None` if nothing does."""
    for part in path.split("."):
        if isinstance(values, list):
            values = values[int(part)] if part.isdecimal() and int(part) < len(values) else None
        else:
            values = values.get(part) if isinstance(values, dict) else None
    return values


def _without(value: Any, path: str, leftovers: set[str]) -> Any:
    if isinstance(value, list):
        return [_without(inner, f"{path}.{index}", leftovers) for index, inner in enumerate(value)]
    if not isinstance(value, dict):
        return value
    paths = {key: f"{path}.{key}" if path else key for key in value}
    return {key: _without(value[key], paths[key], leftovers) for key in value if paths[key] not in leftovers}
