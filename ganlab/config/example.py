"""A component's table, written out to be pasted into an experiment."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ganlab.components import Component
from ganlab.config.toml_writer import toml_value
from ganlab.config.types import alternatives, describe_field
from ganlab.kinds import KINDS

__all__ = ["default_text", "example_table", "section_table"]

_GUESSES: tuple[Any, ...] = (1, 0.5, True, "…", [], {}, [1, 1], [0.5, 0.5], 8, 64)


def example_table(component: Component, name: str) -> str:
    """Return TOML with every option, and every key of the core's, at its default.

    Options without a value stand in comments.

    Args:
        component: whose table.
        name: how the experiment asks for it: the component's name, or `distribution/name`.
    """
    kind = KINDS[component.kind]
    core = {key: field for key, field in kind.settings.model_fields.items() if key != "name"}
    lines = [kind.header, f"name = {toml_value(name)}"]
    lines += [_line(key, field) for key, field in component.options.model_fields.items()]
    lines += [_line(key, field) for key, field in core.items() if _plain(field) is not None]
    return "\n".join(lines) + "\n"


def section_table(header: str, model: type[BaseModel]) -> str:
    """Return TOML with every key of a section at its default; keys without a value stand in comments."""
    return "\n".join([header, *(_line(key, field) for key, field in model.model_fields.items())]) + "\n"


def default_text(field: FieldInfo) -> str:
    """Return an option's default as TOML; `required` or nothing where there is none."""
    if field.is_required():
        return "required"
    default = _plain(field)
    return "" if default is None else toml_value(default)


def _line(key: str, field: FieldInfo) -> str:
    default = None if field.is_required() else _plain(field)
    if default is not None:
        return f"{key} = {toml_value(default)}"
    example = _example(key, field)
    if not field.is_required():
        return f"# {key} = {toml_value(example)}" if example is not None else f"# {key} = …"
    if example is None:
        return f"# {key} = …  (required: {describe_field(field)})"
    return f"{key} = {toml_value(example)}  # required"


def _plain(field: FieldInfo) -> Any:
    """Return a default as TOML knows it."""
    return _adapter(field).dump_python(field.get_default(call_default_factory=True), mode="json")


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    annotation: Any = field.annotation
    return TypeAdapter(Annotated[annotation, *field.metadata] if field.metadata else annotation)


def _example(key: str, field: FieldInfo) -> Any:
    """Return a value that the option would take."""
    own = field.examples or []
    choices = alternatives(field.annotation)
    literals = [value for choice in choices if get_origin(choice) is Literal for value in get_args(choice)]
    literals += [
        member.value
        for choice in choices
        if isinstance(choice, type) and issubclass(choice, Enum)
        for member in choice
    ]
    paths = [f"path/to/{key}"] if Path in choices else []
    adapter = _adapter(field)
    for guess in (*own, *literals, *paths, *_GUESSES):
        try:
            adapter.validate_json(json.dumps(guess), strict=True)
        except ValidationError:
            continue
        return guess
    return None
