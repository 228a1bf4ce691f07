"""`ganlab runs`: what has been run, how it fared, and which runs are one experiment over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganlab.commands.common import runs_option

if TYPE_CHECKING:
    from ganlab.comparison.overview import Entry

__all__ = ["command"]

_ORDERS: dict[str, Callable[[Entry], Any]] = {
    "newest": lambda entry: [-character for character in map(ord, entry.run.state.created)],
    "title": lambda entry: entry.run.state.title.casefold(),
    "best": lambda entry: entry.merit,
    "duration": lambda entry: -entry.hours,
}


@click.command("runs")
@runs_option
@click.option("--title", help="Only runs of this title, as written or as directories have it.")
@click.option(
    "--sort",
    "order",
    type=click.Choice(list(_ORDERS)),
    default="newest",
    show_default=True,
    help="What comes first; the runs of an experiment go by the first of them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, and nothing else.")
def command(runs: Path, title: str | None, order: str, as_json: bool) -> None:
    """List runs, the newest first; those that differ in their seed alone stand together."""
    from ganlab.comparison.overview import entries, grouped
    from ganlab.runs.layout import slug
    from ganlab.runs.reading import list_runs

    found = list_runs(runs)
    listed = [run for run in found if title in (None, run.state.title, slug(run.state.title))]
    # Stable: of what is equal in the order asked for, the newest is first.
    sorted_entries = sorted(entries(listed), key=_ORDERS[order])
    if as_json:
        from ganlab.runs.encoding import to_json

        click.echo(to_json([_as_json(entry) for entry in sorted_entries], indent=2))
    elif sorted_entries:
        _print_table(grouped(sorted_entries))
    elif found:
        click.echo(f"there are no runs of {title!r} in {runs}")
    else:
        click.echo(f"there are no runs in {runs}; `ganlab run` makes one, `--runs` names another place")


def _as_json(entry: Entry) -> dict[str, Any]:
    from dataclasses import asdict

    run, best = entry.run, entry.best
    return {
        "path": run.path,
        **asdict(run.state),
        "metrics": run.last_metrics(),
        "seed": entry.seed,
        "group": entry.group,
        "networks": entry.networks,
        "losses": entry.losses,
        "hours": entry.hours,
        "best_standard_error": None if best is None else best.error,
        "best_floor": None if best is None else best.floor,
    }


def _print_table(groups: Sequence[Sequence[Entry]]) -> None:
    from ganlab.commands.tables import print_table

    header = (
        *("ID", "STATUS", "STEP", "SEED", "BEST", "DURATION", "AGE"),
        *("NETWORKS", "LOSSES", "PARENT", "TITLE"),
    )
    rows: list[tuple[str, ...]] = []
    for group in groups:
        rows += [_summary(group)] if len(group) > 1 else []
        rows += [_row(entry) for entry in group]
    print_table(header, rows)


def _row(entry: Entry) -> tuple[str, ...]:
    from ganlab.comparison.report import duration

    state = entry.run.state
    parent = state.parent
    return (
        state.id,
        state.status,
        f"{state.step:,}/{state.steps:,}",
        "" if entry.seed is None else str(entry.seed),
        _best(entry),
        duration(entry.hours),
        _age(state.created),
        ", ".join(entry.networks.values()),
        ", ".join(entry.losses),
        f"{parent.id} at {parent.step:,}" if parent else "",
        state.title,
    )


def _best(entry: Entry) -> str:
    best = entry.run.state.best
    if best is None:
        return ""
    error = f" ± {entry.best.error:.2g}" if entry.best and entry.best.error is not None else ""
    floor = f" over {entry.best.floor:.4g}" if entry.best and entry.best.floor is not None else ""
    return f"{best.metric} {best.value:.4g}{error}{floor} at {best.step:,}"


def _summary(group: Sequence[Entry]) -> tuple[str, ...]:
    """Return the row above the runs of one experiment: how many, how they ended, and their mean."""
    from ganlab.comparison.report import duration
    from ganlab.comparison.statistics import Value, summarise

    statuses = [entry.run.state.status for entry in group]
    counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    bests = [entry.run.state.best for entry in group]
    known = [best for best in bests if best is not None and math.isfinite(best.value)]
    mean = ""
    if known and len({best.metric for best in known}) == 1:
        summary = summarise({index: Value(best.value) for index, best in enumerate(known)})
        error = "" if summary.between is None else f" ± {summary.between:.2g}"
        mean = f"{known[0].metric} {summary.mean:.4g}{error} over seeds"
    hours = sum(entry.hours for entry in group)
    one = group[0]
    return (
        f"{len(group)} runs",
        told if len(counts) > 1 else statuses[0],
        *("", "", mean, duration(hours), "", ", ".join(one.networks.values()), ", ".join(one.losses), ""),
        one.run.state.title,
    )


def _age(created: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
