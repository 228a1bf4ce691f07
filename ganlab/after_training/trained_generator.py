"""A trained generator out of a run, with neither its dataset nor its other networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ganlab.components import LatentSpec, SampleSpec
from ganlab.config import Experiment, load_experiment
from ganlab.engine.evaluation_generator import estimate_statistics
from ganlab.engine.labels import LabelSampler
from ganlab.engine.latents import draw_latents, walk_around
from ganlab.engine.running_statistics import has_running_state
from ganlab.engine.sampling import generate
from ganlab.engine.streams import isolated_randomness
from ganlab.errors import GanlabError, UsageError, summarised
from ganlab.runs.reading import Run
from ganlab.runs.reporting import print_warning

__all__ = ["TrainedGenerator", "restore_generator"]

_LISTED = 50
"""Classes that an error names."""


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
        class_names: of the labels, in order; empty where it takes none.
        trained_classes: the labels that it was trained on.
    """

    network: nn.Module
    latent: LatentSpec
    spec: SampleSpec
    takes_labels: bool
    averaged: bool
    step: int
    class_names: tuple[str, ...] = ()
    trained_classes: tuple[int, ...] = ()

    def generate(
        self, count: int, *, seed: int, label: int | None = None, keys: int = 0
    ) -> Iterator[torch.Tensor]:
        """Yield `count` samples: uint8 images `(n, C, H, W)`, or float32 vectors `(n, dimension)`.

        Args:
            count: how many.
            seed: of latents; the same one makes the same samples.
            label: of all samples, as `label_of` has it; the trained classes take turns if `None`.
            keys: latents that are drawn at random to walk around, from one to the next and back to the
                first, each leg in one class; at most `count`. If 0, all are drawn.
        """
        if not keys:
            labels = self._labels(count, label)
            return generate(self.network, self.latent, self.spec, count, seed=seed, labels=labels)
        visited = draw_latents(self.latent, keys, torch.Generator().manual_seed(seed))
        latents, legs = walk_around(self.latent, visited, count)
        labels = self._labels(keys, label)
        return generate(
            self.network,
            self.latent,
            self.spec,
            count,
            seed=seed,
            labels=None if labels is None else labels[legs],
            latents=latents,
        )

    def truncate(self, share: float) -> None:
        """Let all further samples keep a share of their distance from the typical one.

        Raises:
            UsageError: the generator has no `truncation`.
        """
        if not hasattr(self.network, "truncation"):
            raise UsageError(
                "this run's generator cannot trade variety for quality: it has no attribute `truncation`"
            )
        self.network.truncation = share  # type: ignore[assignment]  # a plain float, no module

    def label_of(self, given: str) -> int:
        """Return the label that a class's name, or its number from 0, stands for.

        Where classes are named by numbers, a number is a name.

        Raises:
            UsageError: there is no such class, no training sample was of it, or no label is taken.
        """
        if not self.takes_labels:
            raise UsageError("this run's generator takes no labels")
        known = self.class_names
        if given not in known and not any(name.isdecimal() for name in known):
            known = tuple(map(str, range(len(known))))
        if given not in known:
            raise UsageError(f"unknown label {given}; the {len(known)} classes are {self._listed()}")
        label = known.index(given)
        if label not in self.trained_classes:
            raise UsageError(f"no training sample was of class {given!r}: the generator never learned it")
        return label

    def _listed(self) -> str:
        names = self.class_names[:_LISTED]
        more = len(self.class_names) - len(names)
        return ", ".join(names) + (f" and {more:,} more" if more else "")

    def _labels(self, count: int, label: int | None) -> torch.Tensor | None:
        if not self.takes_labels:
            return None
        turns = self.trained_classes if label is None else (label,)
        return torch.tensor(turns)[torch.arange(count) % len(turns)]


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
    they are re-estimated, as a run does now, and a warning says so.

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
    # First, since the run's own plugins may define the kind of its samples.
    experiment = experiment or load_experiment(run.resolved)
    checkpoint = run.checkpoints.load(which)
    if checkpoint.spec is None:
        raise GanlabError(f"{checkpoint.path} does not say what its generator makes")
    with isolated_randomness(0):
        network: nn.Module = experiment.generator.build(checkpoint.spec, experiment.latent)
    network = checkpoint.spec.lay_out(network)  # as in the run: the last bits depend on it
    try:
        network.load_state_dict(checkpoint.generator(ema=ema))
    except RuntimeError as error:
        raise GanlabError(
            f"{checkpoint.path} does not fit the generator {experiment.generator.component.name!r} "
            f"as it is installed now: {summarised(error)}"
        ) from error
    takes_labels = checkpoint.spec.classes > 0 and experiment.generator.component.takes_labels
    samples = experiment.settings.running_statistics.samples
    if samples and not checkpoint.own_statistics and has_running_state(network):
        sampler = labels or LabelSampler.uniform(checkpoint.spec.classes)
        alike = ", every class alike," if takes_labels and labels is None else ""
        estimate_statistics(network, experiment, sampler if takes_labels else None)
        print_warning(
            f"{checkpoint.path} is of an earlier ganlab, which kept the running statistics that training "
            f"left behind: they are re-estimated from {samples:,} samples{alike} as a run does now"
        )
    names, trained = _classes(run, checkpoint.spec.classes if takes_labels else 0)
    return TrainedGenerator(
        network=network,
        latent=experiment.latent,
        spec=checkpoint.spec,
        takes_labels=takes_labels,
        averaged=checkpoint.has_ema if ema is None else ema,
        step=checkpoint.step,
        class_names=names,
        trained_classes=trained,
    )


def _classes(run: Run, count: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the names of a number of classes, and those that were trained on.

    Where a run recorded neither, nobody knows what its numbers stand for, and all count as trained.
    """
    names, counts = run.state.class_names, run.state.class_counts
    if len(names) != count or len(counts) != count:
        names, counts = tuple(f"number {label}" for label in range(count)), (1,) * count
    return names, tuple(label for label in range(count) if counts[label])
