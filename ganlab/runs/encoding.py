"""Values as standard JSON, finite or not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["to_json"]


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return standard JSON; `"NaN"`, `"Infinity"` and `"-Infinity"` stand for what JSON has no numbers for.

    Python's `float()` and most other languages read those three strings back. It is ASCII, which
    fits every output; names of files that are not text come back as Python has them (PEP 383).
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number
