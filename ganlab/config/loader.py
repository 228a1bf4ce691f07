"""From a TOML file to a validated experiment, or to every reason why not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganlab.components import DatasetComponent, LatentSpec
from ganlab.config.checks import best_metric, check_together
from ganlab.config.choosing import choose
from ganlab.config.document import Document, document_of, read_document
from ganlab.config.draft import Draft
from ganlab.config.experiment import Experiment
from ganlab.config.leftovers import without_leftovers
from ganlab.config.origin import Origin
from ganlab.config.overrides import apply_overrides
from ganlab.config.resolve import image_spec, provenance_warnings, resolve
from ganlab.config.settings import Settings
from ganlab.config.validation import check_settings, check_values
from ganlab.errors import ExperimentError, Problem, printable
from ganlab.files import exists
from ganlab.paths import parse_path
from ganlab.registry import Registry, load_registry

__all__ = ["load_experiment", "requested_plugins"]


def load_experiment(
    source: Path | str | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    plugins: Sequence[str] = (),
    disabled: Collection[str] = (),
) -> Experiment:
    """Read, check and resolve an experiment. Nothing is built, and torch is not imported.

    Args:
        source: the experiment file; or its content as nested tables, whose paths are relative to the
            working directory.
        overrides: `dotted.path=VALUE` each, as `--set` gives them.
        plugins: local plugins beside the experiment's own, relative to the working directory.
        disabled: installed plugins that are not to be imported.

    Raises:
        ExperimentError: every problem that was found.
        UsageError: `disabled` names a plugin that is not there.
    """
    written = document_of(source) if isinstance(source, Mapping) else read_document(Path(source))
    document = apply_overrides(written, overrides)
    origin = Origin(document.places, overrides)
    requested = requested_plugins(document, origin)
    registry = load_registry(plugins=[*requested.values(), *plugins], disabled=disabled)
    document = without_leftovers(document, registry, written, overrides)
    settings, problems = check_settings(document.values, origin)
    draft, more = choose(document, registry, origin)
    problems += _plugin_problems(registry, requested, plugins, origin)
    problems += more
    unusable = list(check_values(document.values, origin))
    paths = {problem.path for problem in unusable}
    problems = [*unusable, *(problem for problem in problems if problem.path not in paths)]
    problems += check_together(draft)
    if problems or settings is None:
        raise ExperimentError(_in_order(problems, document))
    return _experiment(document, settings, draft)


def requested_plugins(document: Document, origin: Origin) -> dict[str, str]:
    """Return the experiment's own plugins: key -> path from the file that asks for it, or module name."""
    given = document.values.get("plugins")
    result = {}
    for index, plugin in enumerate(given if isinstance(given, list) else []):
        if not isinstance(plugin, str):
            continue
        path = f"plugins.{index}"
        file, _ = origin.find(path)
        try:
            anchored = Path(file.parent if file else Path.cwd(), parse_path(plugin))
        except ValueError:
            result[path] = plugin  # whoever looks for it says what is wrong
            continue
        is_module = "/" not in plugin and not plugin.endswith(".py") and not exists(anchored)
        result[path] = plugin if is_module else str(anchored)
    return result


def _plugin_problems(
    registry: Registry, requested: dict[str, str], plugins: Sequence[str], origin: Origin
) -> list[Problem]:
    """Return the failures of plugins that were asked for by name; the others may be of no concern."""
    problems = [
        origin.problem(path, failure.message)
        for failure in registry.failures
        for path, plugin in requested.items()
        if failure.requested == plugin
    ]
    asked = set(plugins) - set(requested.values())
    problems += [
        Problem("", f"--plugin {printable(failure.requested)}: {failure.message}")
        for failure in registry.failures
        if failure.requested in asked
    ]
    return problems


def _in_order(problems: list[Problem], document: Document) -> list[Problem]:
    """Return problems once each, in the order of the file, those of `--set` last."""
    unique = {(problem.path, problem.message): problem for problem in problems}
    return sorted(
        unique.values(),
        key=lambda problem: (problem.file is None, problem.file != document.file, problem.line or 0),
    )


def _experiment(document: Document, settings: Settings, draft: Draft) -> Experiment:
    dataset = draft.selections["dataset"].component
    assert isinstance(dataset, DatasetComponent)
    sized = draft.samples is not None and draft.samples.sized_by_image_table
    image = image_spec(settings.image, dataset.image) if sized else None
    resolved = resolve(settings, draft, image)
    final, problems = check_settings(resolved, draft.origin)
    if final is None:
        raise ExperimentError(problems)
    files = {file.name: file.path for plugin in draft.registry.plugins for file in plugin.files}
    return Experiment(
        settings=final,
        selections=draft.selections,
        image=image,
        latent=LatentSpec(final.latent.dim, final.latent.distribution, tuple(final.latent.categories)),
        best=best_metric(final.checkpoint.best, draft),
        resolved=resolved,
        origin=draft.origin,
        file=document.file,
        plugin_files=files,
        registry=draft.registry,
        warnings=provenance_warnings(settings.provenance, resolved),
    )
