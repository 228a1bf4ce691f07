"""Paths as text: what `~` means, and names that are not UTF-8."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

__all__ = ["is_text", "parse_path", "path_text"]

_URI = re.compile(r"file:/+")


def is_text(name: str) -> bool:
    """Return whether a name can be written as UTF-8; names of files may be any bytes (PEP 383)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_path(text: str) -> Path:
    """Return the path that a text names.

    `~` is the home directory, and `file:///data/caf%E9` an absolute path whose name is not UTF-8.

    Raises:
        ValueError: no home directory is known for `~`, or no file can have this name.
    """
    if uri := _URI.match(text):
        text = "/" + os.fsdecode(unquote_to_bytes(text[uri.end() :]))
    if "\0" in text:
        raise ValueError("has a null character, which no path can have")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"no home directory is known for {text}") from None


def path_text(path: Path) -> str:
    """Return a path as UTF-8 that `parse_path` reads back: as it is, or as a `file:` URI."""
    return str(path) if is_text(str(path)) else path.absolute().as_uri()
