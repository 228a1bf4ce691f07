"""The types of keys and options, in people's words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ganlab.component_settings import Words

__all__ = [
    "alternatives",
    "annotation_at",
    "describe_annotation",
    "describe_field",
    "model_at",
    "show",
]


_WORDS: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "true or false"),
    Path: ("a path", "paths"),
    date: ("a date in quotes", "dates in quotes"),
    datetime: ("a date and time in quotes", "dates in quotes"),
    time: ("a time in quotes", "times in quotes"),
    Decimal: ("a number in quotes", "numbers in quotes"),
    timedelta: ('a duration in quotes, as in "PT1H"', "durations in quotes"),
    bytes: ("text", "texts"),
    UUID: ("a UUID in quotes", "UUIDs in quotes"),
    Any: ("any value", "values"),
}


def show(value: Any) -> str:
    """Return a value as it might stand in TOML, cut short."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def describe_field(field: FieldInfo) -> str:
    """Return what a field takes, bounds included, as in `a whole number ≥ 1`."""
    return describe_annotation(field.annotation, field.metadata)


def describe_annotation(annotation: Any, metadata: Iterable[Any] = (), *, plural: bool = False) -> str:
    """Return what a type annotation takes; `None` among it goes unsaid, as TOML has none."""
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        return describe_annotation(annotation, [*metadata, *more], plural=plural)
    choices = alternatives(annotation)
    if len(choices) > 1:
        return _either(list(dict.fromkeys(describe_annotation(choice, plural=plural) for choice in choices)))
    annotation = choices[0] if choices else annotation
    if get_origin(annotation) is Annotated:
        return describe_annotation(annotation, metadata, plural=plural)
    metadata = list(_unfolded(metadata))
    words = [item.text for item in metadata if isinstance(item, Words)]
    return words[0] if words else _noun(annotation, plural) + _bounds(metadata)


def alternatives(annotation: Any) -> list[Any]:
    """Return the members of a union without `None`; of anything else, itself."""
    if get_origin(annotation) in (Union, UnionType):
        return [choice for choice in get_args(annotation) if choice is not NoneType]
    return [annotation]


def _noun(annotation: Any, plural: bool) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation][plural]
    if origin is Literal:
        return _either([show(value) for value in arguments])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _either([show(member.value) for member in annotation])
    if _is_mapping(origin or annotation):
        return "tables" if plural else "a table"
    if _is_array(origin or annotation):
        return ("arrays" if plural else "an array") + _elements(origin, arguments)
    return "values" if plural else str(getattr(annotation, "__name__", annotation))


def _is_mapping(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel | Mapping)


def _is_array(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Collection) and not issubclass(kind, str | bytes)


def _elements(origin: Any, arguments: Sequence[Any]) -> str:
    """Return what an array holds, as in ` of 2 numbers`."""
    if not arguments:
        return ""
    if origin is tuple and arguments[-1] is not Ellipsis:
        words = list(dict.fromkeys(describe_annotation(argument, plural=True) for argument in arguments))
        return f" of {len(arguments)} {_either(words)}"
    return f" of {describe_annotation(arguments[0], plural=True)}"


def _bounds(metadata: Iterable[Any]) -> str:
    signs = {
        annotated_types.Ge: ("≥", "ge"),
        annotated_types.Gt: (">", "gt"),
        annotated_types.Le: ("≤", "le"),
        annotated_types.Lt: ("<", "lt"),
    }
    parts = []
    for item in _unfolded(metadata):
        if type(item) in signs:
            sign, name = signs[type(item)]
            bound = getattr(item, name)
            parts.append(f" {sign} {bound:g}" if isinstance(bound, float) else f" {sign} {bound}")
        elif isinstance(item, annotated_types.MultipleOf):
            parts.append(f", a multiple of {item.multiple_of}")
        elif isinstance(item, annotated_types.MinLen) and item.min_length == 1:
            parts.append(", not empty")
        elif isinstance(item, annotated_types.MinLen | annotated_types.MaxLen):
            low, high = getattr(item, "min_length", 0), getattr(item, "max_length", None)
            parts.append(f", at most {high} long" if high is not None else f", at least {low} long")
    return (
        " and".join(parts) if len(parts) == 2 and all(part[1] in "≥>≤<" for part in parts) else "".join(parts)
    )


def _unfolded(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else [item]


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def annotation_at(
    model: type[BaseModel], parts: Sequence[str | int], values: Any
) -> tuple[Any, list[Any]] | None:
    """Return the annotation and the metadata of the key that `parts` leads to.

    Args:
        model: the table's model.
        parts: keys and indices from that table on.
        values: the table as given, which tells the members of a union apart.
    """
    annotation: Any = model
    metadata: list[Any] = []
    for part in parts:
        inner = _descend(annotation, part, values)
        if inner is None:
            return None
        annotation, metadata = inner
        values = _item(values, part)
    return annotation, metadata


def model_at(model: type[BaseModel], parts: Sequence[str | int], values: Any) -> type[BaseModel] | None:
    """Return the model of the table that `parts` leads to."""
    found = annotation_at(model, parts, values)
    for part in parts:
        values = _item(values, part)
    return _model_for(found[0], values) if found else None


def _descend(annotation: Any, part: str | int, values: Any) -> tuple[Any, list[Any]] | None:
    model = _model_for(annotation, values)
    if model is not None:
        field = model.model_fields.get(str(part))
        return (field.annotation, field.metadata) if field else None
    for choice in alternatives(_bare(annotation)):
        origin, arguments = get_origin(_bare(choice)), get_args(_bare(choice))
        if origin is tuple and isinstance(part, int) and arguments[-1] is not Ellipsis:
            return (arguments[part], []) if part < len(arguments) else None
        if _is_array(origin) and isinstance(part, int) and arguments:
            return arguments[0], []
        if _is_mapping(origin) and len(arguments) == 2:
            return arguments[1], []
    return None


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _model_for(annotation: Any, values: Any) -> type[BaseModel] | None:
    """Return the model that a table is meant for; of several, the one that bears its `name`."""
    choices = [_bare(choice) for choice in alternatives(_bare(annotation))]
    models = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel)]
    if len(models) > 1:
        name = _item(values, "name")
        named = [model for model in models if name in _names(model)]
        models = named or models
    return models[0] if models else None


def _names(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("name")
    return get_args(field.annotation) if field else ()


def _item(values: Any, part: str | int) -> Any:
    if isinstance(values, dict):
        return values.get(part)
    return values[part] if isinstance(values, list) and isinstance(part, int) and part < len(values) else None
