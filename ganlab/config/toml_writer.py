"""TOML as a person would write it: one line for each value, a header for each table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import tomli_w

__all__ = ["toml_document", "toml_value"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """Return a value as it stands after `=`, on one line; keys of inline tables without value are left out.

    Args:
        value: what TOML knows: text, numbers, booleans, dates, lists and mappings of them.
    """
    if isinstance(value, Mapping):
        inner = ", ".join(
            f"{_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None
        )
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")


def toml_document(tables: Mapping[str, Any]) -> str:
    """Return nested tables as a TOML document, each table under a header of its own.

    Args:
        tables: values that TOML knows; no `None`.
    """
    return "\n".join(_lines(tables, "")).strip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in table.items():
        if not _is_table(value) and not _is_array_of_tables(value):
            yield f"{_key(key)} = {toml_value(value)}"
    for key, value in table.items():
        inner = f"{path}.{_key(key)}" if path else _key(key)
        if _is_table(value):
            # A table of tables alone needs no header of its own.
            if not value or not all(_is_table(item) for item in value.values()):
                yield from ("", f"[{inner}]")
            yield from _lines(value, inner)
        elif _is_array_of_tables(value):
            for entry in value:
                yield from ("", f"[[{inner}]]", *_lines(entry, inner))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_array_of_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(_is_table(item) for item in value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else toml_value(key)
