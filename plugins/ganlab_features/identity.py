"""Digests that identify an extractor."""

from __future__ import annotations

import hashlib

__all__ = ["digest"]


def digest(*parts: object) -> str:
    """Return a hex digest of an extractor's name, the version of its definition, and its options."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
