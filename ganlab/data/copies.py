"""Samples that are there more than once."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganlab.data.cache_directory import cache_directory
from ganlab.data.store import Store
from ganlab.files import write_atomically
from ganlab.progress import counting

__all__ = ["first_alike"]

_BLOCK = 1024
_LONG = 1 << 28
"""Bytes whose reading is worth a line."""


def first_alike(store: Store, *, cache: Path | None = None, progress: bool = True) -> NDArray[np.int64]:
    """Return for each sample the index of the first one that is the same to the bit, most often its own.

    All samples are read once; what was found is remembered in the cache directory.

    Args:
        store: the samples.
        cache: where packed data is kept; `cache_directory()` if left out.
        progress: whether standard error shows how far it is.
    """
    first = np.arange(len(store), dtype=np.int64)
    memory = (cache or cache_directory()) / "fingerprints" / f"{store.fingerprint}.copies"
    try:
        found = json.loads(memory.read_text())
    except (OSError, ValueError):
        found = _copies(store, progress)
        # Only a convenience: a cache that cannot be written is the packer's to complain about.
        with suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(memory, json.dumps(found), durable=False)
    for copy, original in found:
        first[copy] = original
    return first


def _copies(store: Store, progress: bool) -> list[tuple[int, int]]:
    """Return each copy with the sample that it is a copy of."""
    seen: dict[bytes, int] = {}
    copies = []
    plain = store.samples.view(np.ndarray)
    with counting("looking for copies", len(store), progress and plain.nbytes > _LONG) as advance:
        for start in range(0, len(store), _BLOCK):
            rows = np.ascontiguousarray(plain[start : start + _BLOCK])
            for index, row in enumerate(rows, start):
                original = seen.setdefault(hashlib.blake2b(row, digest_size=16).digest(), index)
                if original != index:
                    copies.append((index, original))
            advance(len(rows))
    return copies
