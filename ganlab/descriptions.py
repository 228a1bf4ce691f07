"""Descriptions: dataclasses that ganlab writes as JSON and reads again, those of later versions, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from ganlab.errors import printable

__all__ = ["described", "read_description"]

_Described = TypeVar("_Described")


def read_description(kind: type[_Described], content: bytes) -> _Described:
    """Return what a file describes; see `described`.

    Raises:
        ValueError: it does not; the message says in a clause what is wrong with it, and where.
    """
    try:
        values = json.loads(content)
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error
    except json.JSONDecodeError as error:
        where = f"it is not valid JSON at line {error.lineno}" if content.strip() else "it is empty"
        raise ValueError(where) from error
    return described(kind, values)


def described(kind: type[_Described], values: Mapping[str, Any]) -> _Described:
    """Return the dataclass that plain values describe, without the keys that only a later version knows.

    Args:
        kind: the dataclass; what its fields hold may be dataclasses again.
        values: what `dataclasses.asdict` returned, as it is or by way of JSON.

    Raises:
        ValueError: a key is missing or holds something else; the message names it, in a clause.
    """
    from pydantic import ValidationError

    try:
        described: _Described = _adapter(kind).validate_python(values)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if not key:
            what = "it is not a table of names and values"
        elif first["type"] == "missing":
            what = f"it does not say `{key}`"
        else:
            what = f"its `{key}` is {printable(repr(first['input']))}: {_lowered(first['msg'])}"
        raise ValueError(what) from error
    return described


@cache
def _adapter(kind: type[Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
