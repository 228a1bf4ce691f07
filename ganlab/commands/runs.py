"""`ganlab runs`: what has been run, how it fared, and which runs are one experiment over seeds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganlab.commands.common import runs_option
from ganlab.metrics import floor_text, with_error
from ganlab.words import counted

if TYPE_CHECKING:
    from ganlab.comparison.overview import Entry, ExperimentEntry

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


@dataclass(frozen=True)
class _Column:
    """A column of the table.

    Attributes:
        title: stands above it.
        of_run: what it says of a run, in words, given the run and its experiment.
        of_experiment: what it says of an experiment with several runs.
    """

    title: str
    of_run: Callable[[Entry, ExperimentEntry], str]
    of_experiment: Callable[[ExperimentEntry], str] = lambda experiment: ""


def _count(experiment: ExperimentEntry) -> str:
    return counted(len(experiment.entries), "run")


def _statuses(experiment: ExperimentEntry) -> str:
    counts = experiment.statuses
    return ", ".join(f"{count} {status}" if len(counts) > 1 else status for status, count in counts.items())


def _mean(experiment: ExperimentEntry) -> tuple[str, ...]:
    """Return the metric that chose the best of an experiment's runs, and their mean; nothing without one."""
    if experiment.mean is None:
        return ()
    metric, summary = experiment.mean
    seeds = f"{summary.count} seeds" if summary.count > 1 else "one seed"
    return metric, f"{with_error(summary.mean, summary.between)} over {seeds}"


def _step(entry: Entry, *, brief: bool = False) -> str:
    """Return how far a run got, of how many steps; `brief` leaves those out where it got to the end."""
    state = entry.run.state
    return f"{state.step:,}" if brief and state.step == state.steps else f"{state.step:,}/{state.steps:,}"


def _duration(hours: float) -> str:
    from ganlab.comparison.report import duration

    return duration(hours)


def _parent(entry: Entry) -> str:
    parent = entry.run.state.parent
    return f"{parent.id} at {parent.step:,}" if parent else ""


def _parents(experiment: ExperimentEntry) -> str:
    return ", ".join(dict.fromkeys(filter(None, map(_parent, experiment.entries))))


def _best(entry: Entry, *, named: bool = True) -> str:
    best = entry.run.state.best
    if best is None:
        return ""
    error = entry.best.error if entry.best else None
    name = f"{best.metric} " if named else ""
    over = ""
    if entry.best is not None and entry.best.floor is not None:
        over = f" over {floor_text(entry.best.floor, entry.best.floor_error)}"
    return f"{name}{with_error(best.value, error)}{over} at {best.step:,}"


def _age(created: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


_ID = _Column("ID", lambda entry, _: entry.run.state.id, _count)
_STATUS = _Column("STATUS", lambda entry, _: entry.run.state.status, _statuses)
_SEED = _Column("SEED", lambda entry, _: "" if entry.seed is None else str(entry.seed))

_ON_A_TERMINAL = (
    _ID,
    _STATUS,
    _Column("STEP", lambda entry, _: _step(entry, brief=True)),
    _SEED,
    _Column("BEST", lambda entry, experiment: _best(entry, named=experiment.best_metric is None)),
    _Column("TIME", lambda entry, _: _duration(entry.hours)),
)
"""Columns that fit a terminal of 100 letters, below headings that say what runs share."""

_IN_A_PIPE = (
    _ID,
    _STATUS,
    _Column("STEP", lambda entry, _: _step(entry)),
    _SEED,
    _Column("BEST", lambda entry, _: _best(entry), lambda experiment: " ".join(_mean(experiment))),
    _Column(
        "DURATION",
        lambda entry, _: _duration(entry.hours),
        lambda experiment: _duration(experiment.hours),
    ),
    _Column("AGE", lambda entry, _: _age(entry.run.state.created)),
    _Column(
        "NETWORKS",
        lambda entry, _: ", ".join(entry.networks.values()),
        lambda experiment: ", ".join(experiment.first.networks.values()),
    ),
    _Column(
        "LOSSES",
        lambda entry, _: ", ".join(entry.losses),
        lambda experiment: ", ".join(experiment.first.losses),
    ),
    _Column("PARENT", lambda entry, _: _parent(entry), _parents),
    _Column(
        "TITLE",
        lambda entry, _: entry.name,
        lambda experiment: experiment.first.name,
    ),
)
"""Columns where each row says all of a run."""


def _print_under_headings(experiments: Sequence[ExperimentEntry]) -> None:
    """Print what runs of an experiment share once, above them."""
    from ganlab.commands.tables import print_table

    rows: list[list[str]] = []
    headings: dict[int, tuple[str, str]] = {}
    for experiment in experiments:
        headings[len(rows)] = (experiment.first.name, _shared(experiment))
        rows += _run_rows(experiment, _ON_A_TERMINAL)
    print_table([column.title for column in _ON_A_TERMINAL], rows, headings=headings)


def _print_table(experiments: Sequence[ExperimentEntry]) -> None:
    """Print a row for each run, and one above the runs of an experiment that has several."""
    from ganlab.commands.tables import print_table

    rows: list[list[str]] = []
    for experiment in experiments:
        if len(experiment.entries) > 1:
            rows.append([column.of_experiment(experiment) for column in _IN_A_PIPE])
        rows += _run_rows(experiment, _IN_A_PIPE)
    print_table([column.title for column in _IN_A_PIPE], rows)


def _run_rows(experiment: ExperimentEntry, columns: Sequence[_Column]) -> list[list[str]]:
    return [[column.of_run(entry, experiment) for column in columns] for entry in experiment.entries]


def _shared(experiment: ExperimentEntry) -> str:
    """Return what the runs of an experiment share, in words."""
    first, metric = experiment.first, experiment.best_metric
    parts = [", ".join(f"{kind} {name}" for kind, name in first.networks.items())]
    parts += [f"losses {', '.join(first.losses)}" if first.losses else ""]
    parents = _parents(experiment)
    parts += [f"begun from {parents}" if parents else ""]
    parts += [f"best by {metric}, over its floor" if metric else ""]
    if len(experiment.entries) > 1:
        mean = _mean(experiment)
        parts += [_count(experiment) + (f", mean {mean[1]}" if mean else "")]
    return "; ".join(filter(None, parts))
