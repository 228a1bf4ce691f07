"""`ganlab run`: train and measure an experiment."""

from __future__ import annotations

from pathlib import Path

import click

from ganlab.commands.common import experiment_options, runs_option

__all__ = ["command"]


@click.command("run")
@click.argument("experiment", type=click.Path(path_type=Path))
@experiment_options
@runs_option
@click.option("--quiet", is_flag=True, help="Print only where the run is and how it ended.")
def command(
    experiment: Path,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
    runs: Path,
    quiet: bool,
) -> None:
    """Train and measure EXPERIMENT (a TOML file) in a new run directory."""
    from ganlab.commands.common import load
    from ganlab.training.session import run_experiment

    run = run_experiment(load(experiment, overrides, plugins, disabled), runs, quiet=quiet)
    click.echo(f"finished: {run.path}")
    if run.state.best is not None:
        best = run.state.best
        click.echo(f"best:     step {best.step}, {best.metric} = {best.value:.4g}")
    click.echo(f"look at:  {run.path / 'samples'}")
    click.echo(f"          ganlab tensorboard --runs {runs}")
