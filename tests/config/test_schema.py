"""The JSON Schema agrees with the loader, on what it takes and on what it refuses."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ganlab.config import Experiment
from ganlab.config.example import example_table
from ganlab.config.schema import experiment_schema
from ganlab.kinds import KINDS
from ganlab.registry import load_registry

World = Callable[..., Experiment]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_ANNOTATIONS = {"title", "description", "default", "format", "$schema", "$defs", "examples"}


def faults(value: Any, schema: Any, root: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield where a value breaks a schema; knows the keywords that ganlab's schema uses, and no other."""
    if isinstance(schema, bool):
        if not schema:
            yield path
        return
    for keyword, rule in schema.items():
        if keyword in _ANNOTATIONS or keyword in ("items", "additionalProperties"):
            continue
        if keyword == "$ref":
            yield from faults(value, root["$defs"][rule.removeprefix("#/$defs/")], root, path)
        elif keyword == "type":
            if not _TYPES[rule](value):
                yield f"{path}: {rule}"
        elif keyword in ("enum", "const"):
            if value not in (rule if keyword == "enum" else [rule]):
                yield f"{path}: {rule}"
        elif keyword in ("oneOf", "anyOf"):
            fitting = sum(not list(faults(value, choice, root)) for choice in rule)
            if fitting == 0 or (keyword == "oneOf" and fitting > 1):
                yield f"{path}: {fitting} of {keyword}"
        elif keyword == "not":
            if not list(faults(value, rule, root)):
                yield path
        elif keyword == "properties":
            if isinstance(value, dict):
                for key, inner in value.items():
                    closed = schema.get("additionalProperties", True)
                    yield from faults(inner, rule.get(key, closed), root, f"{path}.{key}")
        elif keyword == "required":
            yield from (f"{path}.{key}" for key in rule if isinstance(value, dict) and key not in value)
        elif keyword == "if":
            if not list(faults(value, rule, root)):
                yield from faults(value, schema["then"], root, path)
        elif keyword in ("prefixItems", "then"):
            pass
        elif keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if (
                _TYPES["number"](value)
                and not {
                    "minimum": value >= rule,
                    "maximum": value <= rule,
                    "exclusiveMinimum": value > rule,
                    "exclusiveMaximum": value < rule,
                }[keyword]
            ):
                yield f"{path}: {keyword}"
        elif keyword in ("minItems", "maxItems", "minLength", "maxLength"):
            is_kind = isinstance(value, list if "Items" in keyword else str)
            if is_kind and (len(value) < rule if keyword.startswith("min") else len(value) > rule):
                yield f"{path}: {keyword}"
        elif keyword == "pattern":
            if isinstance(value, str) and not re.search(rule, value):
                yield f"{path}: {rule}"
        else:
            raise AssertionError(f"the test does not know the keyword {keyword}")
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            rule = prefix[index] if index < len(prefix) else schema.get("items", True)
            yield from faults(item, rule, root, f"{path}.{index}")


@pytest.fixture
def schema(world: Path) -> dict[str, Any]:
    return experiment_schema(load_registry(plugins=["world.py"]))


def parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(inner)


def test_what_the_loader_takes_fits(schema: dict[str, Any], base: str, load: World) -> None:
    assert list(faults(tomllib.loads(base), schema, schema)) == []
    assert list(faults(json.loads(json.dumps(load(base).resolved)), schema, schema)) == []
    qualified = base.replace('"duel"', '"world/duel"')
    assert load(qualified)
    assert list(faults(tomllib.loads(qualified), schema, schema)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "duel"', 'name = "dual"'),
        ('name = "duel"', 'name = "duel"\nwieght = 2'),
        ('name = "pictures"', 'name = "pictures"\nclasses = 0'),
        ('name = "pictures"', 'name = "pictures"\nspread = [1]'),
        ('name = "pictures"', 'name = "pictures"\nlayout = "rings"'),
        ('[generator]\nname = "net"', '[generator]\nname = "deep"'),
        ("steps = 10", ""),
        ("steps = 10", "steps = 10\nstep = 10"),
        ("[training]", "[image]\nsize = 8\nwidth = 8\nheight = 8\n[training]"),
        ('name = "judge"', 'name = "judge"\nfeatures = "ears"'),
        ('name = "judge"', 'name = "judge"\nfeatures = { name = "eyes", depth = 2 }'),
        ("[training]", "[optimizer.generator]\nname = 'sgd'\neps = 1\n[training]"),
    ],
)
def test_what_the_loader_refuses_does_not(
    schema: dict[str, Any], base: str, refused: Callable[..., Any], old: str, new: str
) -> None:
    text = base.replace(old, new)
    assert text != base
    assert refused(text)
    assert list(faults(tomllib.loads(text), schema, schema)) != []


def test_what_a_base_may_have_is_not_asked_for(schema: dict[str, Any], base: str) -> None:
    partial = {
        "extends": "base.toml",
        "dataset": {"root": "x"},
        "generator": {"width": 3},
        "training": {"batch_size": 8},
    }
    assert list(faults(partial, schema, schema)) == []
    assert list(faults({**partial, "training": {"step": 8}}, schema, schema)) != []
    assert list(faults({**partial, "generator": {"name": "none"}}, schema, schema)) != []
    del partial["extends"]
    assert set(faults(partial, schema, schema)) >= {
        ".title",
        ".losses",
        ".generator.name",
        ".training.steps",
    }


def test_the_experiments_of_the_documentation_fit() -> None:
    schema = experiment_schema(load_registry())
    files = sorted((Path(__file__).parents[2] / "docs" / "experiments").glob("*.toml"))
    assert files
    for file in files:
        assert list(faults(tomllib.loads(file.read_text()), schema, schema)) == []


def test_it_is_whole(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    references = {part["$ref"] for part in parts(schema) if isinstance(part.get("$ref"), str)}
    assert references == {f"#/$defs/{name}" for name in schema["$defs"]}
    assert json.loads(json.dumps(schema)) == schema


def test_every_components_table_is_closed_and_described(schema: dict[str, Any]) -> None:
    for kind in KINDS:
        for table in schema["$defs"][kind]["oneOf"]:
            assert table["additionalProperties"] is False
            assert table["description"]
            undescribed = [key for key, rule in table["properties"].items() if not rule.get("description")]
            assert undescribed == []


def test_null_which_toml_has_not_is_nowhere(schema: dict[str, Any]) -> None:
    assert [part for part in parts(schema) if part.get("type") == "null"] == []


def test_the_example_of_every_installed_component_fits_the_schema_and_its_options() -> None:
    registry = load_registry()
    assert len(registry.offers) > 10
    schema = experiment_schema(registry)
    for offer in registry.offers:
        component = offer.component
        tables = tomllib.loads(example_table(component, component.name))
        table: Any = tables
        while "name" not in table:
            (table,) = table.values() if isinstance(table, dict) else table
        assert list(faults(table, schema["$defs"][component.kind], schema)) == []
        options = {name: value for name, value in table.items() if name != "name"}
        component.options.model_validate_json(json.dumps(options))
