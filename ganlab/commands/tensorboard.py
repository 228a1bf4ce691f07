"""`ganlab tensorboard`: TensorBoard on all runs, or on the ones chosen."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlab.commands.common import runs_option

if TYPE_CHECKING:
    from ganlab.runs.reading import Run

__all__ = ["command"]


@click.command("tensorboard")
@click.argument("chosen", metavar="[RUN]...", nargs=-1)
@runs_option
@click.option(
    "--port", type=click.IntRange(0, 65535), default=6006, show_default=True, help="Port to serve on."
)
@click.option("--print", "print_only", is_flag=True, help="Print the command instead of running it.")
def command(chosen: tuple[str, ...], runs: Path, port: int, print_only: bool) -> None:
    """Start TensorBoard on every run, or on each RUN (a path, an id or its beginning, or `latest`)."""
    from ganlab.runs.reading import find_run

    where = _logdir([find_run(wanted, runs) for wanted in chosen]) if chosen else _root_logdir(runs)
    # TensorBoard shows ten pictures of a tag, spread over the run; a run has more than that to show.
    arguments = ["-m", "tensorboard.main", *where, f"--port={port}", "--samples_per_plugin=images=100"]
    if print_only:
        click.echo(shlex.join([sys.executable, *arguments]))
        return
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *arguments])


def _root_logdir(runs: Path) -> list[str]:
    from ganlab.errors import UsageError

    if not runs.is_dir():
        raise UsageError(f"there is no directory {runs}; `ganlab run` makes it, `--runs` names another")
    return [f"--logdir={runs}"]


def _logdir(runs: list[Run]) -> list[str]:
    from ganlab.errors import UsageError

    if len(runs) == 1:
        return [f"--logdir={runs[0].path}"]
    for run in runs:
        if "," in str(run.path) or ":" in str(run.path):
            raise UsageError(
                f"TensorBoard cannot be given several runs where a path has a comma or colon: {run.path}"
            )
    return ["--logdir_spec=" + ",".join(f"{run.name}:{run.path}" for run in runs)]
