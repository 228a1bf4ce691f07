"""A trained generator out of a run, with neither its dataset nor its other networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ganlab.components import LatentSpec, SampleSpec
from ganlab.config import Experiment, load_experiment
from ganlab.errors import GanlabError, UsageError
from ganlab.runs.reading import Run
from ganlab.runs.reporting import print_warning
from ganlab.training.evaluation_generator import estimate_statistics
from ganlab.training.labels import LabelSampler
from ganlab.training.networks import lay_out
from ganlab.training.running_statistics import has_running_state
from ganlab.training.sampling import generate
from ganlab.training.streams import isolated_randomness

__all__ = ["TrainedGenerator", "restore_generator"]


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator as a checkpoint has it.

    Attributes:
        network: on the CPU, so that the same seed makes the same bytes on every machine's device.
        latent: the noise that it is fed.
        spec: what it makes.
        takes_labels: whether it is called with labels.
        averaged: whether its weights are the averaged ones.
        step: the checkpoint's.
    """

    network: nn.Module
    latent: LatentSpec
    spec: SampleSpec
    takes_labels: bool
    averaged: bool
    step: int

    def generate(self, count: int, *, seed: int, label: int | None = None) -> Iterator[torch.Tensor]:
        """Yield `count` samples: uint8 images `(n, C, H, W)`, or float32 vectors `(n, dimension)`.

        Args:
            count: how many.
            seed: of latents; the same one makes the same samples.
            label: of all samples; the classes take turns if `None`.

        Raises:
            UsageError: a label is asked for that the generator does not know.
        """
        return generate(self.network, self.latent, count, seed=seed, labels=self._labels(count, label))

    def _labels(self, count: int, label: int | None) -> torch.Tensor | None:
        if not self.takes_labels:
            if label is not None:
                raise UsageError("this run's generator takes no labels")
            return None
        if label is not None and label >= self.spec.classes:
            raise UsageError(f"label {label} is none of the run's {self.spec.classes}, numbered from 0")
        return torch.arange(count) % self.spec.classes if label is None else torch.full((count,), label)


def restore_generator(
    run: Run,
    which: Literal["best", "last"] | int | None = None,
    *,
    ema: bool | None = None,
    experiment: Experiment | None = None,
    labels: LabelSampler | None = None,
) -> TrainedGenerator:
    """Build a run's generator and load a checkpoint into it.

    Where the checkpoint is of a ganlab that exported the running statistics as training left them,
    they are taken afresh, as a run does now, and a warning says so.

    Args:
        run: the run.
        which: the checkpoint; `None` is the best, or the last where there is no best.
        ema: averaged weights or raw ones; the averaged where there are any if `None`.
        experiment: the run's, where it is loaded already.
        labels: what draws labels in the shares of the training data, where they are known.

    Raises:
        GanlabError: there is no such checkpoint, it is damaged, or it does not fit the network.
    """
    if which is None:
        which = "last" if run.checkpoints.best is None else "best"
    checkpoint = run.checkpoints.load(which)
    if checkpoint.spec is None:
        raise GanlabError(f"{checkpoint.path} does not say what its generator makes")
    experiment = experiment or load_experiment(run.resolved)
    with isolated_randomness(0):
        network: nn.Module = experiment.generator.build(checkpoint.spec, experiment.latent)
    network = lay_out(network, checkpoint.spec)  # as in the run: the last bits depend on it
    try:
        network.load_state_dict(checkpoint.generator(ema=ema))
    except RuntimeError as error:
        raise GanlabError(
            f"{checkpoint.path} does not fit the generator {experiment.generator.component.name!r} "
            f"as it is installed now: {error}"
        ) from error
    takes_labels = checkpoint.spec.classes > 0 and experiment.generator.component.takes_labels
    samples = experiment.settings.running_statistics.samples
    if samples and not checkpoint.own_statistics and has_running_state(network):
        sampler = labels or LabelSampler.uniform(checkpoint.spec.classes)
        estimate_statistics(network, experiment, sampler if takes_labels else None)
        print_warning(
            f"{checkpoint.path} is of an earlier ganlab, which kept the running statistics that training "
            f"left behind: they are taken afresh from {samples:,} samples, as a run does now"
        )
    return TrainedGenerator(
        network=network,
        latent=experiment.latent,
        spec=checkpoint.spec,
        takes_labels=takes_labels,
        averaged=checkpoint.has_ema if ema is None else ema,
        step=checkpoint.step,
    )
