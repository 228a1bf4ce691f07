"""From files to one nested table: parsing, `extends`, and where every key stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, TypeAlias

from ganlab.config.earlier_versions import up_to_date
from ganlab.config.limits import DEEPEST, NESTED, TOO_LONG, is_too_long, leaves, nesting
from ganlab.config.positions import join_path, key_lines
from ganlab.config.toml import NotTomlError, parse_toml
from ganlab.errors import ExperimentError, Problem
from ganlab.files import exists
from ganlab.paths import parse_path, path_text
from ganlab.registry.suggest import file_meant

__all__ = ["EXTENDS", "Document", "Place", "document_of", "read_document", "settle"]

Place: TypeAlias = tuple[Path | None, int | None]

EXTENDS = (
    "An experiment file to start from, relative to this file: tables are merged, arrays replaced, and a "
    "table that names another component takes that one's own defaults."
)
"""What the key `extends` means, which is gone once the files are read."""

_A_PLUGIN = "`ganlab check FILE.py` tries a plugin; an experiment names it in `plugins`, or `--plugin` does"
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Document:
    """An experiment as it is written, before anything is checked.

    Attributes:
        file: the experiment file; one that is not there, in the working directory, for tables of a program.
        values: its nested tables, bases merged in.
        places: dotted path -> (file, line) of every key.
    """

    file: Path
    values: dict[str, Any]
    places: dict[str, Place]


def read_document(file: Path) -> Document:
    """Read an experiment file and all that it extends.

    Raises:
        ExperimentError: a file is absent, unreadable or not TOML, or extends itself.
    """
    try:
        text = _text(file)
    except _UnreadableError as error:
        raise ExperimentError([Problem("", str(error), error.hint, file)]) from error
    return _read(file, text, ())


def document_of(values: Mapping[str, Any]) -> Document:
    """Return the experiment that a program has as nested tables, with all that it extends.

    Its paths are relative to the working directory.

    Args:
        values: what TOML knows, and paths.

    Raises:
        ExperimentError: a value is none that TOML knows, or a file that is extended cannot be read.
    """
    plain = _plain(values)
    if nesting(plain) > DEEPEST:
        deepest = max(plain, key=lambda key: nesting(plain[key]))
        raise ExperimentError([Problem(deepest, NESTED)])
    problems = [Problem(path, said) for path, value in leaves(plain) if (said := _unlike_toml(value))]
    if problems:
        raise ExperimentError(problems)
    # No file set them: without a place of their own, keys would seem to stand in what is extended.
    places: dict[str, Place] = dict.fromkeys(["", *_paths(plain)], (None, None))
    return _extended(Document(Path(), up_to_date(plain), places), ())


class _UnreadableError(Exception):
    """Why a file cannot be read, and what would be right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def _read(file: Path, text: str, chain: tuple[Path, ...]) -> Document:
    values = up_to_date(_parse(file, text))
    places: dict[str, Place] = {path: (file, line) for path, line in key_lines(text).items()}
    places[""] = (file, None)
    long = [path for path, value in leaves(values) if is_too_long(value)]
    if long:
        raise ExperimentError([Problem(path, TOO_LONG, file=file, line=places[path][1]) for path in long])
    return _extended(Document(file, values, places), chain)


def _extended(document: Document, chain: tuple[Path, ...]) -> Document:
    """Return a document over what it extends."""
    if "extends" not in document.values:
        return document
    base = _base(document, (*chain, document.file))
    del document.values["extends"]
    return _merge(base, document)


