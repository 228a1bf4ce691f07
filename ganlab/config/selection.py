"""From tables to components: which one each table chose, and its checked options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganlab.components import EvaluatorComponent, ImageSpec, VectorSpec
from ganlab.config.document import Document
from ganlab.config.experiment import Origin
from ganlab.config.settings import Settings
from ganlab.config.types import show
from ganlab.config.validation import check_options
from ganlab.errors import Problem
from ganlab.registry import Offer, Registry, UnknownComponentError
from ganlab.registry.classifier import CORE_KEYS
from ganlab.registry.suggest import listing

__all__ = ["Choices", "Chosen", "choose"]


@dataclass(frozen=True)
class Chosen:
    """One table's component.

    Attributes:
        offer: the component and its provenance.
        path: dotted path of the table.
        options: validated; `None` where they were wrong.
        label: given, or the component's name.
    """

    offer: Offer
    path: str
    options: Any
    label: str

    @property
    def features_of(self) -> Callable[[Any], Mapping[str, Any]] | None:
        """What tells the features of an evaluator that is defined on certain ones; `None` for others."""
        component = self.offer.component
        return component.features_of if isinstance(component, EvaluatorComponent) else None


@dataclass
class Choices:
    """Every table's component; `None` stands where a table is absent or wrong.

    Attributes:
        samples: what a sample is, where that is known without a dataset.
    """

    samples: type[ImageSpec] | type[VectorSpec] | None = None
    dataset: Chosen | None = None
    generator: Chosen | None = None
    discriminator: Chosen | None = None
    encoder: Chosen | None = None
    losses: list[Chosen | None] = field(default_factory=list)
    evaluators: list[Chosen | None] = field(default_factory=list)
    features: list[Chosen | None] = field(default_factory=list)
    trackers: list[Chosen | None] = field(default_factory=list)

    @property
    def spec(self) -> type[ImageSpec] | type[VectorSpec] | None:
        """What a sample is; `None` where that is not known."""
        return self.dataset.offer.component.accepts[0] if self.dataset else self.samples

    def all(self) -> list[Chosen]:
        """Return every component that was found, in the order of the file's sections."""
        networks = [self.dataset, self.generator, self.discriminator, self.encoder]
        entries = [*self.losses, *self.evaluators, *self.features, *self.trackers]
        return [chosen for chosen in (*networks, *entries) if chosen]


def choose(
    document: Document,
    registry: Registry,
    origin: Origin,
    samples: type[ImageSpec] | type[VectorSpec] | None = None,
) -> tuple[Choices, list[Problem]]:
    """Find every table's component and check its options.

    Tables that are no tables, or have no name, are passed over: the check of the
    core's keys reports those.

    Args:
        document: the tables.
        registry: what there is to choose from.
        origin: where keys stand.
        samples: what a sample is, where the document has no dataset to say so.
    """
    return _Chooser(document, registry, origin).choose(Choices(samples=samples))


