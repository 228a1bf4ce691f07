"""A JSON Schema of experiment files, for editors, from the components that are installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ganlab.config.document import EXTENDS
from ganlab.config.options import options_schema
from ganlab.config.settings import Settings
from ganlab.hookspecs import PROJECT
from ganlab.kinds import ENTRY, KINDS, Kind
from ganlab.registry import Offer, Registry, UnknownComponentError

__all__ = ["experiment_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/"


def experiment_schema(registry: Registry) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of experiment files.

    Each component's table is closed: its `name`, the core's keys and the component's options.
    What must be there may stand in the base of an experiment that `extends` one, and so
    is asked for only where there is none.
    """
    schema = Settings.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    for kind in KINDS.values():
        offers = registry.components(kind.name)
        definitions[kind.name] = {"oneOf": [_table(kind, offer, registry, definitions) for offer in offers]}
        if not offers:
            definitions[kind.name] = {"not": {}, "description": f"No {kind.singular} is installed."}
    for kind in KINDS.values():
        for place in kind.places:
            _put(schema, place, kind)
    schema["properties"]["extends"] = {"type": "string", "description": EXTENDS}
    schema |= _unless_extended(schema.pop("required"), definitions)
    schema |= {"$schema": _DRAFT, "title": "ganlab experiment", "$defs": _used(schema, definitions)}
    return _without_null(schema)  # type: ignore[no-any-return]


def _put(schema: dict[str, Any], place: str, kind: Kind) -> None:
    """Let the table at a place be one of the kind's; those inside another component's are put there by it."""
    section, _, inside = place.partition(".")
    properties, rule = schema["properties"], {"$ref": _REFERENCE + kind.name}
    if inside == ENTRY:
        properties[section] = {**properties[section], "items": rule}
    elif not inside.startswith(ENTRY):
        if inside:
            model = properties[section]["$ref"].removeprefix(_REFERENCE)
            properties = schema["$defs"][model]["properties"]
        key = inside or section
        # Where there is no name, a base may have it.
        properties[key] = {
            "description": properties[key]["description"],
            "type": "object",
            "if": {"required": ["name"]},
            "then": rule,
        }


def _unless_extended(required: list[str], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the rule that asks for keys where there is no base that could have them."""
    inner: dict[str, Any] = {"training": {"required": definitions["TrainingSettings"].pop("required")}}
    for kind in KINDS.values():
        rule = {"required": ["name"]} if kind.default is None else {"$ref": _REFERENCE + kind.name}
        for section, _, key in (place.partition(".") for place in kind.places if ENTRY not in place):
            if key:
                inner.setdefault(section, {"properties": {}})["properties"][key] = rule
            else:
                inner[section] = rule
    return {"if": {"not": {"required": ["extends"]}}, "then": {"required": required, "properties": inner}}


def _table(kind: Kind, offer: Offer, registry: Registry, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one component's table; its nested definitions join the others."""
    component = offer.component
    prefix = f"{offer.provenance.plugin}/{kind.name}/{component.name}".replace("/", ".")
    template = f"{_REFERENCE}{prefix}.{{model}}"
    own = options_schema(component.options, reference=template)
    for name, definition in own.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = definition
    core = options_schema(kind.settings)
    properties = {**core["properties"], **own.get("properties", {})}
    properties["name"] = {"enum": _names(offer, registry), "description": component.summary}
    for key, inner in _inside(kind):
        choice = [{"enum": _all_names(inner, registry)}, {"$ref": _REFERENCE + inner.name}]
        properties[key] = {"anyOf": choice, "description": properties[key]["description"]}
    named = [] if _is_default(kind, offer, registry) else ["name"]
    return {
        "type": "object",
        "title": component.name,
        "description": component.summary,
        "properties": properties,
        "required": [*named, *own.get("required", [])],
        "additionalProperties": False,
    }


def _inside(kind: Kind) -> Iterator[tuple[str, Kind]]:
    """Yield the keys of a kind's table that choose components themselves, and of which kind."""
    for inner in KINDS.values():
        for holder, _, key in (place.rpartition(".") for place in inner.places):
            if holder in kind.places:
                yield key, inner


def _is_default(kind: Kind, offer: Offer, registry: Registry) -> bool:
    """Return whether a component is what a table without a name means."""
    if kind.default is None:
        return False
    try:
        return registry.get(kind.name, kind.default, prefer=PROJECT) == offer
    except UnknownComponentError:
        return False


def _names(offer: Offer, registry: Registry) -> list[str]:
    """Return the names that mean this component and no other."""
    others = [other for other in registry.components(offer.component.kind) if other != offer]
    names = {
        offer.component.name: {other.component.name for other in others},
        offer.qualified_name: {other.qualified_name for other in others},
    }
    exact = f"{offer.provenance.plugin}/{offer.component.name}"
    return [name for name, taken in names.items() if name not in taken] or [exact]


def _all_names(kind: Kind, registry: Registry) -> list[str]:
    offers = registry.components(kind.name)
    return list(dict.fromkeys(name for offer in offers for name in _names(offer, registry)))


def _used(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the definitions that the schema refers to, directly or not."""
    used: dict[str, Any] = {}
    waiting = [value for key, value in schema.items() if key != "$defs"]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix(_REFERENCE)
            if name in definitions and name not in used:
                used[name] = definitions[name]
                waiting.append(definitions[name])
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return dict(sorted(used.items()))


def _without_null(part: Any) -> Any:
    """Drop `null` from types and defaults: TOML has none."""
    if isinstance(part, list):
        return [_without_null(item) for item in part]
    if not isinstance(part, dict):
        return part
    result = {
        key: _without_null(value) for key, value in part.items() if not (key == "default" and value is None)
    }
    choices = result.get("anyOf")
    if isinstance(choices, list):
        choices = [choice for choice in choices if choice != {"type": "null"}]
        result["anyOf"] = choices
        if len(choices) == 1:
            del result["anyOf"]
            result = {**choices[0], **result}
    return result
