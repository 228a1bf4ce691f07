"""What the cache directory holds, in words, and how to be rid of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganlab.components import SampleSpec
from ganlab.config.toml_writer import toml_value
from ganlab.data.cache_directory import STATISTICS, is_partial, key_of, locked
from ganlab.data.store import NOTE, PackedFrom
from ganlab.descriptions import described
from ganlab.errors import UsageError
from ganlab.files import explained, reason
from ganlab.paths import parse_path
from ganlab.samples import UnknownKindError
from ganlab.words import counted

__all__ = ["CacheEntry", "cache_entries", "remove", "select"]

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CacheEntry:
    """One entry of the cache.

    Attributes:
        kind: `data` (packed samples), `statistics` (of real samples), or `other`.
        name: relative to the cache directory.
        size: bytes.
        content: what it is, in words.
        paths: where the files lie that it was packed from.
    """

    kind: Literal["data", "statistics", "other"]
    name: str
    size: int
    content: str
    paths: tuple[str, ...] = ()


def cache_entries(cache: Path) -> list[CacheEntry]:
    """Return what a cache directory holds, packed data first; nothing where there is none.

    Raises:
        GanlabError: it cannot be read.
    """
    with explained(f"cannot read the cache directory {cache}"):
        found = list(_found(cache)) if cache.is_dir() else []
    order = ("data", "statistics", "other")
    return sorted(found, key=lambda each: (order.index(each.kind), each.name))


def select(found: Sequence[CacheEntry], what: str) -> list[CacheEntry]:
    """Return the entries that are meant.

    Args:
        found: what there is.
        what: `all`, a kind, the unique beginning of an entry's name, or a path that data was packed from.

    Raises:
        UsageError: that is none of them, or the beginning of several.
    """
    if what in ("all", "data", "statistics", "other"):
        return [each for each in found if what in ("all", each.kind)]
    if not what:
        raise UsageError("--clear has no name: `ganlab cache` lists names and paths")
    named = [each for each in found if each.name.startswith(what)]
    if len(named) > 1:
        listing = "".join(f"\n    {each.name}  {each.content}" for each in named)
        raise UsageError(f"{what!r} is the beginning of several entries of the cache:{listing}")
    try:
        path = parse_path(what).resolve()
    except ValueError as error:
        raise UsageError(str(error)) from error
    chosen = named or [each for each in found if path in map(parse_path, each.paths)]
    if not chosen:
        raise UsageError(
            f"the cache holds nothing that is named {what!r}, and nothing that was packed from there; "
            "`ganlab cache` lists names and paths"
        )
    return chosen


def remove(cache: Path, entries: Iterable[CacheEntry]) -> None:
    """Remove entries; waits for whoever is writing one.

    Raises:
        GanlabError: one cannot be removed.
    """
    with explained(f"cannot clear the cache directory {cache}"):
        for each in entries:
            path = cache / each.name
            if each.kind == "data":
                with locked(cache, key_of(path)):
                    if path.exists():  # what is unfinished is gone once its writer is done
                        shutil.rmtree(path)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _found(cache: Path) -> Iterator[CacheEntry]:
    for entry in cache.iterdir():
        if entry.is_dir() and _KEY.fullmatch(entry.name):
            content, paths = _packed(entry)
            yield CacheEntry("data", entry.name, _size(entry), content, paths)
        elif is_partial(entry):
            text = "unfinished: being packed, or left by an interruption, after which packing goes on"
            yield CacheEntry("data", entry.name, _size(entry), text)
        elif entry.name == STATISTICS:
            files = [file for file in entry.iterdir() if file.is_file()]
            text = f"features and moments of {counted(len(files), 'set')} of real samples"
            yield CacheEntry("statistics", entry.name, _size(entry), text)
        elif entry.suffix != ".lock":
            count = sum(1 for file in entry.rglob("*") if file.is_file()) if entry.is_dir() else 1
            yield CacheEntry("other", entry.name, _size(entry), counted(count, "file"))


def _packed(entry: Path) -> tuple[str, tuple[str, ...]]:
    """Return what packed data is, and where its files lie."""
    try:
        note = json.loads((entry / NOTE).read_text(encoding="utf-8"))
        spec = SampleSpec.from_json({"kind": note["kind"], **note["spec"]})
        text = f"{note['count']:,} {spec}"
        if note["skipped"]:
            text += f", {len(note['skipped']):,} left out as bad"
        if "origin" not in note:  # by an earlier version
            return text, ()
        origin = described(PackedFrom, note["origin"])
        options = "".join(f", {key} = {toml_value(value)}" for key, value in origin.options.items())
        return f"{text}, of {origin.what}{options}", tuple(origin.paths)
    except OSError as error:
        return f"cannot be read: {reason(error)}", ()
    except UnknownKindError as error:
        return f"samples of the kind {str(error)!r}, which a plugin defines", ()
    except (ValueError, KeyError, TypeError):
        return "damaged; it will be packed again", ()


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
