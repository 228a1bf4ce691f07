"""`ganlab runs`: what has been run, and its status."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganlab.commands.common import runs_option

if TYPE_CHECKING:
    from ganlab.runs.reading import Run

__all__ = ["command"]


@click.command("runs")
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, the newest run first.")
def command(runs: Path, as_json: bool) -> None:
    """List runs, the newest first."""
    from ganlab.runs.reading import list_runs

    found = list_runs(runs)
    if as_json:
        from ganlab.runs.encoding import to_json

        click.echo(to_json([_as_json(run) for run in found], indent=2))
    elif found:
        _print_table(found)
    else:
        click.echo(f"there are no runs in {runs}; `ganlab run` makes one, `--runs` names another place")


def _as_json(run: Run) -> dict[str, Any]:
    from dataclasses import asdict

    return {"path": run.path, **asdict(run.state), "metrics": run.last_metrics()}


def _print_table(runs: list[Run]) -> None:
    from ganlab.commands.tables import print_table

    print_table(
        ("ID", "STATUS", "STEP", "BEST", "AGE", "TITLE"),
        [
            (
                run.state.id,
                run.state.status,
                f"{run.state.step:,}/{run.state.steps:,}",
                _best(run),
                _age(run.state.created),
                run.state.title,
            )
            for run in runs
        ],
    )


def _best(run: Run) -> str:
    best = run.state.best
    return f"{best.metric} {best.value:.4g} at {best.step:,}" if best else ""


def _age(created: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
