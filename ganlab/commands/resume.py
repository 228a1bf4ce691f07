"""`ganlab resume`: continue a run, to the bytes that it would have had undisturbed."""

from __future__ import annotations

from pathlib import Path

import click

from ganlab.commands.common import experiment_options, resume_options, runs_option

__all__ = ["command"]


@click.command("resume")
@click.argument("run")
@experiment_options
@runs_option
@click.option("--quiet", is_flag=True, help="Print only where the run is and how it ended.")
@resume_options
def command(
    run: str,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
    runs: Path,
    quiet: bool,
    allow_change: bool,
    fork: bool,
    checkpoint: str | None,
) -> None:
    """Continue RUN (a path, an id or its beginning, a title, or `latest`) from its last checkpoint.

    On the same machine it ends in the same bytes as if it had never stopped. `--set
    training.steps=N` makes it longer; any other change needs --allow-change or --fork.
    """
    from ganlab.commands.common import load, make_plan, tell_result
    from ganlab.runs.reading import find_run

    found = find_run(run, runs)
    plan = make_plan(runs, str(found.path), allow_change=allow_change, fork=fork, checkpoint=checkpoint)
    experiment = load(found.resolved, overrides, plugins, disabled)

    from ganlab.training.session import run_experiment  # not before: mistakes are told without torch

    tell_result(run_experiment(experiment, plan, quiet=quiet))
