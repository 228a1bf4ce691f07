"""Batches without end, in an order that is a pure function of the seed."""

from __future__ import annotations

import mmap
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganlab.data.free_memory import free_memory
from ganlab.data.order import coins, permutation
from ganlab.data.store import Store
from ganlab.data.transfer import copies_from_pinned, pinned, to_device
from ganlab.processes.identity import rows_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["COMFORTABLE_SHARE", "Batch", "Feed"]

COMFORTABLE_SHARE = 0.25
"""Of the free memory: samples that take less live on the device."""
_PREFETCHED = 2
_UPLOAD_ROWS = 4096


@dataclass(frozen=True)
class Batch:
    """What is fed to one turn.

    Attributes:
        samples: as networks see them: float32 `(n, C, H, W)` in [-1, 1] in channels-last
            memory, or vectors `(n, dimension)` as they are.
        labels: int64 `(n,)`, or `None`.
    """

    samples: Tensor
    labels: Tensor | None


class Feed:
    """Endless shuffled batches of some of a store's samples.

    Sample k of the stream is `permutation(k // n)[k % n]` of the n indices, so batches
    run across the ends of epochs and are always full. Each batch is drawn for all
    processes together and then cut into one slice for each, so that how many processes
    share it does not change it. Its whole state is `position`.

    Samples that fit in a quarter of the device's free memory live there, and a batch
    never crosses the bus. Elsewhere a thread gathers ahead. On the CPU, samples that fit
    in a quarter of the free memory are left to the page cache and gathered at once.

    Args:
        store: packed samples.
        indices: which of them to show, as in `Split.training`.
        batch_size: samples of one batch, over all processes.
        seed: the experiment's seed.
        device: where batches are wanted.
        mirror: flip each image left to right half of the time, a pure function of seed
            and position; samples that have no mirror image stay as they are.
        rank: this process.
        world: number of processes.

    Attributes:
        wait_seconds: time spent in `next` so far.
    """

    def __init__(
        self,
        store: Store,
        indices: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str,
        mirror: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        import torch

        if len(indices) == 0:
            raise ValueError("there is nothing to feed: no indices")
        if not 0 <= rank < world <= batch_size:
            raise ValueError(f"a batch of {batch_size} cannot be cut for rank {rank} of {world}")
        self.wait_seconds = 0.0
        self._store, self._indices, self._seed = store, indices, seed
        self._batch_size, self._rank, self._world = batch_size, rank, world
        self._device = torch.device(device)
        self._mirror = mirror and store.spec.mirror_dim is not None
        self._position = 0
        self._epoch: tuple[int, NDArray[np.int64]] | None = None
        self._ahead: deque[Future[_Gathered]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._resident: Tensor | None = None
        comfortable = self._bytes_of_samples() < COMFORTABLE_SHARE * (free_memory(self._device) or 0)
        if comfortable and self._device.type == "cpu":
            _read_ahead(store)
        elif comfortable:
            self._resident = self._upload()
        else:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="feed")

    @property
    def position(self) -> int:
        """Batches handed out so far; setting it goes there."""
        return self._position

    @position.setter
    def position(self, position: int) -> None:
        if position < 0:
            raise ValueError(f"position {position} lies before the first batch")
        self._forget_ahead()
        self._position = position

    def next(self) -> Batch:
        """Return the batch at `position`, this process's slice of it, and move on."""
        started = time.perf_counter()
        gathered = self._prefetched() if self._thread else self._gather(self._position)
        self._position += 1
        batch = self._finish(gathered)
        self.wait_seconds += time.perf_counter() - started
        return batch

    def labels(self) -> Tensor | None:
        """Return the labels of the batch that comes next, without moving on; `None` where there are none."""
        import torch

        if self._store.labels is None:
            return None
        return to_device(torch.from_numpy(self._store.labels[self.order(self._position)]), self._device)

    def close(self) -> None:
        """Stop reading ahead. A feed that is closed must not be used again."""
        self._forget_ahead()
        if self._thread:
            self._thread.shutdown()

    def order(self, position: int) -> NDArray[np.int64]:
        """Return the indices of this process's slice of the batch at a position."""
        return self._indices[self._places(position)]

    def _places(self, position: int) -> NDArray[np.int64]:
        """Return the slice of a batch as places in `indices`."""
        cut = self._slice()
        first = position * self._batch_size
        stream = np.arange(first + cut.start, first + cut.stop)
        epochs, places = np.divmod(stream, len(self._indices))
        for epoch in np.unique(epochs):
            inside = epochs == epoch
            places[inside] = self._permutation(int(epoch))[places[inside]]
        return places

    def _slice(self) -> slice:
        return rows_of(self._rank, self._world, self._batch_size)

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        known = self._epoch  # once: the thread that reads ahead may put another there
        if known is None or known[0] != epoch:
            self._epoch = known = (epoch, permutation(len(self._indices), self._seed, "order", epoch))
        return known[1]

    def _gather(self, position: int) -> _Gathered:
        """Return a slice at rest: on the device if it is resident, else in (pinned) host memory."""
        import torch

        places = self._places(position)
        indices = self._indices[places]
        flips = None
        if self._mirror:
            tossed = coins(self._batch_size, self._seed, "mirror", position)[self._slice()]
            flips = pinned(torch.from_numpy(np.flatnonzero(tossed)), self._device)
        labels = None
        if self._store.labels is not None:
            labels = pinned(torch.from_numpy(self._store.labels[indices]), self._device)
        if self._resident is None:
            if self._thread is not None:
                _read_rows(self._store, indices)
            samples = self._store.gather(indices, pin=copies_from_pinned(self._device))
        else:
            rows = self._resident.index_select(0, to_device(torch.from_numpy(places), self._device))
            samples = self._store.spec.from_rows(rows)
        return _Gathered(samples, labels, flips)

    def _prefetched(self) -> _Gathered:
        assert self._thread is not None
        while len(self._ahead) <= _PREFETCHED:
            self._ahead.append(self._thread.submit(self._gather, self._position + len(self._ahead)))
        return self._ahead.popleft().result()

    def _forget_ahead(self) -> None:
        while self._ahead:
            future = self._ahead.popleft()
            if not future.cancel():
                future.exception()  # The thread owns the cached permutation until it is done.

    def _finish(self, gathered: _Gathered) -> Batch:
        spec = self._store.spec
        samples = to_device(gathered.samples, self._device)
        if gathered.flips is not None and spec.mirror_dim is not None:
            flips = to_device(gathered.flips, self._device)
            # In place: a gathered batch is nobody else's, and keeps its memory format.
            samples.index_copy_(0, flips, samples.index_select(0, flips).flip(spec.mirror_dim))
        labels = None if gathered.labels is None else to_device(gathered.labels, self._device)
        return Batch(spec.dequantise(samples), labels)

    def _bytes_of_samples(self) -> int:
        samples = self._store.samples
        return len(self._indices) * (samples.nbytes // len(samples))

    def _upload(self) -> Tensor:
        """Copy the samples that are shown to the device, in rows as they lie at rest."""
        none, row_shape = self._store.rows(self._indices[:0]), self._store.spec.row_shape
        resident = none.new_empty((len(self._indices), *row_shape), device=self._device)
        for start in range(0, len(self._indices), _UPLOAD_ROWS):
            rows = self._store.rows(self._indices[start : start + _UPLOAD_ROWS])
            resident[start : start + len(rows)] = rows
        return resident


@dataclass(frozen=True)
class _Gathered:
    """A batch at rest, before it is put on the device, flipped and made float."""

    samples: Tensor
    labels: Tensor | None
    flips: Tensor | None


def _read_ahead(store: Store) -> None:
    """Ask the system to have the whole map in its page cache soon."""
    mapped = getattr(store.samples, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_WILLNEED"):
        mapped.madvise(mmap.MADV_WILLNEED)


def _read_rows(store: Store, indices: NDArray[np.int64]) -> None:
    """Ask the system to read these rows, all at once; touched unread, each brings what lies around it."""
    mapped = getattr(store.samples, "_mmap", None)
    if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
        return
    first = getattr(store.samples, "offset", 0) % mmap.ALLOCATIONGRANULARITY
    size = store.samples.strides[0]
    for index in np.sort(indices).tolist():
        begin = first + index * size
        page = begin - begin % mmap.PAGESIZE
        mapped.madvise(mmap.MADV_WILLNEED, page, begin + size - page)