def _plain(value: Any) -> Any:
    """Return tables and arrays as TOML's own types, and paths as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return path_text(value) if isinstance(value, Path) else value


def _unlike_toml(value: Any) -> str:
    """Return what is wrong with a value that no file could have; nothing otherwise."""
    if is_too_long(value):
        return TOO_LONG
    if isinstance(value, str | int | float | date | time):
        return ""
    return f"is {value!r:.60}; an experiment holds text, numbers, booleans, lists and tables of them"


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted path of every key, and of every entry of an array."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield join_path(path, str(key))
            yield from _paths(inner, join_path(path, str(key)))


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8-sig") as opened:
            text = opened.read(_LARGEST + 1)
    except FileNotFoundError:
        raise _UnreadableError("there is no such file", _guess(file)) from None
    except IsADirectoryError:
        raise _UnreadableError("is a directory, not an experiment file") from None
    except OSError as error:
        raise _UnreadableError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise _UnreadableError("is not a text file in UTF-8") from None
    if len(text) > _LARGEST:
        raise _UnreadableError(f"is not an experiment file: it has more than {_LARGEST:,} characters")
    return text


def _guess(file: Path) -> str:
    """Return which file may be meant by one that is not there."""
    try:
        return file_meant(file, ".toml")
    except OSError:  # the name is too long for any directory
        return ""


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        values = parse_toml(text)
    except NotTomlError as error:
        if file.suffix == ".py":
            problem = Problem("", "is Python, not an experiment", _A_PLUGIN, file)
        else:
            problem = Problem("", f"not valid TOML: {error.message}", "", file, error.line, error.column)
        raise ExperimentError([problem]) from error
    if nesting(values) > DEEPEST:
        deepest = max(values, key=lambda key: nesting(values[key]))
        raise ExperimentError([Problem(deepest, NESTED, file=file)])
    return values


def _base(document: Document, chain: tuple[Path, ...]) -> Document:
    """Read the file that a document extends."""
    name = document.values["extends"]
    file, line = document.places["extends"]
    if not isinstance(name, str):
        problem = Problem("extends", "must be the path of one TOML file, in quotes", file=file, line=line)
        raise ExperimentError([problem])
    if len(chain) > DEEPEST:
        message = f"more than {DEEPEST} files extend one another"
        raise ExperimentError([Problem("extends", message, file=file, line=line)])
    try:
        base = Path(document.file.parent, parse_path(name))
    except ValueError as error:
        raise ExperimentError([Problem("extends", str(error), file=file, line=line)]) from error
    seen = [path.resolve() for path in chain]
    if base.resolve() in seen:
        circle = " → ".join(str(path) for path in (*chain[seen.index(base.resolve()) :], base))
        raise ExperimentError([Problem("extends", f"goes in a circle: {circle}", file=file, line=line)])
    if not exists(base):
        raise ExperimentError([Problem("extends", f"there is no file {base}", _guess(base), file, line)])
    try:
        text = _text(base)
    except _UnreadableError as error:
        raise ExperimentError([Problem("extends", f"{base} {error}", error.hint, file, line)]) from error
    return _read(base, text, chain)


def _merge(base: Document, over: Document) -> Document:
    places = dict(base.places)
    values = _merged(base.values, over.values, "", places)
    return Document(over.file, values, {**places, **over.places})


def _merged(
    base: dict[str, Any], over: dict[str, Any], path: str, places: dict[str, Place]
) -> dict[str, Any]:
    """Return the merged table, and drop from `places` what was replaced."""
    result = dict(base)
    for key, value in over.items():
        inner = join_path(path, key)
        if key in base and _merges(base[key], value):
            result[key] = _merged(base[key], value, inner, places)
        else:
            result[key] = value
            for place in [place for place in places if place == inner or place.startswith(f"{inner}.")]:
                del places[place]
    settle(path, result, over)
    return result


def settle(path: str, table: dict[str, Any], given: Collection[str]) -> None:
    """Let what is given over another table win over what says the same in other words.

    Args:
        path: of the table.
        table: changed in place.
        given: its keys that are laid over what was there.
    """
    if path == "image":
        _settle_size(table, given)
    if path == "start":
        _settle_pin(table, given)


def _settle_pin(start: dict[str, Any], given: Collection[str]) -> None:
    """Drop what `[start]` was, where it is now told to be something else."""
    if "pinned" not in given and not {"run", "checkpoint"}.isdisjoint(given):
        start.pop("pinned", None)


def _settle_size(image: dict[str, Any], given: Collection[str]) -> None:
    """Let a size that is given over another one win: `size` is `height` and `width` in one."""
    sides = ("height", "width")
    one_side_given = any(side in given for side in sides)
    if "size" in given and not one_side_given:
        for side in sides:
            image.pop(side, None)
    elif one_side_given and "size" in image and "size" not in given:
        size = image.pop("size")
        for side in sides:
            image.setdefault(side, size)


def _merges(base: Any, over: Any) -> bool:
    """Tables merge, unless the new one chooses another component, which the old options do not fit."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return False
    return "name" not in over or over["name"] == base.get("name")
