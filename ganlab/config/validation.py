"""Checking tables: the core's own keys, then a component's options."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any, TypeVar

from pydantic import PydanticUserError, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from ganlab.component_settings import ComponentSettings
from ganlab.components import Options
from ganlab.config.limits import leaves
from ganlab.config.origin import Origin
from ganlab.config.settings import Settings
from ganlab.config.types import show
from ganlab.config.validation_problems import validation_problems
from ganlab.errors import ComponentError, Problem, located

__all__ = ["check_component_settings", "check_options", "check_settings", "check_values", "default_values"]

SettingsT = TypeVar("SettingsT", bound=ComponentSettings)


def check_values(values: Any, origin: Origin) -> Iterator[Problem]:
    """Yield a problem for each value that TOML has and experiments have no use for."""
    for path, value in leaves(values):
        if isinstance(value, date | time):  # a datetime is a date
            hint = f'as text: "{value.isoformat()}"'
            yield origin.problem(path, "is a date, which no setting takes", hint)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield origin.problem(
                path, f"is beyond the 64-bit numbers of TOML: {show(value)}", "write a smaller number"
            )
        elif isinstance(value, float) and math.isnan(value):
            yield origin.problem(path, "is not a number (nan)")


def check_settings(values: dict[str, Any], origin: Origin) -> tuple[Settings | None, list[Problem]]:
    """Check the keys that are the core's own."""
    try:
        return Settings.model_validate_json(_json(values)), []
    except ValidationError as error:
        problems = validation_problems(
            error, Settings, values, path="", origin=origin, core_keys={*Settings.model_fields, "extends"}
        )
        return None, problems


def check_component_settings(
    settings: type[SettingsT], values: dict[str, Any], *, path: str, origin: Origin
) -> tuple[SettingsT | None, list[Problem]]:
    """Check the keys of a component's table that are the core's own.

    Args:
        settings: the core's keys.
        values: those that are given.
        path: dotted path of the table.
        origin: where keys stand.
    """
    try:
        return settings.model_validate_json(_json(values)), []
    except ValidationError as error:
        return None, validation_problems(error, settings, values, path=path, origin=origin)


def check_options(
    options: type[Options],
    values: dict[str, Any],
    *,
    path: str,
    origin: Origin,
    core_keys: frozenset[str],
    directories: Mapping[str, Path],
) -> tuple[Options | None, list[Problem]]:
    """Check the keys of a component's table that are its options.

    Args:
        options: the component's options.
        values: those keys.
        path: dotted path of the table.
        origin: where keys stand.
        core_keys: the table's other keys, for suggestions.
        directories: what relative paths start from, by option.
    """
    try:
        complete = {**default_values(options), **values}
        checked = options.model_validate_json(_json(complete), context={"directories": directories})
    except ValidationError as error:
        return None, validation_problems(
            error, options, values, path=path, origin=origin, core_keys=core_keys
        )
    except ComponentError as error:
        key = f"{path}.{error.option}" if error.option else path
        return None, [origin.problem(key, str(error))]
    except (PydanticUserError, PydanticSerializationError) as error:  # the options' own declaration
        first = str(error).splitlines()[0]
        return None, [origin.problem(path, f"the plugin declares options that cannot be checked: {first}")]
    except Exception as error:  # a validator of the options' own
        return None, [origin.problem(path, f"the plugin's check of its options raised {located(error)}")]
    return checked, []


def default_values(options: type[Options]) -> dict[str, Any]:
    """Return defaults, but for `None`, as if the experiment had given them.

    Left to themselves they fail: strict validation of JSON refuses a `Path` that is one already.
    """
    fields = options.model_fields.items()
    defaults = {
        key: field.get_default(call_default_factory=True) for key, field in fields if not field.is_required()
    }
    return {key: to_jsonable_python(default) for key, default in defaults.items() if default is not None}


def _json(values: dict[str, Any]) -> str:
    """Return a table as JSON: strict validation of JSON takes arrays for tuples and text for paths."""
    return json.dumps(values, default=lambda value: value.isoformat())
