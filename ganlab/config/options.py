"""What the keys of components' tables say about themselves: descriptions, defaults, schemas."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ganlab.components import Options
from ganlab.paths import path_text

__all__ = ["option_descriptions", "option_values", "options_schema"]


def option_values(options: Options, *, defaults: bool = True) -> dict[str, Any]:
    """Return options as TOML and JSON hold them; without `defaults` those alone that differ from theirs."""
    dumped = options.model_dump(mode="json", exclude_defaults=not defaults)
    paths = {key: path_text(value) for key, value in options if isinstance(value, Path)}
    return {key: paths.get(key, value) for key, value in dumped.items()}


def option_descriptions(options: type[BaseModel]) -> dict[str, str]:
    """Return the description of each key: `Field(description=…)`, or the string literal under it.

    The literals are read from source here, and not by pydantic when the class is made:
    that would slow every start by all options of all plugins.
    """
    found: dict[str, str] = {}
    for base in reversed(options.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= dict(_literals(base))
    given = {key: field.description for key, field in options.model_fields.items() if field.description}
    texts = {key: " ".join(text.split()) for key, text in {**found, **given}.items()}
    return {key: texts[key] for key in options.model_fields if key in texts}


def _literals(options: type[BaseModel]) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(options)))
    except (OSError, SyntaxError, TypeError):  # made without source
        return
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text


def options_schema(options: type[BaseModel], *, reference: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return the JSON Schema of a component's options, or of its settings, with their descriptions.

    Args:
        options: the options, or the settings.
        reference: how the schema refers to its own definitions.
    """
    schema = options.model_json_schema(ref_template=reference)
    for key, text in option_descriptions(options).items():
        schema["properties"][key]["description"] = text
    if options.__doc__ == Options.__doc__:
        schema.pop("description", None)
    return schema
