"""pydantic's findings as problems that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ganlab.config.origin import Origin
from ganlab.config.positions import join_path
from ganlab.config.types import annotation_at, describe_annotation, model_at, show
from ganlab.errors import Problem
from ganlab.registry.suggest import closest

__all__ = ["unknown_key", "validation_problems"]

_RULES = {
    "path_not_file": "there is no such file",
    "path_not_directory": "there is no such directory",
    "path_exists": "there is something of this name already",
    "predicate_failed": "does not fit the option's own rule",
}
"""pydantic's name for what is wrong -> the same in words, where the type alone does not tell it."""


@dataclass(frozen=True)
class _Checked:
    """A table that did not pass: its model, what it holds, and where it stands."""

    model: type[BaseModel]
    values: dict[str, Any]
    path: str
    origin: Origin
    core_keys: frozenset[str]


def validation_problems(
    error: ValidationError,
    model: type[BaseModel],
    values: dict[str, Any],
    *,
    path: str,
    origin: Origin,
    core_keys: Iterable[str] = (),
) -> list[Problem]:
    """Return one problem for each key that is wrong.

    Args:
        error: what pydantic found.
        model: what the table was checked against.
        values: the table as given.
        path: dotted path of the table; empty for the whole file.
        origin: where keys stand.
        core_keys: keys that are allowed in the table beside the model's.
    """
    table = _Checked(model, values, path, origin, frozenset(core_keys))
    problems: dict[str, Problem] = {}
    for details in error.errors(include_url=False):
        problem = _problem(table, details)
        # A union reports each member that did not fit; one sentence speaks of them all.
        problems.setdefault(problem.path, problem)
    return list(problems.values())


def _problem(table: _Checked, details: ErrorDetails) -> Problem:
    kind = details["type"]
    if kind == "missing":
        return _missing(table, details)
    if kind == "extra_forbidden":
        return _unknown(table, details)
    parts = _given(table.values, details["loc"])
    if kind in ("value_error", "assertion_error"):
        value = show(details["input"])
        return _at(
            table, parts, str(details["ctx"]["error"]) or f"does not fit the option's own rule: {value}"
        )
    if kind == "finite_number":
        return _at(table, parts, f"must be a finite number, not {show(details['input'])}")
    return _wrong_value(table, parts, details)


def _given(values: Any, location: Sequence[str | int]) -> list[str | int]:
    """Return the keys among a location; pydantic puts the members of unions between them."""
    parts: list[str | int] = []
    for part in location:
        is_key = isinstance(values, dict) and part in values
        is_index = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if is_key or is_index:
            parts.append(part)
            values = values[part]
    return parts


def _path(table: _Checked, parts: Sequence[str | int]) -> str:
    return reduce(join_path, map(str, parts), table.path)


def _at(table: _Checked, parts: Sequence[str | int], message: str, hint: str = "") -> Problem:
    return table.origin.problem(_path(table, parts), message, hint)


def _missing(table: _Checked, details: ErrorDetails) -> Problem:
    parts, key = _given(table.values, details["loc"][:-1]), details["loc"][-1]
    if isinstance(key, int):
        return _wrong_value(table, parts, details)
    where = _path(table, parts)
    found = annotation_at(table.model, [*parts, key], table.values)
    what = describe_annotation(*found) if found else "a value"
    hint = f"add `{key} = …`" + (f" to `{where}`" if where else " to the file") + f": {what}"
    if what == "a table":
        hint = f"add a table `[{_path(table, [*parts, key])}]`"
    elif what.startswith("an array of tables"):
        hint = f"add a table `[[{_path(table, [*parts, key])}]]`"
    return _at(table, [*parts, key], "is missing", hint)


def _unknown(table: _Checked, details: ErrorDetails) -> Problem:
    parts, key = _given(table.values, details["loc"][:-1]), str(details["loc"][-1])
    model = model_at(table.model, parts, table.values) if parts else table.model
    allowed = set(model.model_fields) if model else set()
    if not parts:
        allowed |= table.core_keys
    return _at(table, [*parts, key], *unknown_key(key, allowed))


def unknown_key(key: str, allowed: Iterable[str]) -> tuple[str, str]:
    """Return message and hint for a key that nobody knows."""
    allowed = sorted(allowed)
    match = closest(key, allowed)
    lines = [f"did you mean `{match}`?"] if match else []
    lines.append(f"allowed: {', '.join(allowed)}" if allowed else "no key is allowed here")
    return "there is no such key", "\n".join(lines)


def _wrong_value(table: _Checked, parts: Sequence[str | int], details: ErrorDetails) -> Problem:
    value: Any = table.values
    for part in parts:
        value = value[part]
    found = annotation_at(table.model, parts, table.values)
    if found is None or not parts:
        return _at(table, parts, details["msg"][0].lower() + details["msg"][1:])
    expected = describe_annotation(*found)
    if value in ("", []) and details["type"] in ("string_too_short", "too_short"):
        return _at(table, parts, "must not be empty")
    if details["type"] == "string_pattern_mismatch" and expected.startswith("text"):
        expected = f"text that fits the pattern {details['ctx']['pattern']}"
    if details["type"] in _RULES:
        return _at(table, parts, f"{_RULES[details['type']]}: {show(value)}")
    return _at(table, parts, f"must be {expected}, not {show(value)}", _hint(expected, value, details))


def _hint(expected: str, value: Any, details: ErrorDetails) -> str:
    if details["type"] == "literal_error":
        given = str(value)
        names = [word.strip("'") for word in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        match = closest(given, names)
        return f"did you mean {show(match)}?" if match else ""
    if isinstance(value, str) and "number" in expected and _is_number(value):
        return f"write it without quotes: {value}"
    if isinstance(value, float) and abs(value) < 1e6 and value.is_integer() and "whole number" in expected:
        return f"write it without a fraction: {int(value)}"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
