"""Guess what a mistyped word was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["closest", "did_you_mean", "file_meant", "listing"]


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, or whose initials it is; `None` if none is near."""
    names = {name.lower().replace("_", "-"): name for name in known}
    given = word.lower().replace("_", "-")
    matches = difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    matches += [name for name in names if "-" in name and given == _initials(name)]
    return names[matches[0]] if matches else None


def _initials(name: str) -> str:
    return "".join(part[:1] for part in name.split("-"))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean `…`?`, or nothing if no known word is near."""
    match = closest(word, known)
    return f"did you mean `{match}`?" if match else ""


def file_meant(path: Path, suffix: str) -> str:
    """Return `did you mean `…`?`, or nothing if no file beside `path` has a name that is near.

    Args:
        path: a file that is not there.
        suffix: what the files that may be meant end in; what all have in common makes none nearer.

    Raises:
        OSError: the name is too long for any directory.
    """
    names = {each.stem: each.name for each in path.parent.glob(f"*{suffix}")}
    match = closest(path.stem, names)
    return f"did you mean `{names[match]}`?" if match else ""


def listing(names: Iterable[str]) -> str:
    """Return names in order, parted by commas; `none` if there are none."""
    return ", ".join(sorted(names)) or "none"
