"""A JSON Schema of experiment files, for editors, from the components that are installed."""

from __future__ import annotations

from typing import Any

from ganlab.config.options import options_schema
from ganlab.config.settings import COMPONENT_TABLES, Settings
from ganlab.registry import Offer, Registry

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
    for kind in COMPONENT_TABLES:
        definitions[kind] = {
            "oneOf": [_table(offer, registry, definitions) for offer in registry.components(kind)]
        }
        if not registry.components(kind):
            definitions[kind] = {"not": {}, "description": f"No {kind} is installed."}
    properties = schema["properties"]
    for kind in ("dataset", "generator", "discriminator", "encoder"):
        properties[kind] = {
            "description": properties[kind]["description"],
            "type": "object",
            "if": {"required": ["name"]},
            "then": {"$ref": _REFERENCE + kind},
        }
    for section, kind in (("losses", "loss"), ("evaluators", "evaluator"), ("trackers", "tracker")):
        properties[section] = {**properties[section], "items": {"$ref": _REFERENCE + kind}}
    properties["extends"] = {
        "type": "string",
        "description": "An experiment file to start from: tables are merged, arrays replaced.",
    }
    schema |= _unless_extended(schema.pop("required"), definitions)
    schema |= {"$schema": _DRAFT, "title": "ganlab experiment", "$defs": _used(schema, definitions)}
    return _without_null(schema)  # type: ignore[no-any-return]


def _unless_extended(required: list[str], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the rule that asks for keys where there is no base that could have them."""
    inner = {kind: {"required": ["name"]} for kind in ("dataset", "generator", "discriminator", "encoder")}
    inner["training"] = {"required": definitions["TrainingSettings"].pop("required")}
    return {"if": {"not": {"required": ["extends"]}}, "then": {"required": required, "properties": inner}}


def _table(offer: Offer, registry: Registry, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one component's table; its nested definitions join the others."""
    component = offer.component
    prefix = f"{offer.provenance.plugin}/{component.kind}/{component.name}".replace("/", ".")
    template = f"{_REFERENCE}{prefix}.{{model}}"
    own = options_schema(component.options, reference=template)
    for name, definition in own.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = definition
    core = COMPONENT_TABLES[component.kind].model_json_schema()
    properties = {**core["properties"], **own.get("properties", {})}
    properties["name"] = {"enum": _names(offer, registry), "description": component.summary}
    if component.kind == "evaluator":
        described = properties["features"]["description"]
        choice = [{"enum": _feature_names(registry)}, {"$ref": f"{_REFERENCE}features"}]
        properties["features"] = {"anyOf": choice, "description": described}
    return {
        "type": "object",
        "title": component.name,
        "description": component.summary,
        "properties": properties,
        "required": ["name", *own.get("required", [])],
        "additionalProperties": False,
    }


def _names(offer: Offer, registry: Registry) -> list[str]:
    """Return the names that mean this component and no other."""
    others = [other for other in registry.components(offer.component.kind) if other != offer]
    names = {
        offer.component.name: {other.component.name for other in others},
        offer.qualified_name: {other.qualified_name for other in others},
    }
    exact = f"{offer.provenance.plugin}/{offer.component.name}"
    return [name for name, taken in names.items() if name not in taken] or [exact]


def _feature_names(registry: Registry) -> list[str]:
    offers = registry.components("features")
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
