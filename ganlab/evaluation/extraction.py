"""From samples to features: fixed batches, exact arithmetic, checked results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from ganlab.arithmetic import exact_arithmetic
from ganlab.errors import GanlabError
from ganlab.evaluation.evaluator import FeatureExtractor
from ganlab.words import counted

__all__ = ["extract", "rebatch", "require_independence"]

TOLERANCE = 1e-4
"""By how much features may differ with the batch, as a share of the largest: convolutions of another
batch size differ in their last bits."""


LARGEST = 1e17
"""Features beyond which squared distances of a thousand of them are more than float32 can hold."""


def rebatch(batches: Iterable[torch.Tensor], size: int, count: int) -> Iterator[torch.Tensor]:
    """Cut a stream of batches into ones of `size`, the last one shorter, `count` samples in all.

    Args:
        batches: tensors that differ in their first dimension only.
        size: samples of a batch.
        count: samples in all; what the stream holds beyond them is left unread.

    Raises:
        ValueError: the stream ended before `count` samples.
    """
    waiting: list[torch.Tensor] = []
    held = done = 0
    for batch in batches:
        waiting.append(batch[: count - done - held])
        held += len(waiting[-1])
        while held >= size or (held and done + held == count):
            joined = torch.cat(waiting) if len(waiting) > 1 else waiting[0]
            yield joined[:size]
            done += min(size, held)
            waiting, held = [joined[size:]], max(0, held - size)
        if done == count:
            return
    raise ValueError(f"asked for {counted(count, 'sample')}, the stream ended after {done + held}")


def extract(
    extractor: FeatureExtractor, samples: torch.Tensor, device: torch.device, who: str
) -> torch.Tensor:
    """Return float32 features `(n, d)` of one batch on the CPU.

    Args:
        extractor: what maps samples to features.
        samples: uint8 `(n, C, H, W)`, or float32 `(n, dimension)`.
        device: where to compute.
        who: names the extractor and its evaluators in errors.

    Raises:
        GanlabError: the features break the extractor's contract, are not finite, or are huge.
    """
    with exact_arithmetic(device):
        features = extractor.extract(samples.to(device))
    if features.ndim != 2 or len(features) != len(samples) or not features.is_floating_point():
        raise GanlabError(
            f"{who}: extracting {counted(len(samples), 'sample')} gave {features.dtype} of shape "
            f"{tuple(features.shape)}; it must be float32 of shape ({len(samples)}, d)"
        )
    features = features.detach().to("cpu", torch.float32)
    if not bool(torch.isfinite(features).all()):
        row = int((~torch.isfinite(features)).any(1).nonzero()[0])
        raise GanlabError(
            f"{who}: features are not finite, first for sample {row} of a batch of {len(samples)}"
        )
    largest = float(features.abs().max()) if features.numel() else 0.0
    if largest > LARGEST:
        raise GanlabError(
            f"{who}: features reach {largest:.3g}, and distances between such are beyond float32; what is "
            "measured has diverged, or has to be scaled"
        )
    return features


def require_independence(
    extractor: FeatureExtractor, samples: torch.Tensor, features: torch.Tensor, device: torch.device, who: str
) -> None:
    """Make sure that a sample's features do not depend on its batch.

    Args:
        extractor: what maps samples to features.
        samples: one batch, as for `extract`.
        features: what `extract` made of it.
        device: where to compute.
        who: names the extractor and its evaluators in errors.

    Raises:
        GanlabError: the first two samples have other features as a batch of their own.
    """
    alone = extract(extractor, samples[:2], device, who)
    difference = float((alone - features[:2]).abs().max())
    if difference > TOLERANCE * float(features.abs().max()):
        raise GanlabError(
            f"{who}: a sample's features depend on the rest of its batch (they differ by {difference:.3g} in "
            f"a batch of 2 and in one of {len(samples)}), and so would every number; its networks must be in "
            "evaluation mode, and nothing may be normalised over the batch"
        )
