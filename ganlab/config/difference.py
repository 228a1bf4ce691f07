"""What is different between the experiment that a run was, and the one that is to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from ganlab.config.experiment import Experiment
from ganlab.config.selection import Selection, by_label
from ganlab.config.settings import Settings
from ganlab.config.toml_writer import toml_value
from ganlab.kinds import KINDS

__all__ = ["Difference", "differences", "flatten"]

_NOT_COMPARED = {"training.steps", "plugins", "provenance"}
"""A longer run is the same run; plugins are compared by their files' content."""


@dataclass(frozen=True)
class Difference:
    """One key that differs.

    Attributes:
        path: dotted; entries of arrays go by their label, as in `losses.r1.weight`.
        before: what it was, as TOML; `None` where there was none.
        now: what it is.
    """

    path: str
    before: str | None
    now: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.path}: added ({self.now})"
        if self.now is None:
            return f"{self.path}: removed ({self.before})"
        return f"{self.path}: {self.before} -> {self.now}"


def differences(before: Mapping[str, Any], now: Experiment) -> list[Difference]:
    """Return what differs, in the order of the new experiment.

    Files that options name, such as weights of features, are compared by their content where it was
    recorded. Not compared are `training.steps`, where the dataset's files lie (the data itself is
    known by its content), versions of installed packages, keys that an earlier version did
    not know, as long as they have their defaults, how samples are held out where none are, and
    which weights `[start]` turned out to be where the new one leaves that to be found.

    Args:
        before: content of a run's `resolved.toml`.
        now: the experiment that is to go on.
    """
    passed_over = _NOT_COMPARED | set(_locations(now.dataset))
    old, new = (dict(flatten(tables, "")) for tables in (before, now.resolved))
    if old.get("dataset.holdout") == new.get("dataset.holdout") == 0:
        passed_over.add("dataset.split_seed")
    if "pinned" not in now.resolved.get("start", {}):
        passed_over |= {path for path in old if path.startswith("start.pinned.")}
    contents = [_digests(tables) for tables in (before, now.resolved)]
    old = {**{path: value for path, value in _defaults(now, old).items() if path in new}, **old}
    found = []
    for path in dict.fromkeys([*new, *old]):
        top = path.partition(".")[0]
        sides = [old.get(path), new.get(path)]
        if all(path in side for side in contents):
            sides = [f"{value} ({side[path][:8]})" for side, value in zip(contents, sides, strict=True)]
            if contents[0][path] == contents[1][path]:
                continue
        if path in passed_over or top in passed_over or sides[0] == sides[1]:
            continue
        texts = [None if value is None else toml_value(value) for value in sides]
        found.append(Difference(path, *texts))
    return [*found, *_changed_files(before, now.resolved)]


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted paths and values; an entry of an array of tables goes by its label.

    Args:
        value: nested tables.
        path: what stands before every path; empty for a whole experiment.
    """
    if isinstance(value, Mapping) and (value or not path):
        for key, item in value.items():
            yield from flatten(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from flatten(item, f"{path}.{item.get('label') or item.get('name') or index}")
    else:
        yield path, list(value) if isinstance(value, tuple) else value


def _changed_files(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield local plugin files whose content is not what it was."""
    old, new = (
        {file["name"]: file["sha256"] for file in tables.get("provenance", {}).get("files", ())}
        for tables in (before, now)
    )
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            short = [side[name][:8] if name in side else None for side in (old, new)]
            yield Difference(f"plugin file {name}", *short)


def _digests(tables: Mapping[str, Any]) -> dict[str, str]:
    """Return digests of the files that options name, by the options' paths."""
    return {each["option"]: each["sha256"] for each in tables.get("provenance", {}).get("inputs", ())}


def _locations(dataset: Selection[Any, Any]) -> Iterator[str]:
    """Yield the paths of the dataset's options that say where its files lie."""
    for name, field in type(dataset.options).model_fields.items():
        if _mentions_path(field.annotation):
            yield f"dataset.{name}"


def _defaults(now: Experiment, old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default of each of the core's keys, and of those of components that `old` has, too."""
    defaults = dict(_defaults_of(Settings, ""))
    for path, selection in by_label(now.selections):
        if f"{path}.name" in old:
            defaults |= _defaults_of(KINDS[selection.component.kind].settings, path)
            defaults |= _defaults_of(type(selection.options), path)
    return {path: value for path, value in defaults.items() if value is not None}


def _defaults_of(model: type[BaseModel], path: str) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        inner = f"{path}.{name}" if path else name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _defaults_of(field.annotation, inner)
        elif not field.is_required():
            default = field.get_default(call_default_factory=True, validated_data={})
            yield from flatten(default.model_dump() if isinstance(default, BaseModel) else default, inner)


def _mentions_path(annotation: Any) -> bool:
    is_path = isinstance(annotation, type) and issubclass(annotation, Path)
    return is_path or any(_mentions_path(part) for part in get_args(annotation))
