"""What the cache directory holds, in words, and how to be rid of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganlab.components import ImageSpec, VectorSpec
from ganlab.data.cache import locked
from ganlab.data.store import NOTE
from ganlab.files import explained

__all__ = ["Holding", "holdings", "remove"]

_KEY = re.compile(r"[0-9a-f]{64}")
_STATISTICS = "statistics"


@dataclass(frozen=True)
class Holding:
    """One entry of the cache.

    Attributes:
        kind: `data` (packed samples), `statistics` (of real samples), or `other`.
        name: relative to the cache directory.
        size: bytes.
        content: what it is, in words.
    """

    kind: Literal["data", "statistics", "other"]
    name: str
    size: int
    content: str


def holdings(cache: Path) -> list[Holding]:
    """Return what a cache directory holds, packed data first; nothing where there is none.

    Raises:
        GanlabError: it cannot be read.
    """
    with explained(f"cannot read the cache directory {cache}"):
        found = list(_found(cache)) if cache.is_dir() else []
    order = ("data", "statistics", "other")
    return sorted(found, key=lambda each: (order.index(each.kind), each.name))


def remove(cache: Path, entries: Iterable[Holding]) -> None:
    """Remove entries; waits for whoever is writing one.

    Raises:
        GanlabError: one cannot be removed.
    """
    with explained(f"cannot clear the cache directory {cache}"):
        for each in entries:
            path = cache / each.name
            if each.kind == "data":
                with locked(cache, each.name):
                    shutil.rmtree(path)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _found(cache: Path) -> Iterator[Holding]:
    for entry in cache.iterdir():
        if entry.is_dir() and _KEY.fullmatch(entry.name):
            yield Holding("data", entry.name, _size(entry), _packed(entry))
        elif entry.name == _STATISTICS:
            files = [file for file in entry.iterdir() if file.is_file()]
            sets = "set" if len(files) == 1 else "sets"
            text = f"features and moments of {len(files):,} {sets} of real samples"
            yield Holding("statistics", entry.name, _size(entry), text)
        elif entry.suffix not in (".lock", ".partial"):
            count = sum(1 for file in entry.rglob("*") if file.is_file()) if entry.is_dir() else 1
            yield Holding("other", entry.name, _size(entry), f"{count:,} {'file' if count == 1 else 'files'}")


def _packed(entry: Path) -> str:
    try:
        note = json.loads((entry / NOTE).read_text(encoding="utf-8"))
        spec = (ImageSpec if note["kind"] == "image" else VectorSpec)(**note["spec"])
        return f"{note['count']:,} {spec}"
    except (OSError, ValueError, KeyError, TypeError):
        return "damaged; it will be packed again"


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
