"""Pack a source once into a memory-mapped store, in parallel, all or nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from errno import ENOSPC
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganlab.components import ImageSpec, SampleSpec
from ganlab.data.cache_directory import cache_directory, locked, publish, remove_leftovers
from ganlab.data.encoding import ArrayEncoder, ImageEncoder
from ganlab.data.packing_journal import PackingJournal, missing_spans
from ganlab.data.packing_leftovers import PartialStore, digests_of_rows
from ganlab.data.source import ArraySource, ImageSource, Source
from ganlab.data.store import (
    LABELS,
    NOTE,
    SAMPLES,
    DamagedStoreError,
    Enlarged,
    PackedFrom,
    Store,
    describe,
)
from ganlab.data.workers import Bad, Chunk, LostWorkerError, RowWriter, available_cores, finished_chunks
from ganlab.errors import ComponentError, GanlabError
from ganlab.files import explained, fsync_path
from ganlab.progress import counting, nothing_shown, say
from ganlab.words import counted

if TYPE_CHECKING:
    from ganlab.data.images import Fit, Resample

__all__ = ["BadImagesError", "pack", "packed_spec"]

_FORMAT = 1
_SAMPLES_WORTH_A_WORKER = 512
"""With fewer for each, starting other processes costs more than they save."""
_COPY_BLOCK = 1 << 20

_Keeping: TypeAlias = Callable[[], AbstractContextManager[None]]
"""What explains a refusal of the cache's file system, and of nothing else."""


def pack(
    source: Source,
    image: ImageSpec | None,
    *,
    fit: Fit = "crop",
    resample: Resample = "lanczos",
    on_bad_image: Literal["fail", "skip"] = "fail",
    max_pixels: int | None = None,
    cache: Path | None = None,
    workers: int | None = None,
    progress: bool = True,
    origin: PackedFrom | None = None,
) -> Store:
    """Return the packed store of a source, from the cache where it is there already.

    The store is keyed by the source's fingerprint and by all that is done to its samples.
    Processes that pack the same thing wait for the first; one that is killed or interrupted, or finds
    a bad image, leaves what it has packed to the next, which takes what has not changed since. Nothing
    that is not whole ever has a store's name, and a store that was damaged since is packed again.

    Args:
        source: an `ImageSource` or an `ArraySource`, such as a `VectorSource`.
        image: what every image becomes; `None` for other samples.
        fit: what happens where the aspect ratio differs (`ganlab.data.images.render`).
        resample: Pillow's filter.
        on_bad_image: whether an image that cannot be decoded is an error, or is left out
            and listed in the store's `skipped`.
        max_pixels: an image with more is bad; `None` for Pillow's own guard against
            decompression bombs.
        cache: where stores are kept; `cache_directory()` if left out.
        workers: processes; as many as there are cores if left out.
        progress: whether standard error shows how far it is, and hears of what is left out or enlarged.
        origin: what `ganlab cache` says the store was packed from.

    Raises:
        ComponentError: the source is empty, or breaks its contract.
        BadImagesError: there are bad images, and none is to be left out.
        GanlabError: no usable image, no space, or no access to the cache.
    """
    with nothing_shown(not progress):
        plan = _plan(source, image, fit, resample, max_pixels)
    for note in source.notes:
        say(note, progress)
    cache = cache_directory() if cache is None else cache
    entry = cache / plan.key
    store = _reusable(entry)
    if store is None:
        needed = plan.count * plan.spec.row_bytes / 1e6
        size = f"{needed:,.1f}" if needed >= 0.1 else f"{needed:.1g}"
        action = f"cannot keep {size} MB of packed data in the cache directory {cache}"
        keeping = partial(explained, action, "GANLAB_CACHE can name another directory")
        wait = "waiting for another process that is packing this data"
        with ExitStack() as holding:
            with keeping():
                cache.mkdir(parents=True, exist_ok=True)
                resumable = (KeyboardInterrupt, LostWorkerError, BadImagesError)
                lock = locked(cache, plan.key, lambda: say(wait, progress), resumable=resumable)
                directory = holding.enter_context(lock)
            store = _reusable(entry)
            if store is None:
                key = _write(
                    plan, directory, keeping, on_bad_image, workers, progress, origin or PackedFrom()
                )
                with keeping():
                    publish(directory, cache / key)
                store = Store.open(cache / key)
    if store.skipped and on_bad_image == "fail":
        raise _bad_images(store.skipped, "")
    if store.skipped:
        say(f"left out {counted(len(store.skipped), 'bad image')}, the first: {store.skipped[0]}", progress)
    if store.enlarged is not None:
        say(_warning_of(store.enlarged, store), progress)
    return store


class BadImagesError(GanlabError):
    """Images cannot be decoded, and were not to be left out; what else helps may be added to the message."""


