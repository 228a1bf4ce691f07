"""`ganlab evaluate`: measure a run's checkpoints after it was trained."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ganlab.commands.common import load, parse_checkpoint, plugin_options, runs_option
from ganlab.commands.measurements import (
    keep_picture,
    measurement_options,
    print_measurements,
    records,
)
from ganlab.errors import InterruptedRunError, UsageError, printable
from ganlab.words import counted

if TYPE_CHECKING:
    from ganlab.config import EvaluatorSelection, Experiment
    from ganlab.evaluation.measurement import Measurement
    from ganlab.registry import Registry
    from ganlab.runs.evaluation_directory import EvaluationDirectory, LaterEvaluation

__all__ = ["command"]


@click.command("evaluate")
@click.argument("run")
@click.option(
    "--checkpoint",
    metavar="all|best|last|STEP",
    help="Which one.  [default: best, or last where nothing was measured]",
)
@click.option(
    "--evaluator",
    "evaluators",
    multiple=True,
    metavar="NAME",
    help="What to measure: a label of the run's own evaluators, or any evaluator's name. Repeatable.  "
    "[default: the run's own]",
)
@measurement_options
@runs_option
@plugin_options
def command(
    run: str,
    checkpoint: str | None,
    evaluators: tuple[str, ...],
    overrides: tuple[str, ...],
    device: str,
    as_json: bool,
    runs: Path,
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
) -> None:
    """Measure checkpoints of RUN (a path, an id or its beginning, a title, or `latest`).

    `--set` takes keys of the experiment too, as in dataset.root=PATH for a run that was moved. Results go
    into the run's evaluate/ directory: JSON lines, curves, pictures, and what its trackers make of them.
    """
    which: Literal["all", "best", "last"] | int | None
    which = "all" if checkpoint == "all" else parse_checkpoint(checkpoint)

    from ganlab.runs.reading import find_run

    found = find_run(run, runs)
    own, theirs = _divided(overrides)
    experiment = load(found.resolved, own, plugins, disabled)
    choices = _choices(experiment, evaluators, theirs)
    _require_measured(
        own,
        [table["label"] for table in experiment.resolved["evaluators"]],
        [each.label for each in choices],
    )

    # Not before: mistakes are told without waiting for torch.
    from ganlab.after_training.checkpoint_evaluation import CheckpointEvaluation, chosen_steps
    from ganlab.data.preparation import prepare
    from ganlab.engine.precision import choose_device
    from ganlab.progress import Display, Phases
    from ganlab.runs.evaluation_directory import EvaluationDirectory

    steps = chosen_steps(found, which)
    chosen_device = choose_device(device)
    data = prepare(experiment)
    later = CheckpointEvaluation(found, experiment, data, choices, chosen_device)
    if later.other_data:
        click.echo("warning: the data is not what the run was trained on", err=True)
    measured: list[tuple[int | None, Measurement]] = []
    described = _described(choices, experiment.registry, later.other_data)
    with EvaluationDirectory.create(found.path, described) as directory:
        try:
            with Display(sys.stderr) as display:
                progress, show = Phases(display, "measuring"), keep_picture(directory.layout.pictures)
                for step, measurements in later.measure(steps, progress, show):
                    directory.write(step, [each.to_json() for each in measurements])
                    measured += [(step, each) for each in measurements]
        except KeyboardInterrupt:
            count = len({step for step, _ in measured})
            kept = f", and kept in {directory.layout.root}" if count else ""
            raise InterruptedRunError(
                f"interrupted; measured {count} of {counted(len(steps), 'checkpoint')}{kept}"
            ) from None
        _track(directory, experiment, found.state.id, choices, measured)
        if len(steps) > 1:
            _draw_curves(directory, measured)
    if as_json:
        from ganlab.runs.encoding import to_json

        click.echo(to_json(records(measured), indent=2))
    else:
        print_measurements(measured)
        click.echo(f"kept in {directory.layout.root}")


def _divided(overrides: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the overrides of the experiment's sections, and those of evaluators by their labels.

    Raises:
        UsageError: one looks for a label in the experiment's array of evaluators.
    """
    from ganlab.config.settings import Settings

    sections = set(Settings.model_fields)
    own = tuple(each for each in overrides if each.partition("=")[0].partition(".")[0].strip() in sections)
    for override in own:
        label, key = _of_evaluator(override)
        if label and not label.isdigit():
            raise UsageError(
                f"--set {printable(override)}: here an evaluator goes by its label alone: "
                f"{printable(f'{label}.{key}')}"
            )
    return own, tuple(each for each in overrides if each not in own)


