"""Guess what a mistyped word was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["closest", "did_you_mean", "listing"]


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, or `None` if none is near."""
    names = {name.lower().replace("_", "-"): name for name in known}
    matches = difflib.get_close_matches(word.lower().replace("_", "-"), names, n=1, cutoff=0.6)
    return names[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean `…`?`, or nothing if no known word is near."""
    match = closest(word, known)
    return f"did you mean `{match}`?" if match else ""


def listing(names: Iterable[str]) -> str:
    """Return names in order, parted by commas; `none` if there are none."""
    return ", ".join(sorted(names)) or "none"
