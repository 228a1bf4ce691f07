"""`ganlab validate`: build everything, try it on one batch, and leave no run behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlab import tags
from ganlab.commands.common import experiment_options, runs_option
from ganlab.errors import ComponentError, DivergedError, ExperimentError, Problem
from ganlab.words import counted

if TYPE_CHECKING:
    from ganlab.components import SampleSpec
    from ganlab.config import Experiment
    from ganlab.data.preparation import Data, Unpacked
    from ganlab.engine.engine import Engine
    from ganlab.training.start import Start

__all__ = ["command"]

_CLASSES = 50
"""Classes that are named."""


@click.command("validate")
@click.argument("experiment", type=click.Path(path_type=Path))
@experiment_options
@runs_option
def command(
    experiment: Path,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
    runs: Path,
) -> None:
    """Build all that EXPERIMENT asks for, check every network, loss and optimizer, and try them on one batch.

    Where it begins with another run's weights (`[start]`), they are looked for, and have to fit.

    Prints sizes, shapes, parameter counts, what was checked, and the memory and about the time that a
    step takes; writes no run directory.
    """
    from ganlab.commands.common import load

    validated = load(experiment, overrides, plugins, disabled)

    from ganlab.data.preparation import find

    _build(validated, find(validated), runs)  # only this imports torch: mistakes in the file are told at once


def _build(validated: Experiment, unpacked: Unpacked, runs: Path) -> None:
    """Build, check and try all that trains and measures, and print what there is to say of it.

    Args:
        validated: the experiment.
        unpacked: its data.
        runs: where the run is whose weights it begins with.
    """
    from ganlab.engine.assembly import make_networks, require_trainable
    from ganlab.engine.memory_estimate import estimate
    from ganlab.memory import memory_explained
    from ganlab.processes import Processes
    from ganlab.training.build import build_engine, build_evaluation
    from ganlab.training.interrupt import StopRequest
    from ganlab.training.start import find_weights

    start = find_weights(validated, runs)
    networks = make_networks(validated, unpacked.spec, Processes())
    require_trainable(validated, unpacked.spec, networks)
    footprint = estimate(validated, unpacked, networks)
    footprint.require_room()
    with memory_explained("while networks, losses and optimizers were checked"):
        checked = _check(validated, unpacked.spec)
    data = unpacked.pack()
    engine = build_engine(validated, data, networks)
    start.restore(engine)
    with StopRequest() as stop:
        evaluation = build_evaluation(validated, data, engine, lambda what, done, total: stop.check())
    with memory_explained("while features of a few samples were extracted"):
        evaluation.rehearse()
    with memory_explained("in the first steps"):
        play = _describe_play(engine)
        cost = [("memory", str(footprint)), *_describe_time(engine)]
    built = [*_describe_data(data), *_describe_networks(engine), *_describe_start(start)]
    for heading, text in [*built, *play, *checked, *cost]:
        click.echo(f"{heading:<15}{text}")
    click.echo("valid")


def _check(experiment: Experiment, spec: SampleSpec) -> list[tuple[str, str]]:
    """Hold what trains against the promises of its kind; return what was checked.

    Raises:
        ExperimentError: promises are broken; one problem for each component.
    """
    from ganlab.testing.conformance import check_selection
    from ganlab.testing.experiment import trained_selections
    from ganlab.testing.subject import ConformanceError, RefusedError

    lines: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for selection in trained_selections(experiment):
        try:
            promises = check_selection(selection, spec, experiment.latent)
        except RefusedError as error:  # nothing is broken: it is told as a run would tell it
            cause = error.__cause__
            refused = cause if isinstance(cause, ComponentError) else ComponentError(error.refusal)
            problems += selection.refusal(refused).problems
        except ConformanceError as error:
            problems.append(experiment.origin.problem(selection.path, str(error)))
        else:
            component = selection.component
            lines.append(("" if lines else "checked", f"{component.kind} {component.name}: {promises}"))
    if problems:
        raise ExperimentError(problems)
    return lines


def _describe_data(data: Data) -> list[tuple[str, str]]:
    store, split = data.store, data.split
    size = store.samples.nbytes / 2**20
    lines = [
        (
            "data",
            f"{counted(len(store), 'sample')}, {store.spec}: {len(split.training):,} for training, "
            f"{len(split.holdout):,} held out; {size:,.1f} MiB packed",
        )
    ]
    if store.class_names:
        lines.append(("classes", _describe_classes(store.class_names, data.class_counts)))
    if store.skipped:
        lines.append(("", f"left out as unreadable: {len(store.skipped):,}"))
    return lines


def _describe_classes(names: Sequence[str], counts: Sequence[int]) -> str:
    """Return the classes with their training samples, the first of them where there are many."""
    shown = [f"{name} ({count:,})" for name, count in zip(names, counts, strict=True)][:_CLASSES]
    more = f", and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return f"{len(names):,}, with samples for training: {', '.join(shown)}{more}"


def _describe_networks(engine: Engine) -> list[tuple[str, str]]:
    from ganlab.engine.network_summary import count_parameters

    latents, samples = (
        f"(N, {engine.experiment.latent.dim})",
        f"(N, {', '.join(map(str, engine.spec.shape))})",
    )
    ways = {
        "generator": f"{latents} -> {samples}",
        "discriminator": f"{samples} -> logits",
        "encoder": f"{samples} -> mean and log-variance {latents}",
    }
    return [
        (kind, f"{counted(count_parameters(network), 'parameter')}, {ways[kind]}")
        for kind, network in engine.networks.items()
    ]


def _describe_start(start: Start) -> list[tuple[str, str]]:
    parent = start.parent
    return [("start", f"the weights of {parent.path} at step {parent.step:,}")] if parent else []


def _describe_play(engine: Engine) -> list[tuple[str, str]]:
    experiment = engine.experiment
    values = engine.rehearse()
    broken = [tag for tag, value in values.items() if not math.isfinite(value)]
    if broken:
        message = f"not finite on the first batch: {', '.join(broken)}"
        raise ExperimentError([experiment.origin.problem("losses", message)])
    values = {tag: value for tag, value in values.items() if tag.startswith(tags.LOSSES)}
    lines = [
        ("losses" if not number else "", f"{tag.removeprefix(tags.LOSSES)} = {value:.4g}")
        for number, (tag, value) in enumerate(values.items())
    ]
    measures = [f"{choice.label} on {choice.features.label}" for choice in experiment.evaluators]
    lines.append(("evaluators", ", ".join(measures) or "none"))
    training = experiment.settings.training
    precision = str(engine.dtype).removeprefix("torch.")
    steps = counted(training.steps, "step")
    lines.append(("training", f"{steps} of {training.batch_size} on {engine.device} in {precision}"))
    return lines


def _describe_time(engine: Engine) -> list[tuple[str, str]]:
    from ganlab.comparison.report import duration
    from ganlab.engine.step_time import time_a_step

    try:
        seconds = time_a_step(engine)
    except DivergedError:
        return []  # nothing is wrong with the file: a run may well end so, and says why
    each = f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.{0 if seconds >= 0.01 else 1}f} ms"
    steps = engine.experiment.settings.training.steps
    whole = duration(steps * seconds / 3600) if steps * seconds >= 1 else "under a second"
    return [("time", f"about {each} a step here, {whole} for all; evaluations and pictures come on top")]
