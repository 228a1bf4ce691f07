"""How fast training goes, and what it takes."""

from __future__ import annotations

import resource
import sys
import time
from types import TracebackType

import torch

from ganlab import tags
from ganlab.data.feed import Feed

__all__ = ["Speed", "memory"]


class Speed:
    """Times what is done inside it: the steps, and not evaluations, pictures and checkpoints.

    Args:
        feed: where batches come from, and where waiting for them is counted.
        images_per_step: images of a step.
        step: completed steps at the start.
    """

    def __init__(self, feed: Feed, images_per_step: int, step: int = 0) -> None:
        self._feed = feed
        self._images_per_step = images_per_step
        self._seconds = 0.0
        self._step = step
        self._waited = feed.wait_seconds
        self._entered = 0.0

    def __enter__(self) -> None:
        self._entered = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._seconds += time.perf_counter() - self._entered

    def read(self, step: int) -> dict[str, float]:
        """Return images a second, and the share of time waited for data, since the last reading."""
        seconds = max(self._seconds, 1e-9)
        waited = self._feed.wait_seconds - self._waited
        values = {
            tags.IMAGES_PER_SECOND: (step - self._step) * self._images_per_step / seconds,
            tags.DATA_WAIT: waited / seconds,
        }
        self._step, self._seconds, self._waited = step, 0.0, self._feed.wait_seconds
        return values


def memory(device: torch.device) -> dict[str, float]:
    """Return the peak memory of the process, and of the accelerator, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    values = {tags.PROCESS_MEMORY_PEAK: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if device.type == "cuda":
        values[tags.DEVICE_MEMORY_PEAK] = torch.cuda.max_memory_allocated(device) / 2**20
    return values
