"""Measuring one bare set of samples against another: no run, no experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from ganlab.components import ImageSpec, SampleSpec, VectorSpec
from ganlab.config.selection import EvaluatorSelection
from ganlab.data.bare_set import Samples, describe_set, open_bare_set, store_images, store_vectors
from ganlab.data.cache_directory import statistics_directory
from ganlab.data.image_set import ImageSet, describe
from ganlab.data.preparation import Data
from ganlab.data.split import split
from ganlab.data.store import Store
from ganlab.errors import UsageError
from ganlab.evaluation.evaluation import Evaluation, Show
from ganlab.evaluation.feature_pass import Progress
from ganlab.evaluation.measurement import Measurement
from ganlab.evaluation.reference import PERMUTATION_SEED, ReferenceData

__all__ = ["BareSets"]


@dataclass(frozen=True)
class BareSets:
    """Real and fake samples that are alike.

    Attributes:
        spec: what a sample of either is, or will be resized to.
        larger: samples of the larger set.
        real: reads what is measured against.
        fake: reads what is measured.
    """

    spec: SampleSpec
    larger: int
    real: Callable[[], Store]
    fake: Callable[[], Store]

    @classmethod
    def open(
        cls,
        real: Samples,
        fake: Samples,
        *,
        size: int | None = None,
        channels: int | None = None,
        max_pixels: int | None = None,
    ) -> BareSets:
        """Return two sets; of files, the first image alone is read.

        Args:
            real: what is measured against.
            fake: what is measured.
            size: height and width that every image is resized to; as they are if `None`.
            channels: that every image becomes; as they are if `None`.
            max_pixels: as in `ganlab.data.packing.pack`.

        Raises:
            GanlabError: a set is not there or not what it must be, or they differ and it is not said
                what they should become.
        """
        uniform = size is None and channels is None
        one = open_bare_set(real, "the real ones", uniform=uniform, max_pixels=max_pixels)
        other = open_bare_set(fake, "the fake ones", uniform=uniform, max_pixels=max_pixels)
        larger = max(len(one), len(other))
        if isinstance(one, ImageSet) and isinstance(other, ImageSet):
            _require_two(len(one), len(other), "images")
            spec = _common_spec(one, other, size, channels)
            stored = (partial(store_images, each, spec, max_pixels) for each in (one, other))
            return cls(spec, larger, *stored)
        if isinstance(one, ImageSet) or isinstance(other, ImageSet) or one.shape[1] != other.shape[1]:
            raise UsageError(
                f"real and fake samples are not alike: {describe_set(one)}, and {describe_set(other)}"
            )
        _require_two(len(one), len(other), "vectors")
        stored = (partial(store_vectors, each) for each in (one, other))
        return cls(VectorSpec(one.shape[1]), larger, *stored)

    def measure(
        self,
        evaluators: Sequence[EvaluatorSelection],
        *,
        device: torch.device,
        holdout: float = 0.0,
        progress: Progress | None = None,
        show: Show | None = None,
    ) -> list[Measurement]:
        """Measure the fake samples against the real ones.

        Args:
            evaluators: what is measured.
            device: where features are computed.
            holdout: share of the real ones that is set apart and measured alike: the floor.
            progress: as of `Evaluation`.
            show: as in `Evaluation.run`.

        Raises:
            GanlabError: a sample cannot be read, or something cannot be measured.
        """
        real, fake = self.real(), self.fake()
        order = np.random.RandomState(PERMUTATION_SEED).permutation(len(fake))
        evaluation = Evaluation(
            evaluators,
            self.spec,
            ReferenceData.of(Data(real, split(len(real), holdout, seed=0))),
            device=device,
            cache=statistics_directory(),
            progress=progress,
        )
        return evaluation.run(
            lambda rows: iter([self.spec.dequantise(fake.gather(order[rows]))]),
            available=len(fake),
            show=show,
        )


def _require_two(real: int, fake: int, what: str) -> None:
    if min(real, fake) < 2:
        raise UsageError(f"there must be at least 2 {what} in each set, not {real} and {fake}")


def _common_spec(real: ImageSet, fake: ImageSet, size: int | None, channels: int | None) -> ImageSpec:
    """Return what every image is to be.

    Raises:
        UsageError: the sets differ, and nobody said what they should become.
    """
    one, other = real.spec, fake.spec
    unlike = (size is None and one.shape[1:] != other.shape[1:]) or (
        channels is None and one.channels != other.channels
    )
    if unlike:
        raise UsageError(
            f"{real.path} holds {describe(one)} images and {fake.path} {describe(other)}: say what both "
            "should become with --size and --channels (in Python, `size=` and `channels=`)"
        )
    height, width = (one.height, one.width) if size is None else (size, size)
    return ImageSpec(channels or one.channels, height, width)