@dataclass(frozen=True)
class _Plan:
    """What is to be packed, and how."""

    source: Source
    encode: ImageEncoder | ArrayEncoder
    spec: SampleSpec
    count: int
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    treatment: str
    key: str

    def row_digests(self) -> bytes | None:
        """Return what each row is made of; `None` where the source does not say."""
        revisions = self.source.revisions() if isinstance(self.source, ImageSource) else None
        return None if revisions is None else digests_of_rows(revisions, self.treatment)


def packed_spec(source: Source, image: ImageSpec | None) -> SampleSpec:
    """Return what the samples of a source are once they are packed; none is read.

    Args:
        source: an `ImageSource` or an `ArraySource`, such as a `VectorSource`.
        image: what every image becomes; `None` for other samples.

    Raises:
        ComponentError: the source is neither, or an image's size is not known.
    """
    classes = len(source.class_names)
    if isinstance(source, ImageSource):
        if image is None:
            raise ComponentError("the dataset yields images, but no image size is known")
        return image.with_classes(classes)
    if isinstance(source, ArraySource):
        return source.spec.with_classes(classes)
    raise ComponentError(
        "the dataset is neither a ganlab.ImageSource nor a ganlab.VectorSource or another ganlab.ArraySource"
    )


def _plan(
    source: Source, image: ImageSpec | None, fit: Fit, resample: Resample, max_pixels: int | None
) -> _Plan:
    count = len(source)
    if count == 0:
        raise ComponentError("the dataset is empty: it has no samples at all")
    labels, class_names = source.labels(), tuple(source.class_names)
    if labels is not None:
        labels = _checked_labels(labels, count, class_names)
    spec = packed_spec(source, image).with_classes(0)
    fields = [value for name, value in asdict(spec).items() if name != "classes"]
    treatment: dict[str, Any] = {spec.kind: fields}
    encode: ImageEncoder | ArrayEncoder
    if isinstance(source, ImageSource):
        assert image is not None, "the packed spec of images is made from it"
        encode = ImageEncoder(source, image, fit, resample, max_pixels)
        treatment |= {"fit": fit, "resample": resample}
        if max_pixels is not None:
            treatment["max_pixels"] = max_pixels
    else:
        assert isinstance(source, ArraySource), "no other source has a packed spec"
        encode = ArrayEncoder(source, spec)
    content = [_FORMAT, source.fingerprint(), count, class_names, labels is not None, treatment]
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    done = json.dumps([_FORMAT, treatment], sort_keys=True)
    return _Plan(source, encode, spec, count, labels, class_names, done, key)


def _checked_labels(labels: Any, count: int, class_names: Sequence[str]) -> NDArray[np.int64]:
    """Return labels as they are kept.

    Raises:
        ComponentError: they are not the numbers of classes, one for each sample.
    """
    given = np.asarray(labels)
    if given.dtype.kind not in "biu":
        raise ComponentError(f"the labels must be whole numbers, from 0 on, and are {given.dtype}")
    if not class_names:
        raise ComponentError("it has labels, and its class_names are empty: name each class")
    if given.shape != (count,) or given.min() < 0 or given.max() >= len(class_names):
        numbers = counted(count, "number")
        message = f"the labels must be {numbers} below {len(class_names)}, the number of class names"
        raise ComponentError(message)
    return np.ascontiguousarray(given, dtype=np.int64)


def _reusable(entry: Path) -> Store | None:
    try:
        with explained(f"cannot read the packed data in {entry}"):
            return Store.open(entry) if entry.is_dir() else None
    except DamagedStoreError:
        return None


def _write(
    plan: _Plan,
    directory: Path,
    keeping: _Keeping,
    on_bad_image: str,
    workers: int | None,
    progress: bool,
    origin: PackedFrom,
) -> str:
    """Write a whole store into a new directory, and return its key.

    That is the plan's, unless images are left out for a reason that may pass: such a store is
    none that anybody finds again.
    """
    partial_store = PartialStore.at(directory, SAMPLES)
    header = _header(plan.spec, plan.count)
    with keeping():
        _begin(plan, directory, partial_store, header)
    write = RowWriter(plan.encode, partial_store.samples, len(header), plan.spec.row_bytes, keeping)
    bad, enlarged = _write_rows(write, plan, partial_store.journal, on_bad_image, workers, progress)
    count, labels = plan.count - len(bad), plan.labels
    if count == 0:
        raise GanlabError(f"none of {counted(plan.count, 'image')} can be used; the first: {bad[0].reason}")
    dropped = [row.index for row in bad]
    if labels is not None:
        labels = np.delete(labels, dropped)
    missing = [row.index for row in bad if row.passing]
    key = hashlib.sha256(f"{plan.key} without {missing}".encode()).hexdigest() if missing else plan.key
    reasons = [row.reason for row in bad]
    note = describe(plan.spec, count, plan.class_names, labels is not None, key, reasons, enlarged, origin)
    with keeping():
        partial_store.close()
        if bad:
            _close_gaps(write, plan.count, dropped, _header(plan.spec, count))
        if labels is not None:
            np.save(directory / LABELS, labels)
        (directory / NOTE).write_text(note, encoding="utf-8")
    return key


