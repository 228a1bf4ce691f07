"""`--set training.steps=100`: single keys from outside the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ganlab.config.document import Document, Place, settle
from ganlab.config.limits import DEEPEST, TOO_LONG, is_too_long, leaves, nesting
from ganlab.config.positions import join_path
from ganlab.config.toml import NotTomlError, parse_toml
from ganlab.errors import ExperimentError, Problem, printable
from ganlab.paths import is_text, path_text
from ganlab.words import counted

__all__ = ["apply_overrides"]


_LONGEST_INDEX = 9
_NESTED = f"leads more than {DEEPEST} tables and arrays deep"


class _BadOverrideError(Exception):
    """What is wrong with one `--set`, and what would be right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def apply_overrides(document: Document, overrides: Sequence[str]) -> Document:
    """Return the document with keys replaced or added.

    Args:
        document: left as it is.
        overrides: `dotted.path=VALUE` each; entries of arrays by index. The value is TOML, or
            plain text where that reads as no TOML value, as in `dataset.name=faces`.

    Raises:
        ExperimentError: overrides that cannot be read, or that lead nowhere; all of them.
    """
    values = _copied(document.values)
    places = dict(document.places)
    problems = []
    for override in overrides:
        path, _, text = override.partition("=")
        path = path.strip()
        made = _missing_tables(values, path)
        try:
            _assign(values, path, _value(override, text.strip()))
        except _BadOverrideError as error:
            problems.append(Problem("", f"--set {printable(override)}: {error}", error.hint))
            continue
        for place in [place for place in places if place == path or place.startswith(f"{path}.")]:
            del places[place]
        places |= dict.fromkeys((*made, path), (None, None))
    if problems:
        raise ExperimentError(problems)
    for name, table in values.items():
        if isinstance(table, dict):
            settle(name, table, _keys_set(name, places))
    return Document(document.file, values, places)


def _keys_set(table: str, places: Mapping[str, Place]) -> set[str]:
    """Return the keys of a table that stand in no file, or hold one that does not."""
    inside = (path.split(".") for path, place in places.items() if place == (None, None))
    return {keys[1] for keys in inside if keys[0] == table and len(keys) > 1}


def _missing_tables(values: dict[str, Any], path: str) -> list[str]:
    """Return the tables around a key that the experiment does not have."""
    parts, holder, missing = path.split("."), values, []
    for depth, part in enumerate(parts[:-1], 1):
        inner = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and inner is None:
            missing.append(".".join(parts[:depth]))
        holder = {} if inner is None else inner
    return missing


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _value(override: str, text: str) -> Any:
    if "=" not in override or not override.partition("=")[0].strip():
        raise _BadOverrideError("must be `key=value`, as in `--set training.steps=100`")
    if not is_text(override.partition("=")[0]):
        raise _BadOverrideError("the key is not UTF-8")
    if not text:
        raise _BadOverrideError("has no value", 'an empty text is ""')
    if not is_text(text):
        path = path_text(Path(text.strip("\"'")).absolute())
        raise _BadOverrideError("the value is not UTF-8", f"if it is a path, write it as {path}")
    try:
        parsed = parse_toml(f"value = {text}")
    except NotTomlError as error:
        if text[0] in "\"'[{":
            raise _BadOverrideError(f"the value is not valid TOML: {error.message}") from error
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


def _assign(values: dict[str, Any], path: str, value: Any) -> None:
    parts = path.split(".")
    if not all(parts):
        raise _BadOverrideError("a part of the key is empty", "write it as in `--set training.steps=100`")
    if len(parts) + nesting(value) > DEEPEST:
        raise _BadOverrideError(_NESTED)
    if any(is_too_long(leaf) for _, leaf in leaves(value)):
        raise _BadOverrideError(TOO_LONG)
    last = parts[-1]
    holder: Any = values
    walked = ""
    for part, after in pairwise(parts):
        if isinstance(holder, dict) and part not in holder:
            if _is_index(after):
                raise _BadOverrideError(f"the experiment has no array `{join_path(walked, part)}`")
            holder[part] = {}
        holder = _step(holder, part, walked)
        walked = join_path(walked, part)
    if isinstance(holder, dict):
        holder[last] = value
    else:
        _step(holder, last, walked)
        holder[int(last)] = value


def _step(holder: Any, part: str, walked: str) -> Any:
    """Return what `part` names inside a table or an array."""
    if isinstance(holder, dict):
        return holder[part]
    if not isinstance(holder, list):
        raise _BadOverrideError(f"`{walked}` is a value, not a table")
    if not _is_index(part):
        raise _BadOverrideError(f"`{walked}` is an array", f"name an entry by its index: {_indices(holder)}")
    if len(part) > _LONGEST_INDEX or int(part) >= len(holder):
        count = counted(len(holder), "entry", "entries")
        raise _BadOverrideError(f"`{walked}` has {count}", f"indices: {_indices(holder)}")
    return holder[int(part)]


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit()


def _indices(entries: list[Any]) -> str:
    return {0: "none", 1: "0"}.get(len(entries), f"0 to {len(entries) - 1}")
