"""The resolved experiment: every default written out, and what it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import ganlab
from ganlab.components import ImageSpec
from ganlab.config.checks import best_metric
from ganlab.config.draft import Draft
from ganlab.config.experiment import Experiment
from ganlab.config.options import option_values
from ganlab.config.selection import EvaluatorSelection, Selection, by_label
from ganlab.config.settings import ImageSettings, PinnedStart, ProvenanceSettings, Settings
from ganlab.config.toml_writer import toml_document
from ganlab.paths import parse_path, path_text

__all__ = [
    "dump_resolved",
    "evaluator_table",
    "image_spec",
    "provenance_warnings",
    "relocate_plugins",
    "resolve",
    "with_pinned_start",
]


def dump_resolved(experiment: Experiment) -> str:
    """Return the resolved experiment as TOML; `ganlab run` on it repeats the run."""
    return toml_document(experiment.resolved)


def with_pinned_start(experiment: Experiment, pinned: PinnedStart) -> Experiment:
    """Return an experiment with `[start]` that says what it begins with, wherever that is repeated."""
    start = experiment.settings.start
    assert start is not None
    settings = experiment.settings.model_copy(update={"start": start.model_copy(update={"pinned": pinned})})
    table = {**experiment.resolved["start"], "pinned": pinned.model_dump(mode="json")}
    return replace(experiment, settings=settings, resolved={**experiment.resolved, "start": table})


def relocate_plugins(resolved: Mapping[str, Any], moved: Mapping[Path, str]) -> dict[str, Any]:
    """Return a resolved experiment whose local plugins are read from elsewhere.

    Args:
        resolved: `Experiment.resolved`.
        moved: absolute path of a plugin -> the path to write instead, relative to where the
            resolved experiment will stand.
    """
    plugins = [moved.get(parse_path(plugin), plugin) for plugin in resolved.get("plugins", [])]
    return {**resolved, "plugins": plugins}


def image_spec(settings: ImageSettings, suggestion: ImageSpec) -> ImageSpec:
    """Return what `[image]` means where the dataset's suggestion fills in what it leaves out."""
    return ImageSpec(
        channels=settings.channels or suggestion.channels,
        height=settings.size or settings.height or suggestion.height,
        width=settings.size or settings.width or suggestion.width,
        classes=suggestion.classes,
    )


def resolve(settings: Settings, draft: Draft, image: ImageSpec | None) -> dict[str, Any]:
    """Return the experiment as nested tables without `None`, every default and option filled in.

    Args:
        settings: the core's keys.
        draft: a draft without problems.
        image: what an image is; `None` for samples of other kinds.
    """
    resolved = settings.model_dump(mode="json", exclude={"image", "provenance"})
    resolved["plugins"] = [
        path_text(plugin.found.file) if plugin.found.file else plugin.found.name
        for plugin in draft.registry.plugins
        if plugin.found.requested
    ]
    if image is not None:
        resolved["image"] = settings.image.model_dump(mode="json", exclude={"size"})
        resolved["image"] |= {"height": image.height, "width": image.width, "channels": image.channels}
    for path, selection in draft.selections.items():
        _write(resolved, path, selection)
    best = best_metric(settings.checkpoint.best, draft)
    resolved["checkpoint"]["best"] = f"{best.label}.{best.metric.name}" if best else None
    resolved["provenance"] = _provenance(draft)
    cleaned: dict[str, Any] = _without_none(resolved)
    order = {name: index for index, name in enumerate(Settings.model_fields)}
    return dict(sorted(cleaned.items(), key=lambda item: order[item[0]]))


def evaluator_table(selection: EvaluatorSelection) -> dict[str, Any]:
    """Return what an entry of a resolved experiment's `[[evaluators]]` says that chose the same."""
    table, features = _table(selection), selection.features
    if features.path == f"{selection.path}.features":  # features that it is defined on have no table
        table["features"] = _table(features)
    cleaned: dict[str, Any] = _without_none(table)
    return cleaned


def _write(resolved: dict[str, Any], path: str, selection: Selection[Any, Any]) -> None:
    """Put a component's whole table where it belongs."""
    *holders, last = path.split(".")
    holder: Any = resolved
    for key in holders:
        holder = holder[int(key)] if isinstance(holder, list) else holder[key]
    if selection.path == path:  # features that an evaluator is defined on have no table
        holder[int(last) if isinstance(holder, list) else last] = _table(selection)


def _table(selection: Selection[Any, Any]) -> dict[str, Any]:
    """Return a component's table: the core's keys as given, its options in full."""
    table = selection.settings.model_dump(mode="json")
    if "label" in table:
        table["label"] = selection.label
    return {**table, **option_values(selection.options)}


def _provenance(draft: Draft) -> dict[str, Any]:
    return {
        "ganlab": ganlab.__version__,
        "components": [
            {
                "path": path,
                "component": offer.qualified_name,
                "plugin": offer.provenance.plugin,
                "version": offer.provenance.version or None,
            }
            for path, offer in draft.offers.items()
            if offer
        ],
        "files": [
            {"name": file.name, "sha256": file.sha256}
            for plugin in draft.registry.plugins
            for file in plugin.files
        ],
        "inputs": [
            {"option": option, "sha256": digest} for option, digest in _named_contents(draft.selections)
        ],
    }


def _named_contents(selections: Mapping[str, Selection[Any, Any]]) -> Iterator[tuple[str, str]]:
    """Yield options that name files or other content, with digests; the dataset has its own."""
    for path, selection in by_label(selections):
        if path == "dataset":
            continue
        files = {key: _digest(value) for key, value in selection.options if isinstance(value, Path)}
        for key, digest in {**files, **selection.options.named_contents()}.items():
            if digest:
                yield f"{path}.{key}", digest


def _digest(path: Path) -> str | None:
    """Return the digest of a file's content; `None` where there is no such file, or it cannot be read."""
    try:
        about = path.stat()
        return _digest_of(path, about.st_size, about.st_mtime_ns) if path.is_file() else None
    except (OSError, ValueError):
        return None


@cache
def _digest_of(path: Path, size: int, modified: int) -> str:
    """Digest a file once, as long as it stays as it is: weights may be large."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value


def provenance_warnings(recorded: ProvenanceSettings | None, resolved: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is installed or written differently from when an experiment was resolved."""
    if recorded is None:
        return ()
    now = ProvenanceSettings.model_validate(resolved["provenance"])
    warnings = []
    if recorded.ganlab != now.ganlab:
        warnings.append(f"resolved by ganlab {recorded.ganlab}; this is {now.ganlab}")
    current = {entry.path: entry for entry in now.components}
    for entry in recorded.components:
        other = current.get(entry.path)
        if other and (entry.component, entry.version) != (other.component, other.version):
            was, is_now = (f"{side.component} {side.version}".strip() for side in (entry, other))
            warnings.append(f"{entry.path} was {was}; it is now {is_now}")
    digests = {file.name: file.sha256 for file in now.files}
    for file in recorded.files:
        if digests.get(file.name) != file.sha256:
            what = "has changed" if file.name in digests else "is no longer used"
            warnings.append(f"the plugin file {file.name} {what} since the experiment was resolved")
    contents = {each.option: each.sha256 for each in now.inputs}
    for each in recorded.inputs:
        if contents.get(each.option, each.sha256) != each.sha256:
            warnings.append(f"what is named by {each.option} has changed since the experiment was resolved")
    return tuple(warnings)
