"""Which rows of a store that is being packed are written, for whoever goes on if packing is killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganlab.data.workers import Bad, Chunk
from ganlab.files import fsync_path

__all__ = ["PackingJournal", "missing_spans"]


class PackingJournal:
    """A line of JSON for each chunk whose rows are on the disk.

    A line that is lost costs that its rows are packed once more, so none is waited for.

    Args:
        path: of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Chunk]:
        """Return the chunks that are written; what was cut off while it was noted is none."""
        chunks = []
        lines = self._path.read_bytes().splitlines() if self._path.is_file() else []
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                chunks.append(_chunk(json.loads(line)))
        return chunks

    def add(self, chunk: Chunk) -> None:
        """Note a chunk whose rows are on the disk, unless one was bad for a reason that may pass."""
        if any(row.passing for row in chunk.bad):
            return
        with self._path.open("a", encoding="ascii") as file:
            file.write(f"\n{json.dumps(_line(chunk))}\n")  # apart from what may have been cut off before it

    def close(self) -> None:
        """Be gone for good: from here on, rows are not where they were noted to be."""
        self._path.unlink(missing_ok=True)
        fsync_path(self._path.parent)


def missing_spans(chunks: Iterable[Chunk], count: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last row, exclusive, of each stretch of `count` rows that no chunk has."""
    begin = 0
    for chunk in sorted(chunks, key=lambda chunk: chunk.start):
        if chunk.start > begin:
            yield begin, chunk.start
        begin = chunk.start + chunk.rows
    if begin < count:
        yield begin, count


def _line(chunk: Chunk) -> dict[str, Any]:
    return {
        "start": chunk.start,
        "rows": chunk.rows,
        "bad": [[row.index, row.reason] for row in chunk.bad],
        "enlarged": [[*size, images] for size, images in chunk.enlarged.items()],
    }


def _chunk(line: dict[str, Any]) -> Chunk:
    bad = tuple(Bad(index, reason, passing=False) for index, reason in line["bad"])
    enlarged = Counter({(width, height): images for width, height, images in line["enlarged"]})
    return Chunk(line["start"], line["rows"], bad, enlarged)
