"""From tables to components: which one each table chooses, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ganlab.components import EvaluatorComponent, LossComponent, Options, SampleSpec
from ganlab.config.document import Document
from ganlab.config.draft import Draft
from ganlab.config.origin import Origin
from ganlab.config.selection import EvaluatorSelection, LossSelection, Selection
from ganlab.config.settings import Settings
from ganlab.config.types import show
from ganlab.config.validation import check_component_settings, check_options
from ganlab.errors import Problem
from ganlab.hookspecs import PROJECT
from ganlab.kinds import KINDS, Kind
from ganlab.registry import Offer, Registry, UnknownComponentError
from ganlab.registry.suggest import listing

__all__ = ["choose"]

_FEATURES = KINDS["features"]


def choose(
    document: Document,
    registry: Registry,
    origin: Origin,
    *,
    kinds: Collection[str] = KINDS.keys(),
    samples: type[SampleSpec] | None = None,
) -> tuple[Draft, list[Problem]]:
    """Find every table's component and check what the table says of it.

    Tables that are no tables, or have no name, are passed over: the check of the
    core's keys reports those.

    Args:
        document: the tables.
        registry: what there is to choose from.
        origin: where keys stand.
        kinds: of the components to choose; features are chosen with who looks through them.
        samples: what a sample is, where the document has no dataset to say so.
    """
    chooser = _Chooser(document, registry, origin, samples)
    for word, kind in KINDS.items():
        if word in kinds and kind is not _FEATURES:
            chooser.choose(kind)
    return chooser.finish()


class _Chooser:
    def __init__(
        self,
        document: Document,
        registry: Registry,
        origin: Origin,
        samples: type[SampleSpec] | None,
    ) -> None:
        self._given = document.values
        self._values = {**_default_sections(), **document.values}
        self._file = document.file
        self._registry = registry
        self._origin = origin
        self._samples = samples
        self._recorded = _recorded(document.values)
        self._offers: dict[str, Offer | None] = {}
        self._selections: dict[str, Selection[Any, Any]] = {}
        self._problems: list[Problem] = []

    def finish(self) -> tuple[Draft, list[Problem]]:
        """Return all that was chosen, and what is wrong with it."""
        draft = Draft(
            self._values, self._registry, self._origin, self._samples, self._offers, self._selections
        )
        return draft, self._problems

    def choose(self, kind: Kind) -> None:
        """Choose a component for each table of a kind."""
        for path, table in kind.tables(self._values):
            offer = self._one(kind, path, table)
            if offer is not None and kind.name == "dataset":
                self._samples = offer.component.accepts[0]
            if kind.name == "evaluator":
                self._with_features(path, table, offer)
            elif kind.name == "loss":
                self._with_its_features(path, table, offer)

    def _one(self, kind: Kind, path: str, table: Any, prefer: str = "", blame: str = "") -> Offer | None:
        """Choose the component that a table names, and check its keys.

        Args:
            kind: of the component.
            path: of the table.
            table: what stands there.
            prefer: the distribution that a bare name means where several offer it.
            blame: path of the table that whatever the component refuses stands in, if it is another.
        """
        self._offers[path] = None
        if not isinstance(table, dict):
            return None
        core = {key: value for key, value in table.items() if key in kind.core_keys}
        settings, problems = check_component_settings(kind.settings, core, path=path, origin=self._origin)
        self._problems += problems
        name = table.get("name", kind.default)
        if not isinstance(name, str):
            return None
        # A name that nobody wrote is the core's choice, and so among the core's own components.
        if "name" not in table or kind.section not in self._given:
            prefer = PROJECT
        prefer = self._recorded.get(path, prefer)
        try:
            offer = self._registry.get(kind.name, name, prefer=prefer)
        except UnknownComponentError as error:
            self._problems.append(self._origin.problem(f"{path}.name", error.message, error.hint))
            return None
        self._offers[path] = offer
        options = self._options(kind, offer, path, table)
        if settings is not None and options is not None:
            self._selections[path] = Selection(
                offer.component, options, settings, blame or path, self._origin
            )
        return offer

    def _options(self, kind: Kind, offer: Offer, path: str, table: dict[str, Any]) -> Options | None:
        """Return a table's options as the component checks them; `None` where they are wrong."""
        own = {key: value for key, value in table.items() if key not in kind.core_keys}
        options, problems = check_options(
            offer.component.options,
            own,
            path=path,
            origin=self._origin,
            core_keys=kind.core_keys,
            directories=self._directories(offer, path, own),
        )
        self._problems += problems
        return options

    def _directories(self, offer: Offer, path: str, values: Mapping[str, Any]) -> dict[str, Path]:
        """Return what each option's relative path starts from: the file that sets it, or the shell."""
        directories = dict.fromkeys(offer.component.options.model_fields, self._file.parent)
        for key in values:
            file, _ = self._origin.find(f"{path}.{key}")
            directories[key] = file.parent if file else Path.cwd()
        return directories

    def _with_features(self, path: str, table: Any, offer: Offer | None) -> None:
        """Choose the extractor that an evaluator looks through."""
        given = table.get("features") if isinstance(table, dict) else None
        inside = f"{path}.features"
        if offer is not None and _features_of(offer) is not None:
            self._own_features(offer, given, path, inside)
        elif given is not None:
            self._given_features(given, inside)
        elif offer is not None and self._samples is not None:
            self._default_features(offer, inside)
        evaluator, features = self._selections.get(path), self._selections.get(inside)
        if evaluator is not None and features is not None:
            self._selections[path] = EvaluatorSelection(**vars(evaluator), features=features)
        else:
            self._selections.pop(path, None)

    def _with_its_features(self, path: str, table: Any, offer: Offer | None) -> None:
        """Choose the extractor that a loss looks through, where the experiment names one."""
        given = table.get("features") if isinstance(table, dict) else None
        inside = f"{path}.features"
        if given is not None and offer is not None and not _takes_features(offer):
            message = f"cannot be chosen: the loss `{offer.component.name}` does not look through features"
            takers = filter(_takes_features, self._registry.components("loss"))
            hint = f"remove the key; losses that do: {listing(each.component.name for each in takers)}"
            self._problems.append(self._origin.problem(inside, message, hint))
        elif given is not None:
            self._given_features(given, inside)
        loss, features = self._selections.get(path), self._selections.get(inside)
        if loss is not None:
            self._selections[path] = LossSelection(**vars(loss), features=features)

    def _given_features(self, given: Any, path: str) -> None:
        """Choose the extractor that the experiment names."""
        if isinstance(given, str):
            given = {"name": given}
        elif isinstance(given, dict) and not isinstance(given.get("name"), str):
            names = listing(offer.component.name for offer in self._registry.components(_FEATURES.name))
            message = f"must be text, not {show(given['name'])}" if "name" in given else "is missing"
            hint = f"{_FEATURES.singular}s: {names}"
            self._problems.append(self._origin.problem(f"{path}.name", message, hint))
            return
        self._one(_FEATURES, path, given)

    def _own_features(self, offer: Offer, given: Any, path: str, inside: str) -> None:
        """Choose the extractor that an evaluator is defined on."""
        if given is not None:
            message = f"cannot be chosen: `{offer.component.name}` is defined on its own features"
            self._problems.append(self._origin.problem(inside, message, "remove the key"))
            return
        evaluator, features_of = self._selections.get(path), _features_of(offer)
        if evaluator is None or features_of is None:
            return
        # The record's own distribution comes first, as for any extractor that is not named by the user.
        table = dict(features_of(evaluator.options))
        self._one(_FEATURES, inside, table, prefer=offer.provenance.distribution, blame=path)

    def _default_features(self, evaluator: Offer, path: str) -> None:
        """Choose the first extractor of the evaluator's own choice that fits the samples."""
        component, provenance = evaluator
        assert isinstance(component, EvaluatorComponent) and self._samples is not None
        prefer = self._recorded.get(path, provenance.distribution)
        for name in component.features:
            try:
                offer = self._registry.get(_FEATURES.name, name, prefer=prefer)
            except UnknownComponentError:
                continue
            if issubclass(self._samples, offer.component.accepts):
                self._one(_FEATURES, path, {"name": name}, prefer=provenance.distribution)
                return
        fitting = listing(
            offer.component.name
            for offer in self._registry.components(_FEATURES.name)
            if issubclass(self._samples, offer.component.accepts)
        )
        wanted = ", ".join(component.features) or "none"
        message = (
            f"the evaluator `{component.name}` finds no feature extractor for this dataset among: {wanted}"
        )
        hint = f"name one with `features = …`; those that fit the dataset: {fitting}"
        self._problems.append(self._origin.problem(path, message, hint))


def _features_of(offer: Offer) -> Callable[[Any], Mapping[str, Any]] | None:
    """Return what tells the features of an evaluator that is defined on certain ones; `None` for others."""
    component = offer.component
    return component.features_of if isinstance(component, EvaluatorComponent) else None


def _takes_features(offer: Offer) -> bool:
    return isinstance(offer.component, LossComponent) and offer.component.takes_features


def _default_sections() -> dict[str, Any]:
    """Return the sections of components that an experiment may leave out, as if they had been written."""
    defaults = {
        section: Settings.model_fields[section].get_default(call_default_factory=True)
        for section in dict.fromkeys(kind.section for kind in KINDS.values())
        if not Settings.model_fields[section].is_required()
    }
    return {section: _written(default) for section, default in defaults.items() if default is not None}


def _written(default: Any) -> Any:
    if isinstance(default, BaseModel):
        return default.model_dump(exclude_unset=True)
    return [_written(entry) for entry in default]


def _recorded(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the distribution of each table's component as `[provenance]` recorded it."""
    provenance = values.get("provenance")
    entries = provenance.get("components") if isinstance(provenance, dict) else None
    result = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("path"), str):
            result[entry["path"]] = str(entry.get("component", "")).rpartition("/")[0]
    return result
