"""`ganlab run`: train and measure an experiment."""

from __future__ import annotations

from pathlib import Path

import click

from ganlab.commands.common import experiment_options, resume_options, runs_option
from ganlab.errors import UsageError

__all__ = ["command"]


@click.command("run")
@click.argument("experiment", type=click.Path(path_type=Path))
@experiment_options
@runs_option
@click.option("--quiet", is_flag=True, help="Print only where the run is and how it ended.")
@click.option(
    "--resume",
    metavar="auto|RUN",
    help="Continue this run of the experiment; auto: the newest of its title, or start one.",
)
@resume_options
@click.option(
    "--seeds",
    metavar="0,1,2|0..4",
    help="A run for each seed; with --resume auto, go on with what is unfinished.",
)
@click.option(
    "--vary",
    "varied",
    multiple=True,
    metavar="KEY=[V, …]",
    help="A run for each of these values of a key, as in generator.width=[16,32]. Repeatable: every "
    "combination, each with every seed.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="How many of these runs to train at once, each in a process of its own.  [default: 1]",
)
def command(
    experiment: Path,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
    runs: Path,
    quiet: bool,
    resume: str | None,
    allow_change: bool,
    fork: bool,
    checkpoint: str | None,
    seeds: str | None,
    varied: tuple[str, ...],
    jobs: int,
) -> int:
    """Train and measure EXPERIMENT (a TOML file) in a new run directory, or continue a run of it.

    Several processes share a run under `torchrun --nproc-per-node=N -m ganlab run EXPERIMENT`.
    """
    from ganlab.commands.common import load, make_plan, tell_result
    from ganlab.commands.sweep import Request, parse_seeds, parse_varied, run_sweep

    if seeds is not None or varied:
        if resume not in (None, "auto") or allow_change or fork or checkpoint:
            raise UsageError(
                "--seeds and --vary go with --resume auto alone: other ways to continue are for one run, and "
                "`ganlab resume` has them"
            )
        request = Request(
            file=experiment,
            seeds=() if seeds is None else parse_seeds(seeds),
            varied=tuple(map(parse_varied, varied)),
            jobs=jobs,
            overrides=overrides,
            plugins=plugins,
            disabled=disabled,
            runs=runs,
            resume=resume == "auto",
            quiet=quiet,
        )
        return run_sweep(request)
    if jobs > 1:
        raise UsageError("--jobs goes with --seeds or --vary: it says how many runs are trained at once")
    plan = make_plan(runs, resume, allow_change=allow_change, fork=fork, checkpoint=checkpoint)
    loaded = load(experiment, overrides, plugins, disabled)

    # Not before: a mistake in the file is told without waiting for torch.
    from ganlab.testing.experiment import warn_of_broken_promises
    from ganlab.training.session import run_experiment

    tell_result(run_experiment(loaded, plan, quiet=quiet, look_over=warn_of_broken_promises))
    return 0
