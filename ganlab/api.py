"""ganlab from Python: run an experiment, use what it trained, measure samples.

`import ganlab` offers all of this as `ganlab.load`, `ganlab.run` and `ganlab.measure`, and imports it,
and torch, when it is first asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ganlab.after_training.restoring import find_generator, restore_generator
from ganlab.after_training.trained_discriminator import TrainedDiscriminator, restore_discriminator
from ganlab.after_training.trained_generator import TrainedGenerator
from ganlab.after_training.trained_network import TrainedNetwork, restore_network
from ganlab.config import load_experiment
from ganlab.config.evaluators import choose_evaluators
from ganlab.config.toml_writer import toml_value
from ganlab.data.bare_set import Samples
from ganlab.engine.precision import choose_device
from ganlab.errors import UsageError
from ganlab.evaluation.bare_sets import BareSets
from ganlab.evaluation.measurement import Measurement
from ganlab.processes import Processes
from ganlab.progress import Display, Phases
from ganlab.registry import load_registry
from ganlab.runs.reading import Run, find_run
from ganlab.runs.reporting import print_warning
from ganlab.testing.experiment import warn_of_broken_promises
from ganlab.training.plan import Plan
from ganlab.training.session import run_experiment

__all__ = ["FinishedRun", "load", "load_discriminator", "load_encoder", "measure", "run"]


def load(
    run: str | Path | Run,
    *,
    checkpoint: Literal["best", "last"] | int | None = None,
    ema: bool | None = None,
    device: str = "cpu",
    runs: str | Path = "runs",
    plugins: Sequence[str] = (),
) -> TrainedGenerator:
    """Return a trained generator, ready to sample.

    A run's directory may have been moved or copied elsewhere, and needs neither its data nor any
    plugin but the generator's. Weights are safetensors: reading them runs nothing. What runs is the
    Python of local plugins, which a run and an exported directory bring along: read it first if you
    do not trust where they come from.

    Args:
        run: a run's directory, id or its beginning, title, or `latest`; or a directory that `ganlab
            export` wrote.
        checkpoint: `best`, `last` or a step; the best, or the last where nothing was measured, if `None`.
        ema: averaged weights (`True`) or the generator's own (`False`); the averaged where there are
            any if `None`.
        device: where it computes: `cpu`, `cuda`, `cuda:1` or `auto`. The same seed makes the same bytes
            on a CPU.
        runs: the directory of all runs, where `run` is no path.
        plugins: local plugin files instead of the run's own of the same names.

    Raises:
        GanlabError: it is not there, damaged, or of a plugin that is not there; what would mend it is said.
    """
    if isinstance(run, Run):
        trained = restore_generator(run, checkpoint, ema=ema, plugins=plugins)
    else:
        trained = find_generator(run, Path(runs), checkpoint, ema=ema, plugins=plugins)
    trained.generator.to(choose_device(device))
    return trained


def load_discriminator(
    run: str | Path | Run,
    *,
    checkpoint: Literal["best", "last"] | int = "last",
    runs: str | Path = "runs",
) -> TrainedDiscriminator:
    """Return a trained discriminator, to look into.

    Args:
        run: a run's directory, id or its beginning, title, or `latest`.
        checkpoint: `best`, `last` or a step.
        runs: the directory of all runs, where `run` is no path.

    Raises:
        GanlabError: it is not there, damaged, or of a plugin that is not there; or the run has none.
    """
    found = run if isinstance(run, Run) else find_run(str(run), Path(runs))
    return restore_discriminator(found, checkpoint)


def load_encoder(
    run: str | Path | Run,
    *,
    checkpoint: Literal["best", "last"] | int | None = None,
    runs: str | Path = "runs",
) -> TrainedNetwork:
    """Return the encoder that a run has trained beside its generator: a VAE's, or InfoGAN's.

    Its `network` maps samples to `(mean, log_variance)`, each `(N, latent.dim)`. All plugins of the run
    have to be there; its data need not.

    Args:
        run: a run's directory, id or its beginning, title, or `latest`.
        checkpoint: `best`, `last` or a step; the best, or the last where nothing was measured, if `None`.
        runs: the directory of all runs, where `run` is no path.

    Raises:
        GanlabError: it is not there, damaged, without an encoder, or of a plugin that is not there.
    """
    found = run if isinstance(run, Run) else find_run(str(run), Path(runs))
    return restore_network(found, "encoder", checkpoint)


class FinishedRun(Run):
    """A run that `ganlab.run` has finished: its results, and the generator that it trained.

    Beside what `trained` offers, `state.best` is the best checkpoint's step, metric and value,
    `evaluations()` every measurement and `metrics()` the scalars of every log point; `path` is the
    run's directory.
    """

    @cached_property
    def trained(self) -> TrainedGenerator:
        """The generator of the best checkpoint, or of the last where nothing was measured, on the CPU."""
        return restore_generator(self)

    def _repr_png_(self) -> bytes:
        return self.trained._repr_png_()


def run(
    experiment: str | Path | Mapping[str, Any],
    *,
    overrides: Mapping[str, Any] | None = None,
    runs: str | Path = "runs",
    resume: str | None = None,
    plugins: Sequence[str] = (),
    quiet: bool = False,
) -> FinishedRun:
    """Train and measure an experiment in a new run directory, as `ganlab run` does, and return the run.

    Args:
        experiment: an experiment file; or what one would say as nested tables, whose paths are
            relative to the working directory.
        overrides: keys to replace, as `--set` does: `{"training.steps": 100, "evaluators.0.every": 5}`.
        runs: the directory of all runs.
        resume: the run of the experiment to continue instead: a directory, an id, or `auto` for the newest.
        plugins: local plugins beside the experiment's own, relative to the working directory.
        quiet: print nothing while training.

    Raises:
        ExperimentError: every problem of the experiment.
        DivergedError: a loss or gradient was not finite.
        InterruptedRunError: it was asked to stop, by Ctrl-C for one; `resume` continues it.
        GanlabError: it cannot start, or ended early.
    """
    if Processes.from_environment().world > 1:
        raise UsageError(
            "several processes share a run by `torchrun -m ganlab run FILE`, and not from within Python"
        )
    given = [f"{key}={toml_value(value)}" for key, value in (overrides or {}).items()]
    loaded = load_experiment(experiment, overrides=given, plugins=plugins)
    for warning in (*map(str, loaded.registry.failures), *loaded.warnings):
        print_warning(warning)
    finished = run_experiment(
        loaded, Plan(Path(runs), resume), quiet=quiet, look_over=warn_of_broken_promises
    )
    assert finished is not None, "one process alone has the run"
    return FinishedRun(finished.path, finished.state)


def measure(
    real: Samples,
    fake: Samples,
    evaluators: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = ("mmd", "frechet"),
    *,
    size: int | None = None,
    channels: int | None = None,
    holdout: float = 0.0,
    device: str = "auto",
    plugins: Sequence[str] = (),
    quiet: bool = True,
) -> dict[str, Measurement]:
    """Measure fake samples against real ones, as `ganlab compare-images` does.

    Each side is a folder, a `.zip` or a `.npy` of images; a tensor of images `(N, C, H, W)`, uint8 or
    floats in [-1, 1], as `sample` returns them; a uint8 array `(N, H, W)` or `(N, H, W, C)`; or vectors,
    floats `(N, d)`.

    Args:
        real: what is measured against.
        fake: what is measured.
        evaluators: a name, several, or each with its options: `{"mmd": {"features": "pixels"}}`.
            All samples are used unless `samples` says of how many.
        size: height and width that every image is resized to; none is resized if `None`.
        channels: 1 grayscale, 3 RGB, 2 and 4 with alpha, that every image becomes.
        holdout: share of the real ones that is set apart and measured like fake ones: the floor.
        device: `cpu`, `cuda` or `auto`.
        plugins: local plugins whose evaluators may be used.
        quiet: show no progress.

    Returns:
        `evaluator.metric` -> a `Measurement`, with its `value`, `standard_error` (`None` where there
        is none), `floor`, and `warnings` to read before it is quoted.

    Raises:
        GanlabError: a set is not there or not what it must be, or an evaluator cannot measure it.
    """
    registry = load_registry(plugins=plugins)
    sets = BareSets.open(real, fake, size=size, channels=channels)
    names = [evaluators] if isinstance(evaluators, str) else evaluators
    if not all(isinstance(name, str) for name in names):
        raise UsageError(
            'evaluators are names, as in ["mmd", "frechet"], or options by name, as in '
            '{"mmd": {"features": "pixels"}}'
        )
    options = names if isinstance(names, Mapping) else {name: {} for name in names}
    tables = {label: {"name": label, "samples": sets.larger, **table} for label, table in options.items()}
    choices = choose_evaluators(tables, type(sets.spec), registry)
    with Display(None if quiet else sys.stderr) as display:
        progress = Phases(display, "measuring")
        found = sets.measure(choices, holdout=holdout, device=choose_device(device), progress=progress)
    return {f"{each.evaluator}.{each.metric.name}": each for each in found}
