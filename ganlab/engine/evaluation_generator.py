"""The generator that is measured, drawn and exported: the one that trained, with statistics of its own."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from ganlab.components import LatentSpec
from ganlab.config import Experiment
from ganlab.engine.labels import LabelSampler
from ganlab.engine.latents import draw_latents
from ganlab.engine.running_statistics import fresh_statistics, has_running_state, unsynchronised
from ganlab.engine.sampling import BATCH, run_generator
from ganlab.engine.streams import Streams

__all__ = ["EvaluationGenerator", "estimate_statistics"]


class EvaluationGenerator:
    """A generator's weights with the running statistics that belong to them.

    The statistics are those of samples from latents that never change, so that they are a
    function of the weights alone. They are kept in a copy: training's own stay as they are.
    Where a generator has no such memory, it is itself what is evaluated, at no cost.

    Args:
        source: a generator that trains, or the moving average of one.
        experiment: whose seed, latents and number of samples are used.
        labels: what draws labels; `None` for a generator that takes none.

    Attributes:
        samples: how many the statistics are taken from; 0 where there are none to take.
    """

    def __init__(self, source: nn.Module, experiment: Experiment, labels: LabelSampler | None) -> None:
        self._source = source
        self._experiment = experiment
        self._labels = labels
        self._copy: nn.Module | None = None
        self._moment: object = None
        self.samples = experiment.settings.running_statistics.samples if has_running_state(source) else 0
        if self.samples:
            # Now: after a forward pass, torch's older spectral norm leaves tensors that cannot be copied.
            self._copy = unsynchronised(copy.deepcopy(source)).eval().requires_grad_(False)

    @torch.no_grad()
    def network(self, moment: object) -> nn.Module:
        """Return the generator as it is now.

        Args:
            moment: what changes whenever the source's weights do.
        """
        if self._copy is None:
            return self._source
        if moment != self._moment:
            for mine, its in zip(_tensors(self._copy), _tensors(self._source), strict=True):
                mine.copy_(its)
            settings = self._experiment.settings
            estimate_statistics(
                self._copy, self._experiment.latent, self._labels, self.samples, settings.seed
            )
            self._moment = moment
        return self._copy


def estimate_statistics(
    network: nn.Module, latent: LatentSpec, labels: LabelSampler | None, samples: int, seed: int
) -> None:
    """Re-estimate a generator's running statistics.

    Whole batches are made, since each counts alike; in one process alone, and so the same in all.

    Args:
        network: the generator; changed in place, in its buffers alone.
        latent: the noise that it is fed.
        labels: draws labels in the shares of the training data; `None` for a generator that takes none.
        samples: from how many, rounded up to whole batches.
        seed: the seed of the experiment.
    """
    count = math.ceil(samples / BATCH) * BATCH
    streams = Streams(seed)
    latents = draw_latents(latent, count, streams["statistics"])
    drawn = None if labels is None else labels.draw(count, streams["statistics/labels"])
    with fresh_statistics(network) as layers:
        for _ in run_generator(network, latents, drawn) if layers else ():
            pass


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    return [*network.parameters(), *network.buffers()]
