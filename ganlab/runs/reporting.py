"""Telling people of what is wrong and stops nothing."""

from __future__ import annotations

import sys
from contextlib import suppress

__all__ = ["print_warning"]


def print_warning(message: str) -> None:
    """Print a warning on standard error, if there is anybody to read it."""
    with suppress(OSError):
        print(f"warning: {message}", file=sys.stderr)
