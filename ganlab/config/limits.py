"""Values that TOML may hold and that are too deep or too long for whatever follows them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from ganlab.config.positions import join_path

__all__ = ["DEEPEST", "NESTED", "TOO_LONG", "is_too_long", "leaves", "nesting"]

DEEPEST = 32
"""Tables and arrays inside one another."""

NESTED = f"tables and arrays are nested more than {DEEPEST} deep"
TOO_LONG = "a number has too many digits"


def nesting(value: Any) -> int:
    """Return how many tables and arrays stand inside one another, however many."""
    reached, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        reached += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return reached


def is_too_long(value: Any) -> bool:
    """Return whether a value is a whole number beyond all floats; Python cannot even print the longest."""
    return isinstance(value, int) and abs(value) > sys.float_info.max


def leaves(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and the value of everything that is no table and no array."""
    if isinstance(values, dict | list):
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from leaves(value, join_path(path, str(key)))
    else:
        yield path, values
