"""Rows that packing has left of data that has changed since, as by the repair of a bad image."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganlab.data.packing_journal import PackingJournal
from ganlab.data.workers import Chunk
from ganlab.files import fsync_path

__all__ = ["PartialStore", "digests_of_rows"]

_DIGEST_BYTES = 16


@dataclass(frozen=True)
class PartialStore:
    """The files of a store that is being packed.

    Attributes:
        samples: the rows, behind a header.
        journal: which of them are there.
        digests: what each row is made of, as `digests_of_rows` says; the file may be missing.
    """

    samples: Path
    journal: PackingJournal
    digests: Path

    @classmethod
    def at(cls, directory: Path, samples: str) -> PartialStore:
        """Return the store in a directory.

        Args:
            directory: where its files are, or will be.
            samples: the name of the file of rows.
        """
        journal = PackingJournal(directory / "packing.jsonl")
        return cls(directory / samples, journal, directory / "packing.rows")

    def close(self) -> None:
        """Be gone for good but for the rows: from here on, they are not where they were noted to be."""
        self.journal.close()
        self.digests.unlink(missing_ok=True)

    def carry_over(self, other: PartialStore, row_bytes: int) -> None:
        """Take the chunks of another store whose rows are made of the same as some of this one's.

        Those with bad rows are left: how many of the others were enlarged is not noted.

        Args:
            other: of the same or of other data.
            row_bytes: of this store's rows.
        """
        if not (self.digests.is_file() and other.digests.is_file() and other.samples.is_file()):
            return
        new, old = (_read_digests(store.digests) for store in (self, other))
        found = sorted(_found_again(other.journal.read(), old, new), key=lambda pair: pair[1].start)
        offsets = [
            store.samples.stat().st_size - len(digests) * row_bytes
            for store, digests in ((self, new), (other, old))
        ]
        if not found or offsets[0] != offsets[1]:
            return
        carried, end = [], 0
        with self.samples.open("r+b") as target, other.samples.open("rb") as source:
            for before, now in found:
                if now.start < end:  # samples that are there twice
                    continue
                source.seek(offsets[1] + before.start * row_bytes)
                target.seek(offsets[0] + now.start * row_bytes)
                target.write(source.read(now.rows * row_bytes))
                carried.append(now)
                end = now.start + now.rows
        fsync_path(self.samples)
        for chunk in carried:
            self.journal.add(chunk)


def digests_of_rows(revisions: Iterable[str], treatment: str) -> bytes:
    """Return what is kept in `PartialStore.digests`: what each row is made of, in few bytes.

    Args:
        revisions: of the samples, in order; an empty one is like no other.
        treatment: all that is done to them.
    """
    head = hashlib.blake2b(treatment.encode() + b"\0", digest_size=_DIGEST_BYTES)

    def digest(revision: str) -> bytes:
        if not revision:
            return secrets.token_bytes(_DIGEST_BYTES)
        each = head.copy()
        each.update(revision.encode(errors="surrogateescape"))
        return each.digest()

    return b"".join(map(digest, revisions))


def _read_digests(path: Path) -> list[bytes]:
    content = path.read_bytes()
    return [content[start : start + _DIGEST_BYTES] for start in range(0, len(content), _DIGEST_BYTES)]


def _found_again(
    chunks: Iterable[Chunk], old: Sequence[bytes], new: Sequence[bytes]
) -> Iterator[tuple[Chunk, Chunk]]:
    """Yield each chunk without bad rows that is in the new rows, too, with what it is there."""
    places = {digest: index for index, digest in enumerate(new)}
    for chunk in chunks:
        rows = old[chunk.start : chunk.start + chunk.rows]
        start = places.get(rows[0]) if rows else None
        if not chunk.bad and start is not None and new[start : start + chunk.rows] == rows:
            yield chunk, replace(chunk, start=start)
