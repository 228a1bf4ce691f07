"""From a run, or from what was exported of one, to its generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ganlab.after_training.exported import is_exported, read_exported
from ganlab.after_training.trained_generator import TrainedGenerator
from ganlab.components import SampleSpec
from ganlab.config import Experiment
from ganlab.config.chosen_generator import ChosenGenerator, choose_generator
from ganlab.config.settings import RunningStatisticsSettings
from ganlab.engine.evaluation_generator import estimate_statistics
from ganlab.engine.labels import LabelSampler
from ganlab.engine.running_statistics import has_running_state
from ganlab.engine.streams import isolated_randomness
from ganlab.errors import ComponentCrashError, GanlabError, UsageError, summarised
from ganlab.runs.checkpoint_files import Checkpoint
from ganlab.runs.reading import Run, find_run
from ganlab.runs.reporting import print_warning
from ganlab.words import counted

__all__ = ["find_generator", "restore_exported", "restore_generator"]


def find_generator(
    wanted: str | Path,
    runs: Path,
    which: Literal["best", "last"] | int | None = None,
    *,
    ema: bool | None = None,
    plugins: Sequence[str] = (),
) -> TrainedGenerator:
    """Return the generator of a run, or of a directory that `ganlab export` wrote.

    Args:
        wanted: such a directory; or a run as `find_run` takes it: a path, an id or its beginning, a title,
            `latest`.
        runs: the directory of all runs.
        which: the checkpoint; `None` is the best, or the last where there is no best.
        ema: averaged weights or raw ones; the averaged where there are any if `None`.
        plugins: local plugins instead of the run's own of the same names.

    Raises:
        GanlabError: it is not there, damaged, or of a plugin that is not there.
    """
    if not is_exported(Path(wanted)):
        return restore_generator(find_run(str(wanted), runs), which, ema=ema, plugins=plugins)
    if which is not None or ema is not None:
        raise UsageError(
            f"{wanted} is an exported generator, and holds one checkpoint and one kind of weights; others "
            "are in its run"
        )
    return restore_exported(Path(wanted), plugins=plugins)


def restore_generator(
    run: Run,
    which: Literal["best", "last"] | int | None = None,
    *,
    ema: bool | None = None,
    experiment: Experiment | None = None,
    labels: LabelSampler | None = None,
    plugins: Sequence[str] = (),
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
        plugins: local plugins instead of the run's own of the same names.

    Raises:
        GanlabError: there is no such checkpoint, it is damaged, or it does not fit the network.
    """
    if which is None:
        which = "last" if run.checkpoints.best is None else "best"
    # First, since the run's own plugins may define the kind of its samples.
    if experiment is None:
        chosen = choose_generator(run.experiment(), run.resolved, plugins=plugins)
    else:
        chosen = ChosenGenerator.of(experiment)
    checkpoint = run.checkpoints.load(which)
    if checkpoint.spec is None:
        raise GanlabError(f"{checkpoint.path} does not say what its generator makes")
    generator = _built(chosen, checkpoint.spec, checkpoint.generator(ema=ema), checkpoint.path)
    takes_labels = checkpoint.spec.classes > 0 and chosen.selection.component.takes_labels
    if not checkpoint.own_statistics and has_running_state(generator):
        _estimate(generator, run, chosen, checkpoint, labels, takes_labels)
    names, trained = _classes(run, checkpoint.spec.classes if takes_labels else 0)
    return TrainedGenerator(
        generator=generator,
        latent=chosen.latent,
        spec=checkpoint.spec,
        takes_labels=takes_labels,
        averaged=checkpoint.has_ema if ema is None else ema,
        step=checkpoint.step,
        chosen=chosen,
        title=run.state.title,
        source=run.state.id,
        measurements=tuple(line for line in run.evaluations() if line.get("step") == checkpoint.step),
        class_names=names,
        trained_classes=trained,
    )


def restore_exported(path: Path, *, plugins: Sequence[str] = ()) -> TrainedGenerator:
    """Build an exported generator and load its weights.

    Args:
        path: the directory that `ganlab export` wrote.
        plugins: local plugins instead of the directory's own of the same names.

    Raises:
        GanlabError: it is damaged, or of a plugin that is not there.
    """
    exported = read_exported(path)
    values = exported.values
    chosen = choose_generator(values, exported.layout.description, plugins=plugins)
    return TrainedGenerator(
        generator=_built(chosen, exported.spec, exported.weights(), exported.layout.weights),
        latent=chosen.latent,
        spec=exported.spec,
        takes_labels=values["takes_labels"],
        averaged=values["averaged"],
        step=values["step"],
        chosen=chosen,
        title=values["title"],
        source=values["run"],
        measurements=tuple(values["measurements"]),
        class_names=tuple(values["class_names"]),
        trained_classes=tuple(values["trained_classes"]),
    )


def _built(
    chosen: ChosenGenerator, spec: SampleSpec, weights: dict[str, torch.Tensor], where: Path
) -> nn.Module:
    """Return a generator with its weights, in evaluation mode."""
    selection = chosen.selection
    try:
        with isolated_randomness(0):
            generator: nn.Module = selection.build(spec, chosen.latent)
    except ComponentCrashError as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            raise GanlabError(
                f"{selection.who} cannot be built: its plugin imports the module {error.__cause__.name!r}, "
                f"which is not there. Put that file back beside the plugin ({chosen.offer.provenance}), or "
                "install the package that it is of"
            ) from error
        raise
    generator = spec.lay_out(generator)  # as in the run: the last bits depend on it
    try:
        generator.load_state_dict(weights)
    except RuntimeError as error:
        raise GanlabError(
            f"{where} does not fit the generator {selection.component.name!r} "
            f"as it is installed now: {summarised(error)}"
        ) from error
    return generator.eval().requires_grad_(False)


def _estimate(
    generator: nn.Module,
    run: Run,
    chosen: ChosenGenerator,
    checkpoint: Checkpoint,
    labels: LabelSampler | None,
    takes_labels: bool,
) -> None:
    """Re-estimate the running statistics of an earlier ganlab's checkpoint, and warn of it."""
    assert checkpoint.spec is not None
    values = run.experiment()
    settings = RunningStatisticsSettings.model_validate(values.get("running_statistics", {}))
    if not settings.samples:
        return
    sampler = labels or LabelSampler.uniform(checkpoint.spec.classes)
    alike = ", every class alike," if takes_labels and labels is None else ""
    estimate_statistics(
        generator, chosen.latent, sampler if takes_labels else None, settings.samples, values.get("seed", 0)
    )
    print_warning(
        f"{checkpoint.path} is of an earlier ganlab, which kept the running statistics that training "
        f"left behind: they are re-estimated from {counted(settings.samples, 'sample')}{alike} as a run does "
        "now"
    )


def _classes(run: Run, count: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the names of a number of classes, and those that were trained on.

    Where a run recorded neither, nobody knows what its numbers stand for, and all count as trained.
    """
    names, counts = run.state.class_names, run.state.class_counts
    if len(names) != count or len(counts) != count:
        names, counts = tuple(f"number {label}" for label in range(count)), (1,) * count
    return names, tuple(label for label in range(count) if counts[label])
