"""What several verbs share: options, loading an experiment, and what they say of plugins and results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from ganlab.errors import UsageError, printable

if TYPE_CHECKING:
    from ganlab.config import Experiment
    from ganlab.registry import Registry
    from ganlab.runs.reading import Run
    from ganlab.training.plan import Plan

__all__ = [
    "FILMS",
    "experiment_options",
    "film_options",
    "load",
    "local_plugins_option",
    "make_plan",
    "parse_checkpoint",
    "parse_moment",
    "plugin_options",
    "require_film",
    "resume_options",
    "runs_option",
    "tell_failures",
    "tell_result",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

FILMS = (".webp", ".gif", ".mp4")
"""Suffixes of films."""


def experiment_options(function: _Function) -> _Function:
    """Add `--set`, as `overrides: tuple[str, ...]`, and the options of `plugin_options`."""
    override = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Replace one key, as in training.steps=100 or evaluators.0.every=5. Repeatable.",
    )
    return override(plugin_options(function))


def plugin_options(function: _Function) -> _Function:
    """Add `--plugin` and `--no-plugin`, as `plugins` and `disabled`, each `tuple[str, ...]`."""
    without = click.option(
        "--no-plugin",
        "disabled",
        multiple=True,
        metavar="NAME",
        help="Do not import this plugin: its name, distribution:name, or distribution. Repeatable.",
    )
    return local_plugins_option(without(function))


def local_plugins_option(function: _Function) -> _Function:
    """Add `--plugin`, as `plugins: tuple[str, ...]`."""
    return click.option(
        "--plugin",
        "plugins",
        multiple=True,
        metavar="PATH|MODULE",
        help="Load this local plugin too. Repeatable.",
    )(function)


def runs_option(function: _Function) -> _Function:
    """Add `--runs DIR`, as `runs: Path`."""
    return click.option(
        "--runs",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("runs"),
        show_default=True,
        metavar="DIR",
        help="Directory that holds the runs.",
    )(function)


def film_options(fps: float) -> Callable[[_Function], _Function]:
    """Add `--fps` and `--size`, as `fps: float | None` and `size: int | None`.

    Args:
        fps: the default.
    """
    rate = click.option(
        "--fps",
        type=click.FloatRange(0.1, 50),
        metavar="RATE",
        help=f"Frames a second of a film.  [default: {fps:g}]",
    )
    side = click.option(
        "--size",
        type=click.IntRange(16, 4096),
        metavar="PIXELS",
        help="The longer side of a film's pictures.  [default: as they are, small ones enlarged]",
    )
    return lambda function: rate(side(function))


def require_film(path: Path) -> None:
    """Refuse what is no film, or what nothing here can write.

    Raises:
        UsageError: it is no film, or nothing that is installed writes it.
    """
    from ganlab.drawing.films import require_writer

    if path.suffix.lower() not in FILMS:
        raise UsageError(f"{path} is no film: its suffix is one of {', '.join(FILMS)}")
    require_writer(path.suffix)


def resume_options(function: _Function) -> _Function:
    """Add `--allow-change`, `--fork` and `--checkpoint`, for `make_plan`."""
    allow_change = click.option(
        "--allow-change", is_flag=True, help="Continue although the experiment has changed, and record how."
    )
    fork = click.option(
        "--fork", is_flag=True, help="Leave the run as it is, and continue from it in a new one."
    )
    checkpoint = click.option(
        "--checkpoint", metavar="best|last|STEP", help="Which one a fork starts from.  [default: last]"
    )
    return allow_change(fork(checkpoint(function)))


def make_plan(
    runs: Path, resume: str | None, *, allow_change: bool, fork: bool, checkpoint: str | None
) -> Plan:
    """Return what `--runs`, `--resume` and the options of `resume_options` mean together.

    Raises:
        UsageError: one is given without the one that it belongs to.
    """
    from ganlab.training.plan import Plan

    which = parse_checkpoint(checkpoint)
    if which is not None and not fork:
        raise UsageError(
            "--checkpoint goes with --fork: continuing the run itself from an earlier one would throw away "
            "what came after it"
        )
    if resume is None and (allow_change or fork):
        option = "--fork" if fork else "--allow-change"
        raise UsageError(f"{option} goes with --resume: a new run is what its file says")
    start = "last" if which is None else which
    return Plan(runs, resume, fork=fork, checkpoint=start, allow_change=allow_change)


def parse_checkpoint(given: str | None) -> Literal["best", "last"] | int | None:
    """Return what `--checkpoint` means; `None` where it is not given.

    Raises:
        UsageError: it means nothing.
    """
    return None if given is None else parse_moment("--checkpoint", given)


def parse_moment(option: str, given: str) -> Literal["best", "last"] | int:
    """Return the moment of a run that an option names: `best`, `last`, or a step.

    Args:
        option: as errors name it.
        given: its value.

    Raises:
        UsageError: the value means nothing.
    """
    if given == "best":
        return "best"
    if given == "last":
        return "last"
    if not given.isdecimal():
        raise UsageError(f"{option} is {given!r}; it takes best, last, or the number of a step")
    return int(given)


def tell_failures(registry: Registry) -> None:
    """Print one line on standard error for each failure of a plugin."""
    for failure in registry.failures:
        click.echo(f"warning: {printable(str(failure), 1000)}", err=True)
    if registry.failures:
        click.echo("    `ganlab plugins --errors` shows all of it", err=True)


def tell_result(run: Run | None) -> None:
    """Say where a finished run is; nothing in a process that only helped."""
    if run is None:
        return
    click.echo(f"finished: {run.path}, step {run.state.step:,}")
    if run.state.best is not None:
        best = run.state.best
        click.echo(f"best:     step {best.step}, {best.metric} = {best.value:.4g}")
    click.echo(f"look at:  {run.samples}")
    click.echo(f"          ganlab tensorboard --runs {run.runs}")


def load(
    file: Path, overrides: tuple[str, ...], plugins: tuple[str, ...], disabled: tuple[str, ...]
) -> Experiment:
    """Load an experiment, and tell of plugins that failed and of what changed since it was resolved.

    Raises:
        ExperimentError: every problem that was found.
        UsageError: `disabled` names a plugin that is not there.
    """
    from ganlab.config import load_experiment

    experiment = load_experiment(file, overrides=overrides, plugins=plugins, disabled=disabled)
    tell_failures(experiment.registry)
    for warning in experiment.warnings:
        click.echo(f"warning: {printable(warning, 1000)}", err=True)
    return experiment