class _Chooser:
    def __init__(self, document: Document, registry: Registry, origin: Origin) -> None:
        self._values = document.values
        self._file = document.file
        self._registry = registry
        self._origin = origin
        self._preferred = _preferred(document.values)
        self._problems: list[Problem] = []

    def choose(self, choices: Choices) -> tuple[Choices, list[Problem]]:
        for kind in ("dataset", "generator", "discriminator", "encoder"):
            setattr(choices, kind, self._one(kind, kind, self._values.get(kind)))
        choices.losses = self._each("loss", "losses")
        choices.evaluators = self._each("evaluator", "evaluators")
        choices.trackers = self._each("tracker", "trackers")
        for index, evaluator in enumerate(choices.evaluators):
            table = self._tables("evaluators")[index]
            choices.features.append(self._features(table, evaluator, choices, f"evaluators.{index}.features"))
        return choices, self._problems

    def _tables(self, section: str) -> list[Any]:
        default = (
            [
                tracker.model_dump()
                for tracker in Settings.model_fields["trackers"].get_default(call_default_factory=True)
            ]
            if section == "trackers"
            else []
        )
        tables = self._values.get(section, default)
        return tables if isinstance(tables, list) else []

    def _each(self, kind: str, section: str) -> list[Chosen | None]:
        tables = self._tables(section)
        return [self._one(kind, f"{section}.{index}", table) for index, table in enumerate(tables)]

    def _one(self, kind: str, path: str, table: Any, prefer: str = "") -> Chosen | None:
        if not isinstance(table, dict) or not isinstance(table.get("name"), str):
            return None
        try:
            offer = self._registry.get(kind, table["name"], prefer=self._preferred.get(path, prefer))
        except UnknownComponentError as error:
            self._problems.append(self._origin.problem(f"{path}.name", error.message, error.hint))
            return None
        values = {key: value for key, value in table.items() if key not in CORE_KEYS[kind]}
        options, problems = check_options(
            offer.component.options,
            values,
            path=path,
            origin=self._origin,
            core_keys=CORE_KEYS[kind],
            directories=self._directories(offer, path, values),
        )
        self._problems += problems
        label = table.get("label")
        return Chosen(offer, path, options, label if isinstance(label, str) else offer.component.name)

    def _directories(self, offer: Offer, path: str, values: Mapping[str, Any]) -> dict[str, Path]:
        """Return what each option's relative path starts from: the file that sets it, or the shell."""
        directories = dict.fromkeys(offer.component.options.model_fields, self._file.parent)
        for key in values:
            file, _ = self._origin.find(f"{path}.{key}")
            directories[key] = file.parent if file else Path.cwd()
        return directories

    def _features(self, table: Any, evaluator: Chosen | None, choices: Choices, path: str) -> Chosen | None:
        given = table.get("features") if isinstance(table, dict) else None
        if evaluator is not None and evaluator.features_of is not None:
            return self._own_features(evaluator, given, path)
        if isinstance(given, str):
            return self._one("features", path, {"name": given})
        if given is not None:
            if isinstance(given, dict) and not isinstance(given.get("name"), str):
                hint = f"feature extractors: {self._names('features')}"
                message = f"must be text, not {show(given['name'])}" if "name" in given else "is missing"
                self._problems.append(self._origin.problem(f"{path}.name", message, hint))
            return self._one("features", path, given)
        if evaluator is None or choices.spec is None:
            return None
        return self._default_features(evaluator, choices, path)

    def _own_features(self, evaluator: Chosen, given: Any, path: str) -> Chosen | None:
        """Return the extractor that the evaluator is defined on."""
        if evaluator.features_of is None or evaluator.options is None:
            return None
        if given is not None:
            message = f"cannot be chosen: `{evaluator.offer.component.name}` is defined on its own features"
            self._problems.append(self._origin.problem(path, message, "remove the key"))
            return None
        # The record's own distribution comes first, as for any extractor that is not named by the user.
        table = dict(evaluator.features_of(evaluator.options))
        prefer = evaluator.offer.provenance.distribution
        return self._one("features", path, table, prefer=prefer)

    def _default_features(self, evaluator: Chosen, choices: Choices, path: str) -> Chosen | None:
        """Return the first extractor of the evaluator's own choice that fits the samples."""
        component, provenance = evaluator.offer
        assert isinstance(component, EvaluatorComponent)
        for name in component.features:
            prefer = self._preferred.get(path, provenance.distribution)
            try:
                offer = self._registry.get("features", name, prefer=prefer)
            except UnknownComponentError:
                continue
            if choices.spec in offer.component.accepts:
                return self._one("features", path, {"name": name})
        fitting = listing(
            offer.component.name
            for offer in self._registry.components("features")
            if choices.spec in offer.component.accepts
        )
        wanted = ", ".join(component.features) or "none"
        message = (
            f"the evaluator `{component.name}` finds no feature extractor for this dataset among: {wanted}"
        )
        hint = f"name one with `features = …`; those that fit the dataset: {fitting}"
        self._problems.append(self._origin.problem(path, message, hint))
        return None

    def _names(self, kind: str) -> str:
        return listing(offer.component.name for offer in self._registry.components(kind))


def _preferred(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the distribution of each table's component as `[provenance]` recorded it."""
    provenance = values.get("provenance")
    entries = provenance.get("components") if isinstance(provenance, dict) else None
    result = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("path"), str):
            result[entry["path"]] = str(entry.get("component", "")).rpartition("/")[0]
    return result
