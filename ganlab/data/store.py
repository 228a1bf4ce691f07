"""Packed samples: one memory-mapped array, its labels, and a note of what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganlab.components import SampleSpec
from ganlab.descriptions import described

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "LABELS",
    "NOTE",
    "SAMPLES",
    "DamagedStoreError",
    "Enlarged",
    "PackedFrom",
    "Store",
    "describe",
]

SAMPLES, LABELS, NOTE = "samples.npy", "labels.npy", "store.json"
"""Names of a store's files: both arrays can be read with `numpy.load` too."""


class DamagedStoreError(Exception):
    """A directory is no whole store: cut off, or written by another version."""


@dataclass(frozen=True)
class Enlarged:
    """Images that were smaller than what they became.

    Attributes:
        count: how many.
        width: pixels of the smallest.
        height: pixels of the smallest.
    """

    count: int
    width: int
    height: int


@dataclass(frozen=True)
class PackedFrom:
    """What was packed first under a key, for people: other data of the same content shares it.

    Attributes:
        what: the dataset's name, or what else it is.
        options: those of its options that tell it from others, as in TOML.
        paths: where its files lie.
    """

    what: str = "a dataset"
    options: Mapping[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Store:
    """Samples at rest, ready to be gathered.

    Attributes:
        spec: what a sample is; `classes` is the number of `class_names`.
        samples: read-only memory map of rows, uint8 `(N, H, W, C)` or float32 `(N, dimension)`.
        labels: int64 `(N,)`, or `None`.
        class_names: names of the labels; empty where there are none.
        fingerprint: hex digest of the source's content and of all that was done to it.
        skipped: the files that were left out as bad, each with its reason.
        enlarged: what was smaller than asked for, if anything was, and if that was counted.
    """

    spec: SampleSpec
    samples: NDArray[Any]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    fingerprint: str
    skipped: tuple[str, ...] = ()
    enlarged: Enlarged | None = None

    @classmethod
    def open(cls, directory: Path) -> Store:
        """Open a packed store.

        Raises:
            DamagedStoreError: a file is missing, or metadata and files do not agree.
            OSError: the system refuses to read one, which says nothing about it.
        """
        try:
            note = json.loads((directory / NOTE).read_text(encoding="utf-8"))
            spec = SampleSpec.from_json({"kind": note["kind"], **note["spec"]})
            samples = np.load(directory / SAMPLES, mmap_mode="r")
            labels = np.load(directory / LABELS) if note["labeled"] else None
            class_names, skipped = tuple(note["class_names"]), tuple(note["skipped"])
            count, fingerprint = note["count"], note["fingerprint"]
            enlarged = described(Enlarged, note["enlarged"]) if note.get("enlarged") else None
        except (FileNotFoundError, ValueError, KeyError, TypeError, EOFError) as error:
            raise DamagedStoreError(f"{directory}: {error}") from error
        if samples.shape != (count, *spec.row_shape) or samples.dtype != spec.row_dtype:
            raise DamagedStoreError(f"{directory}: {samples.dtype} {samples.shape} is not what was packed")
        if labels is not None and (labels.shape != (count,) or labels.dtype != np.int64):
            raise DamagedStoreError(f"{directory}: the labels are not what was packed")
        return cls(spec, samples, labels, class_names, fingerprint, skipped, enlarged)

    def __len__(self) -> int:
        """Return the number of samples."""
        return int(self.samples.shape[0])

    def gather(self, indices: NDArray[np.int64] | Sequence[int], *, pin: bool = False) -> Tensor:
        """Return quantised samples by index, on the CPU.

        Args:
            indices: which; negative ones count from the end.
            pin: gather into pinned memory, from which CUDA copies without the host waiting.

        Returns:
            uint8 `(n, C, H, W)` in channels-last memory, or float32 `(n, dimension)`.

        Raises:
            IndexError: there is no such sample.
        """
        return self.spec.from_rows(self.rows(indices, pin=pin))

    def rows(self, indices: NDArray[np.int64] | Sequence[int], *, pin: bool = False) -> Tensor:
        """Return samples by index as they are kept, on the CPU: uint8 `(n, H, W, C)`, or as `gather`."""
        import torch

        # A plain array: each operation on a memmap object pays for its subclass.
        plain = self.samples.view(np.ndarray)
        wanted = np.asarray(indices, dtype=np.int64)
        if not pin:
            return torch.from_numpy(plain.take(wanted, axis=0))
        if len(wanted) and not -len(plain) <= wanted.min() <= wanted.max() < len(plain):
            raise IndexError(f"of {len(plain)} samples there is none from {wanted.min()} to {wanted.max()}")
        none = torch.from_numpy(plain[:0].copy())
        rows = none.new_empty((len(wanted), *plain.shape[1:]), pin_memory=True)
        # Unless it is told to wrap, NumPy gathers elsewhere first, so that an error leaves `out` as it was.
        plain.take(wanted, axis=0, out=rows.numpy(), mode="wrap")
        return rows


def describe(
    spec: SampleSpec,
    count: int,
    class_names: Sequence[str],
    labeled: bool,
    key: str,
    skipped: Sequence[str],
    enlarged: Enlarged | None,
    origin: PackedFrom,
) -> str:
    """Return the content of a store's note."""
    note = {
        "kind": spec.kind,
        "spec": asdict(spec.with_classes(len(class_names))),
        "count": count,
        "labeled": labeled,
        "class_names": list(class_names),
        "skipped": list(skipped),
        "enlarged": None if enlarged is None else asdict(enlarged),
        "fingerprint": key,
        "origin": asdict(origin),
    }
    return json.dumps(note, indent=1) + "\n"
