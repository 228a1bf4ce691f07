"""The JSON Schema agrees with the loader, on what it takes and on what it refuses."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from jsonschema import Draft202012Validator

from ganlab.config import Experiment, load_experiment
from ganlab.config.example import example_table
from ganlab.config.schema import experiment_schema
from ganlab.errors import ExperimentError
from ganlab.kinds import KINDS
from ganlab.registry import load_registry

pytestmark = pytest.mark.slow

World = Callable[..., Experiment]

DOCUMENTED = sorted((Path(__file__).parents[2] / "docs" / "experiments").glob("*.toml"))


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """Return where a value breaks a schema, which may refer to the definitions of another."""
    found = Draft202012Validator({**schema, "$defs": root["$defs"]}).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


@pytest.fixture
def schema(world: Path) -> dict[str, Any]:
    return schema_with((world / "world.py").read_text())


@cache
def schema_with(plugin: str) -> dict[str, Any]:
    """Return the schema with a plugin that lies in the working directory, once for all tests."""
    return experiment_schema(load_registry(plugins=["world.py"]))


def parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(inner)


def test_what_the_loader_takes_fits(schema: dict[str, Any], base: str, load: World) -> None:
    assert faults(tomllib.loads(base), schema, schema) == []
    assert faults(json.loads(json.dumps(load(base).resolved)), schema, schema) == []
    qualified = base.replace('"duel"', '"world/duel"')
    assert load(qualified)
    assert faults(tomllib.loads(qualified), schema, schema) == []


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
    assert faults(tomllib.loads(text), schema, schema) != []


def test_what_a_base_may_have_is_not_asked_for(schema: dict[str, Any], base: str) -> None:
    partial = {
        "extends": "base.toml",
        "dataset": {"root": "x"},
        "generator": {"width": 3},
        "training": {"batch_size": 8},
    }
    assert faults(partial, schema, schema) == []
    assert faults({**partial, "training": {"step": 8}}, schema, schema) != []
    assert faults({**partial, "generator": {"name": "none"}}, schema, schema) != []
    del partial["extends"]
    assert set(faults(partial, schema, schema)) >= {
        "$: 'title' is a required property",
        "$: 'losses' is a required property",
        "$.generator: 'name' is a required property",
        "$.training: 'steps' is a required property",
    }


@pytest.fixture(scope="module")
def installed() -> dict[str, Any]:
    return experiment_schema(load_registry())


@pytest.mark.parametrize("file", DOCUMENTED, ids=lambda file: file.stem)
def test_the_experiments_of_the_documentation_fit(installed: dict[str, Any], file: Path) -> None:
    assert faults(tomllib.loads(file.read_text()), installed, installed) == []


WHOLE = [file for file in DOCUMENTED if "extends" not in tomllib.loads(file.read_text())]


def broken(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield documents that are each wrong in one place, and what was done there."""

    def part() -> tuple[dict[str, Any], dict[str, Any]]:
        copy = deepcopy(document)
        return copy, list(parts(copy))[number]

    for number, original in enumerate(parts(document)):
        copy, table = part()
        table["wieght"] = 1
        yield f"a key that nobody knows in table {number}", copy
        for key in original:
            copy, table = part()
            table[key] = {"of": "another type"}
            yield f"a table for {key} in table {number}", copy
        for key in {"name", "title", "losses", "steps"} & set(original):
            copy, table = part()
            del table[key]
            yield f"no {key} in table {number}", copy
        if "name" in original:
            copy, table = part()
            table["name"] = "nobodys"
            yield f"a component that nobody has in table {number}", copy


@pytest.mark.parametrize("file", WHOLE, ids=lambda file: file.stem)
def test_what_is_broken_in_them_neither_the_schema_nor_the_loader_takes(
    installed: dict[str, Any], tmp_path: Path, file: Path
) -> None:
    cases = list(broken(tomllib.loads(file.read_text())))
    assert len(cases) > 20
    for what, document in cases:
        (tmp_path / file.name).write_text(tomli_w.dumps(document))
        with pytest.raises(ExperimentError):
            load_experiment(tmp_path / file.name)
        assert faults(document, installed, installed), what


def test_it_is_whole(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
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
        assert faults(table, schema["$defs"][component.kind], schema) == []
        core = KINDS[component.kind].core_keys
        options = {name: value for name, value in table.items() if name not in core}
        component.options.model_validate_json(json.dumps(options))