def _of_evaluator(override: str) -> tuple[str, str]:
    """Return what stands for the evaluator in `evaluators.0.samples=300`, and what follows; else nothing."""
    section, _, rest = override.partition(".")
    which, _, key = rest.partition(".")
    return (which, key) if section.strip() == "evaluators" and key and "=" not in which else ("", "")


def _require_measured(overrides: Sequence[str], labels: Sequence[str], measured: Collection[str]) -> None:
    """Refuse what sets an option of the run's own evaluators that are not measured.

    Args:
        overrides: of the experiment's sections.
        labels: of the run's own evaluators.
        measured: labels of those that are.

    Raises:
        UsageError: it says how to set the option of one that is.
    """
    for override in overrides:
        index, key = _of_evaluator(override)
        if index and labels[int(index)] not in measured:
            meant = " or ".join(printable(f"{label}.{key}") for label in measured)
            raise UsageError(
                f"--set {printable(override)} is for the run's own `{labels[int(index)]}`, which is not "
                f"measured now; an evaluator that is goes by its label: {meant}"
            )


def _choices(
    experiment: Experiment, wanted: Sequence[str], overrides: Sequence[str]
) -> tuple[EvaluatorSelection, ...]:
    """Return the run's own evaluators or those that are asked for, with their options set."""
    from ganlab.config.evaluators import choose_evaluators

    tables: dict[str, dict[str, Any]] = {table["label"]: table for table in experiment.resolved["evaluators"]}
    if wanted:
        tables = {name: tables.get(name, {"name": name}) for name in wanted}
    if not tables:
        raise UsageError("the run has no evaluators of its own; name some with --evaluator")
    samples = experiment.dataset.component.accepts[0]
    return choose_evaluators(tables, samples, experiment.registry, overrides)


def _described(
    choices: Sequence[EvaluatorSelection], registry: Registry, other_data: bool
) -> LaterEvaluation:
    """Return what is about to be measured, for whoever compares it with what was measured elsewhere."""
    from ganlab.config.resolve import evaluator_table
    from ganlab.runs.evaluation_directory import LaterEvaluation

    files = {id(offer.component): offer.provenance.files for offer in registry.offers}
    return LaterEvaluation(
        other_data=other_data,
        evaluators={each.label: evaluator_table(each) for each in choices},
        files={
            each.label: {
                file.name: file.sha256
                for component in (each.component, each.features.component)
                for file in files[id(component)]
            }
            for each in choices
        },
    )


def _track(
    directory: EvaluationDirectory,
    experiment: Experiment,
    run_id: str,
    choices: Sequence[EvaluatorSelection],
    measured: Sequence[tuple[int | None, Measurement]],
) -> None:
    """Tell the experiment's trackers, each in a directory of its own beside the results."""
    from functools import partial

    from ganlab.tracking.hub import TrackerHub
    from ganlab.tracking.tracker import RunInfo

    openers = {
        selection.label: partial(
            selection.build,
            RunInfo(
                id=f"{run_id}/{directory.layout.name}",
                title=experiment.settings.title,
                directory=directory.layout.tracker(selection.label),
                experiment=experiment.resolved,
                metrics={choice.label: choice.component.metrics for choice in choices},
            ),
        )
        for selection in experiment.trackers
    }
    hub = TrackerHub.open(openers, lambda problem: click.echo(f"warning: {problem}", err=True))
    values: dict[str, float] = {}
    for step in sorted({step for step, _ in measured if step is not None}):
        values = {}
        for at, measurement in measured:
            if at == step:
                values |= measurement.tagged()
        hub.scalars(values, step)
    hub.close("completed", values)


def _draw_curves(directory: EvaluationDirectory, measured: Sequence[tuple[int | None, Measurement]]) -> None:
    from ganlab.drawing.curves import Curve, draw_curves
    from ganlab.drawing.pictures import write_png
    from ganlab.metrics import features_text

    curves: dict[str, Curve] = {}
    for step, each in measured:
        assert step is not None
        title = f"{each.evaluator}: {each.metric.name} ({features_text(each.features, each.protocol)})"
        curve = curves.setdefault(title, Curve(title, better=each.metric.better))
        floor = None if each.floor is None else each.floor.value
        curve.add(step, each.value, each.estimate.standard_error, floor)
    write_png(directory.layout.curves, draw_curves(list(curves.values())))
