"""`ganlab compare`: experiments held against each other, seed by seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlab.commands.common import experiment_options, parse_moment, runs_option
from ganlab.errors import UsageError

if TYPE_CHECKING:
    from ganlab.comparison.report import Table
    from ganlab.comparison.result import Comparison
    from ganlab.runs.reading import Run

__all__ = ["command"]

_SUFFIXES = (".md", ".html")


@click.command("compare")
@click.argument("experiments", nargs=-1, required=True, metavar="RUN|TITLE|X.toml...")
@experiment_options
@runs_option
@click.option(
    "--at",
    metavar="last|best|STEP",
    default="last",
    show_default=True,
    help="Which measurements count.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="EVALUATOR[.METRIC]",
    help="Compare this one alone. Repeatable.  [default: all that all experiments have]",
)
@click.option("--all-pairs", is_flag=True, help="Test every experiment against every other.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="KEY",
    help="A key that makes no other experiment, as in dataset.root. Repeatable.",
)
@click.option(
    "--out",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.md|FILE.html",
    help="Write it there too; .html has curves and pictures. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, and nothing else.")
def command(
    experiments: tuple[str, ...],
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
    runs: Path,
    at: str,
    metrics: tuple[str, ...],
    all_pairs: bool,
    ignore: tuple[str, ...],
    outputs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Compare experiments by their runs: one of them, all of a TITLE, or those that X.toml describes.

    Runs that differ in their seed alone are one experiment. The first is what the others are tested
    against. `--set`, `--plugin` and `--no-plugin` are for the files, as they were for `ganlab run`.
    """
    from ganlab.comparison.comparing import compare
    from ganlab.comparison.experiments import group_runs
    from ganlab.comparison.run_lookup import others_of_title
    from ganlab.files import require_writable

    for path in outputs:
        if path.suffix not in _SUFFIXES:
            raise UsageError(f"--out is {str(path)!r}; it takes a name that ends in {' or '.join(_SUFFIXES)}")
        require_writable(path)
    moment = parse_moment("--at", at)
    found: dict[Path, Run] = {}
    titles: dict[str, None] = {}
    for wanted in experiments:
        meant = _meant(wanted, runs, (overrides, plugins, disabled))
        found |= {run.path: run for run in meant if run.path not in found}
        if _is_file(wanted):
            titles[meant[0].state.title] = None
    groups = group_runs(list(found.values()), ignore)
    left_out = [run for title in titles for run in others_of_title(title, found, runs)]
    others = group_runs(left_out, ignore)
    comparison = compare(groups, moment=moment, wanted=metrics, all_pairs=all_pairs, others=others)
    for path in outputs:
        _write(comparison, path)
    if as_json:
        from ganlab.comparison.as_json import to_json_values
        from ganlab.runs.encoding import to_json

        click.echo(to_json(to_json_values(comparison), indent=2))
    else:
        _print(comparison)
        for path in outputs:
            click.echo(f"written: {path}")


def _meant(
    wanted: str, runs: Path, loading: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
) -> list[Run]:
    """Return the runs that a word on the command line means, the oldest first."""
    from ganlab.commands.common import load
    from ganlab.comparison.run_lookup import runs_called, runs_of

    if _is_file(wanted):
        return runs_of(load(Path(wanted), *loading), runs)
    return runs_called(wanted, runs)


def _is_file(wanted: str) -> bool:
    return Path(wanted).suffix == ".toml" and Path(wanted).is_file()


def _write(comparison: Comparison, path: Path) -> None:
    from ganlab.files import explained, write_atomically

    if path.suffix == ".md":
        from ganlab.comparison.markdown import to_markdown

        content = to_markdown(comparison)
    else:
        from ganlab.comparison.page import to_html

        content = to_html(comparison)
    with explained(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)


def _print(comparison: Comparison) -> None:
    from ganlab.comparison import report

    unequal, equal = report.fairness_sentences(comparison)
    click.echo(f"compared: {report.moment_words(comparison)}")
    for text in unequal:
        click.echo(f"unequal:  {text}")
    if equal:
        click.echo(equal.replace("equal: ", "equal:    "))
    _print_table(report.cost_table(comparison))
    if comparison.differing:
        _print_table(report.difference_table(comparison))
    _print_table(report.metric_table(comparison))
    click.echo()
    for metric, _, text in report.verdict_sentences(comparison):
        click.echo(f"{metric.name}: {text}")
    for note in comparison.notes:
        click.echo(f"note: {note}")


def _print_table(table: Table) -> None:
    from ganlab.commands.tables import print_table

    click.echo()
    print_table(table.header, table.rows, numbers=table.numbers)
