"""`ganlab runs`: what has been run, how it fared, and which runs are one experiment over seeds."""

from __future__ import annotations

import math
import sys
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
        show = _print_under_headings if sys.stdout.isatty() else _print_table
        show(grouped(sorted_entries))
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


def _print_under_headings(groups: Sequence[Sequence[Entry]]) -> None:
    """Print what runs of an experiment share once, so that the rest fits a terminal of 100 columns."""
    from ganlab.commands.tables import print_table
    from ganlab.comparison.report import duration

    rows: list[tuple[str, ...]] = []
    headings: dict[int, tuple[str, str]] = {}
    for group in groups:
        shared, metric = _shared(group)
        headings[len(rows)] = (group[0].run.state.title, shared)
        for entry in group:
            state = entry.run.state
            step = f"{state.step:,}" if state.step == state.steps else f"{state.step:,}/{state.steps:,}"
            seed = "" if entry.seed is None else str(entry.seed)
            best = _best(entry, named=not metric)
            rows.append((state.id, state.status, step, seed, best, duration(entry.hours)))
    print_table(("ID", "STATUS", "STEP", "SEED", "BEST", "TIME"), rows, headings=headings)


def _shared(group: Sequence[Entry]) -> tuple[str, str]:
    """Return what the runs of an experiment share, in words; and the metric of their best, if any."""
    one = group[0]
    parts = [", ".join(f"{kind} {name}" for kind, name in one.networks.items())]
    parts += [f"losses {', '.join(one.losses)}" if one.losses else ""]
    parents = dict.fromkeys(_parent(entry) for entry in group if entry.run.state.parent)
    parts += [f"begun from {', '.join(parents)}" if parents else ""]
    metrics = {entry.run.state.best.metric for entry in group if entry.run.state.best}
    metric = next(iter(metrics)) if len(metrics) == 1 else ""
    parts += [f"best by {metric}, over its floor" if metric else ""]
    if len(group) > 1:
        parts += [f"{len(group)} runs" + (f", mean {mean[1]} over seeds" if (mean := _mean(group)) else "")]
    return "; ".join(filter(None, parts)), metric


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
        _parent(entry),
        state.title,
    )


def _parent(entry: Entry) -> str:
    parent = entry.run.state.parent
    return f"{parent.id} at {parent.step:,}" if parent else ""


def _best(entry: Entry, *, named: bool = True) -> str:
    best = entry.run.state.best
    if best is None:
        return ""
    error, floor = (entry.best.error, entry.best.floor) if entry.best else (None, None)
    name = f"{best.metric} " if named else ""
    over = "" if floor is None else f" over {floor:.3g}"
    return f"{name}{_with_error(best.value, error)}{over} at {best.step:,}"


def _with_error(value: float, error: float | None) -> str:
    return _rounded(value, error) + ("" if error is None else f" ± {error:.2g}")


def _rounded(value: float, error: float | None) -> str:
    """Return a value to the second digit of its standard error, where it has one."""
    if not error or not math.isfinite(error):
        return f"{value:.4g}"
    return f"{value:.{max(0, 1 - math.floor(math.log10(error)))}f}"


def _summary(group: Sequence[Entry]) -> tuple[str, ...]:
    """Return the row above the runs of one experiment: how many, how they ended, and their mean."""
    from ganlab.comparison.report import duration

    statuses = [entry.run.state.status for entry in group]
    counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    hours = sum(entry.hours for entry in group)
    one, mean = group[0], _mean(group)
    return (
        f"{len(group)} runs",
        told if len(counts) > 1 else statuses[0],
        *(
            "",
            "",
            f"{mean[0]} {mean[1]} over seeds" if mean else "",
            duration(hours),
            "",
            ", ".join(one.networks.values()),
            ", ".join(one.losses),
            "",
        ),
        one.run.state.title,
    )


def _mean(group: Sequence[Entry]) -> tuple[str, str] | None:
    """Return the metric that chose the best of an experiment's runs, and their mean, if there is one."""
    from ganlab.comparison.statistics import Value, summarise

    bests = [entry.run.state.best for entry in group]
    known = [best for best in bests if best is not None and math.isfinite(best.value)]
    if len({best.metric for best in known}) != 1:
        return None
    summary = summarise({index: Value(best.value) for index, best in enumerate(known)})
    return known[0].metric, _with_error(summary.mean, summary.between)


def _age(created: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
