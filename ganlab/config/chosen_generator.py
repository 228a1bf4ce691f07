"""The generator of an experiment alone: whoever samples needs nothing else of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ganlab.components import GeneratorComponent, LatentSpec, SampleSpec
from ganlab.config.choosing import choose
from ganlab.config.document import Document
from ganlab.config.experiment import Experiment
from ganlab.config.loader import requested_plugins
from ganlab.config.origin import Origin
from ganlab.config.selection import Selection
from ganlab.config.settings import LatentSettings
from ganlab.errors import ExperimentError, GanlabError
from ganlab.registry import Offer, Registry, load_registry
from ganlab.registry.plugin import LoadedPlugin

__all__ = ["ChosenGenerator", "choose_generator"]

_PATH = "generator"


@dataclass(frozen=True)
class ChosenGenerator:
    """The generator that an experiment chose, and the noise that it is fed.

    Attributes:
        selection: the component, with its options.
        latent: the noise.
        registry: what there was to choose from.
    """

    selection: Selection[GeneratorComponent]
    latent: LatentSpec
    registry: Registry

    @classmethod
    def of(cls, experiment: Experiment) -> ChosenGenerator:
        """Return what a whole experiment chose."""
        return cls(experiment.generator, experiment.latent, experiment.registry)

    @property
    def offer(self) -> Offer:
        """The component, with the plugin that it came from."""
        return next(offer for offer in self.registry.offers if offer.component is self.selection.component)

    def local_plugins(self, spec: SampleSpec) -> tuple[LoadedPlugin, ...]:
        """Return the local plugins that it cannot be built without.

        Args:
            spec: what it makes, which a plugin may have defined.
        """
        of_spec, own = type(spec).__module__.partition(".")[0], self.offer.provenance.plugin
        local = [plugin for plugin in self.registry.plugins if plugin.found.requested]
        return tuple(plugin for plugin in local if plugin.found.id == own or of_spec in _modules(plugin))


def choose_generator(
    values: Mapping[str, Any], file: Path, *, plugins: Sequence[str] = ()
) -> ChosenGenerator:
    """Return the generator of a resolved experiment.

    Of its other components none has to be there: neither installed, nor as a local file.

    Args:
        values: the experiment's tables; those that are looked at are `[generator]`, `[latent]`,
            `plugins` and `[provenance]`.
        file: where they stand: local plugins are relative to it.
        plugins: local plugins that come first, relative to the working directory: what replaces those
            of the experiment that are gone.

    Raises:
        ExperimentError: the generator is of a plugin that is not there, or refuses its options; it is
            said what would mend that.
        GanlabError: the tables are damaged.
    """
    document = Document(file, dict(values), {"": (file, None)})
    origin = Origin(document.places)
    replaced = {Path(plugin).name for plugin in plugins}
    own = [path for path in requested_plugins(document, origin).values() if Path(path).name not in replaced]
    registry = load_registry(plugins=[*plugins, *own])
    draft, problems = choose(document, registry, origin, kinds=(_PATH,))
    selection, offer = draft.selections.get(_PATH), draft.offers.get(_PATH)
    if offer is None:
        problems = [
            origin.problem(each.path, each.message, _remedy(values, file, each.hint)) for each in problems
        ]
    if problems:
        raise ExperimentError(problems)
    if selection is None or offer is None:
        raise GanlabError(f"{file} is damaged: it does not say which generator it is about")
    return ChosenGenerator(selection, _latent(values, file), registry)


def _latent(values: Mapping[str, Any], file: Path) -> LatentSpec:
    try:
        settings = LatentSettings.model_validate_json(json.dumps(values.get("latent", {})))
    except (ValidationError, TypeError) as error:
        raise GanlabError(f"{file} is damaged: [latent] does not say what the noise is") from error
    return LatentSpec(settings.dim, settings.distribution, tuple(settings.categories))


def _remedy(values: Mapping[str, Any], file: Path, hint: str) -> str:
    """Return what would bring the generator's plugin back, with what else there is to say."""
    failures = [line for line in hint.splitlines() if line.startswith("not loaded: ")]
    came_from = _recorded(values)
    if came_from is None:
        return hint
    if came_from.get("version"):
        name, version = came_from["component"].rpartition("/")[0], came_from["version"]
        advice = f"it came with the package {name} {version}, which is not installed here: pip install {name}"
    else:
        plugin = came_from.get("plugin", "")
        advice = (
            f"it came from the local plugin {plugin}: put that back where {file.name} expects it, or say "
            f'where it is now (`plugins=["…/{plugin}"]` in Python, `--plugin` on the command line)'
        )
    return "\n".join([*failures, advice])


def _recorded(values: Mapping[str, Any]) -> dict[str, str] | None:
    """Return where the generator came from as `[provenance]` has it."""
    try:
        entries = values["provenance"]["components"]
        return next(dict(entry) for entry in entries if entry["path"] == _PATH)
    except (KeyError, TypeError, StopIteration):
        return None


def _modules(plugin: LoadedPlugin) -> set[str]:
    """Return the top-level modules that a local plugin is made of."""
    files = {file.name.partition("/")[0].removesuffix(".py") for file in plugin.files}
    return files | {plugin.module.__name__.partition(".")[0]}