def _begin(plan: _Plan, directory: Path, into: PartialStore, header: bytes) -> None:
    """Make room for all rows, where none are left there, and let them be those that other data shares."""
    cache, path = directory.parent, into.samples
    size = len(header) + plan.count * plan.spec.row_bytes
    if into.journal.read() and path.is_file() and path.stat().st_size == size:
        remove_leftovers(cache, but=plan.key)
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    if shutil.disk_usage(directory).free < size:
        remove_leftovers(cache, but=plan.key)
    if shutil.disk_usage(directory).free < size:
        raise OSError(ENOSPC, os.strerror(ENOSPC))
    with path.open("wb") as file:
        file.write(header)
        file.truncate(size)
    digests = plan.row_digests()
    if digests is not None:
        into.digests.write_bytes(digests)

    def carry_over(leftover: Path) -> None:
        into.carry_over(PartialStore.at(leftover, SAMPLES), plan.spec.row_bytes)

    remove_leftovers(cache, but=plan.key, before=carry_over)


def _write_rows(
    write: RowWriter,
    plan: _Plan,
    journal: PackingJournal,
    on_bad_image: str,
    workers: int | None,
    progress: bool,
) -> tuple[list[Bad], Enlarged | None]:
    """Write the rows that are not there yet; return the bad ones in order, and what was too small."""
    if workers is None:
        workers = max(1, min(available_cores(), plan.count // _SAMPLES_WORTH_A_WORKER))
    bad: list[Bad] = []
    enlarged: Counter[tuple[int, int]] = Counter()
    done = 0
    there = journal.read()
    spans = list(missing_spans(there, plan.count))
    missing = sum(end - begin for begin, end in spans)
    if there:
        rows = plan.count - missing
        say(
            f"packing was interrupted, and goes on after {rows:,} of {counted(plan.count, 'sample')}",
            progress,
        )

    # The bar draws from a thread of its own, which must not run yet when workers are forked.
    with (
        finished_chunks(write, spans, workers, progress) as chunks,
        counting(f"packing {plan.spec}", missing, progress) as advance,
    ):

        def kept(chunk: Chunk) -> Chunk:
            # This process has nothing else to do, and the disk is busy before the end comes.
            with write.keeping():
                fsync_path(write.path)
                if on_bad_image == "skip" or not chunk.bad:  # what stops packing is looked at again
                    journal.add(chunk)
            advance(chunk.rows)
            return chunk

        for chunk in chain(there, map(kept, chunks)):
            bad += chunk.bad
            enlarged += chunk.enlarged
            done += chunk.rows
            if bad and on_bad_image == "fail":
                scope = "" if done == plan.count else f" among the first {done:,} that were looked at"
                raise _bad_images([row.reason for row in sorted(bad)], scope)
    if not enlarged:
        return sorted(bad), None
    smallest = min(enlarged, key=lambda size: (size[0] * size[1], size))
    return sorted(bad), Enlarged(enlarged.total(), *smallest)


def _warning_of(enlarged: Enlarged, store: Store) -> str:
    _, height, width = store.spec.shape
    subject = "image is" if enlarged.count == 1 else "images are"
    return (
        f"warning: {enlarged.count:,} of {len(store):,} {subject} smaller than {width}×{height} "
        "pixels and enlarged, which adds blur and no detail; the smallest is "
        f"{enlarged.width}×{enlarged.height} as cropped"
    )


def _bad_images(reasons: Sequence[str], scope: str) -> BadImagesError:
    others = len(reasons) - 1
    more = f"\n{others:,} more {'is' if others == 1 else 'are'} bad{scope}." if others else ""
    return BadImagesError(f"bad image {reasons[0]}.{more}\nRepair or remove {'them' if others else 'it'}")


def _header(spec: SampleSpec, count: int) -> bytes:
    """Return the head of a `.npy` file."""
    head = io.BytesIO()
    description = {"descr": spec.row_dtype, "fortran_order": False, "shape": (count, *spec.row_shape)}
    np.lib.format.write_array_header_1_0(head, description)
    return head.getvalue()


def _close_gaps(write: RowWriter, count: int, dropped: Sequence[int], header: bytes) -> None:
    """Move the rows behind each dropped one forward, in small blocks, and shorten the file."""
    # NumPy pads the header so that a smaller count never changes its length.
    assert len(header) == write.offset
    row = write.row_bytes
    with write.path.open("r+b") as file:
        file.write(header)
        target = write.offset + dropped[0] * row
        for index, following in zip(dropped, [*dropped[1:], count], strict=True):
            position, end = write.offset + (index + 1) * row, write.offset + following * row
            while position < end:
                file.seek(position)
                block = file.read(min(_COPY_BLOCK, end - position))
                file.seek(target)
                file.write(block)
                position += len(block)
                target += len(block)
        file.truncate(target)
