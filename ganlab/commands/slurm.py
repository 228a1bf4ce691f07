"""`ganlab slurm`: a batch script that starts a run, and starts it again when its time is up."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from ganlab.commands.common import experiment_options, runs_option

__all__ = ["command", "script"]


@click.command("slurm")
@click.argument("experiment", type=click.Path(path_type=Path))
@experiment_options
@runs_option
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Machines.")
@click.option(
    "--gpus", type=click.IntRange(0), default=1, show_default=True, help="GPUs of each; 0 trains on the CPU."
)
@click.option("--cpus", type=click.IntRange(1), default=8, show_default=True, help="Cores for each process.")
@click.option("--time", "limit", default="24:00:00", show_default=True, help="Time until it is queued again.")
@click.option("--partition", help="Slurm's partition.")
@click.option("--account", help="Slurm's account.")
def command(
    experiment: Path,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
    runs: Path,
    nodes: int,
    gpus: int,
    cpus: int,
    limit: str,
    partition: str | None,
    account: str | None,
) -> None:
    """Print an sbatch script for EXPERIMENT: `ganlab slurm EXPERIMENT > job.sh && sbatch job.sh`.

    It continues the newest run of the experiment, or starts one; two minutes before its time
    is up the state is saved, and the job is queued again.
    """
    from ganlab.commands.common import load

    load(experiment, overrides, plugins, disabled)
    arguments = ["run", str(experiment.resolve()), "--resume", "auto", "--runs", str(runs.resolve())]
    for flag, values in (("--set", overrides), ("--plugin", plugins), ("--no-plugin", disabled)):
        for value in values:
            arguments += [flag, value]
    directives = {
        "job-name": experiment.stem,
        "nodes": str(nodes),
        "ntasks-per-node": str(max(gpus, 1)),
        "cpus-per-task": str(cpus),
        "gpus-per-node": str(gpus) if gpus else None,
        "time": limit,
        "partition": partition,
        "account": account,
        # Without `B:` it is the processes that hear the signal, not this script.
        "signal": "TERM@120",
        "open-mode": "append",
    }
    click.echo(script(directives, arguments, shared=nodes * max(gpus, 1) > 1), nl=False)


def script(directives: dict[str, str | None], arguments: list[str], *, shared: bool) -> str:
    """Return the batch script.

    Args:
        directives: options of sbatch by name; those that are `None` are left out.
        arguments: of the `ganlab` command.
        shared: whether several processes share the run.
    """
    lines = ["#!/bin/bash"]
    lines += [f"#SBATCH --{name}={shlex.quote(value)}" for name, value in directives.items() if value]
    lines += ["#SBATCH --requeue", ""]
    # Paths of plugins and of what was set are relative to where the script was printed.
    lines += [f"cd {shlex.quote(str(Path.cwd()))} || exit"]
    call = shlex.join([sys.executable, "-m", "ganlab", *arguments])
    if shared:
        # One task for each process, and no launcher in between: exit codes and signals get through.
        lines += [
            'MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            "MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))",
            "export MASTER_ADDR MASTER_PORT",
        ]
        identity = "RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS"
        call = "bash -c " + shlex.quote(f"{identity} exec {call}")
    lines += [
        f"srun {call}",
        "code=$?",
        "# 75: interrupted, with the state saved.",
        'if [ "$code" -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi',
        'exit "$code"',
    ]
    return "\n".join(lines) + "\n"
