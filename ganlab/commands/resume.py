"""`ganlab resume`: go on with a run, to the bytes that it would have had undisturbed."""

from __future__ import annotations

from pathlib import Path

import click

from ganlab.commands.common import experiment_options, parse_checkpoint, runs_option
from ganlab.commands.run import tell_result
from ganlab.errors import UsageError

__all__ = ["command"]


@click.command("resume")
@click.argument("run")
@experiment_options
@runs_option
@click.option("--quiet", is_flag=True, help="Print only where the run is and how it ended.")
@click.option("--allow-change", is_flag=True, help="Go on although the experiment has changed; record how.")
@click.option("--fork", is_flag=True, help="Leave the run as it is, and go on from it in a new one.")
@click.option("--checkpoint", metavar="best|last|STEP", help="Which one a fork starts from.  [default: last]")
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
    """Go on with RUN (a path, an id or its beginning, or `latest`) from its last checkpoint.

    On the same machine it ends in the same bytes as if it had never stopped. `--set
    training.steps=N` makes it longer; any other change needs --allow-change or --fork.
    """
    from ganlab.commands.common import load
    from ganlab.runs.reading import find_run
    from ganlab.training.session import Plan, run_experiment

    which = parse_checkpoint(checkpoint)
    if which is not None and not fork:
        raise UsageError(
            "--checkpoint goes with --fork: going on from an earlier one in the run itself would throw away "
            "what came after it"
        )
    found = find_run(run, runs)
    plan = Plan(runs, str(found.path), fork=fork, checkpoint=which or "last", allow_change=allow_change)
    experiment = load(found.resolved, overrides, plugins, disabled)
    tell_result(run_experiment(experiment, plan, quiet=quiet), runs)
