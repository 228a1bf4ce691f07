"""Samples out of a generator, in evaluation mode and the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from ganlab.arithmetic import exact_arithmetic
from ganlab.config import Experiment
from ganlab.engine.labels import LabelSampler
from ganlab.engine.latents import draw_latents
from ganlab.engine.networks import evaluation_mode
from ganlab.engine.streams import Streams, isolated_randomness

__all__ = ["BATCH", "run_for_evaluation", "run_generator"]

BATCH = 64
"""Samples made at once. Fixed, since a network's last bits depend on the size of its batch."""


def run_generator(
    network: nn.Module,
    latents: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    rows: slice = slice(None),
    seed: int = 0,
    still: bool = False,
) -> Iterator[torch.Tensor]:
    """Yield float32 samples batch by batch, on the network's device.

    The network runs in evaluation mode and full float32, and is left in the mode it was in;
    torch's global random state is left alone.

    Args:
        network: a generator.
        latents: `(N, dim)`.
        labels: `(N,)`, for a generator that takes them.
        rows: which samples to make: the same as if all were made, in whole batches, of which these are
            yielded.
        seed: of whatever randomness the network has of its own, such as noise inputs.
        still: give every sample the same randomness, as pictures on a walk want, which would flicker. Samples
            are then made one by one.
    """
    device = next((tensor.device for tensor in network.state_dict().values()), torch.device("cpu"))
    begin, end, _ = rows.indices(len(latents))
    size = 1 if still else BATCH
    for start in range(begin - begin % size, end, size) if begin < end else ():
        batch = slice(start, start + size)
        arguments = [latents[batch].to(device)]
        if labels is not None:
            arguments.append(labels[batch].to(device))
        with (
            exact_arithmetic(device),
            evaluation_mode(network),
            isolated_randomness(seed if still else seed + start),
        ):
            samples: torch.Tensor = network(*arguments)
        yield samples.float()[max(begin - start, 0) : end - start]


def run_for_evaluation(
    network: nn.Module,
    experiment: Experiment,
    count: int,
    labels: LabelSampler | None,
    rows: slice = slice(None),
) -> Iterator[torch.Tensor]:
    """Yield the samples that an experiment's generator is measured by: the same latents every time.

    Args:
        network: the generator.
        experiment: whose seed and latents they are.
        count: samples of the whole set, which decides its last latents.
        labels: what draws labels, for a generator that takes them.
        rows: which of the set to make.
    """
    streams = Streams(experiment.settings.seed)
    latents = draw_latents(experiment.latent, count, streams["evaluation"])
    drawn = None if labels is None else labels.draw(count, streams["evaluation/labels"])
    yield from run_generator(network, latents, drawn, rows=rows)
