"""`ganlab tensorboard`: TensorBoard on all runs, or on the ones chosen, opened on what matters."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ganlab.commands.common import runs_option

if TYPE_CHECKING:
    from ganlab.runs.reading import Run

__all__ = ["command"]

_USUAL_PORT = 6006
_LOOKS_EVERY = 5.0
"""Seconds between two looks for new runs, as often as TensorBoard looks for what is new in the known ones."""


@click.command("tensorboard")
@click.argument("chosen", metavar="[RUN|TITLE]...", nargs=-1)
@runs_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port to serve on; 0 takes any that is free.  [default: {_USUAL_PORT}, or the next that is free]",
)
@click.option(
    "--print",
    "print_only",
    is_flag=True,
    help="Print the address and serve nothing; it fits a TensorBoard that is running already, too.",
)
def command(chosen: tuple[str, ...], runs: Path, port: int | None, print_only: bool) -> None:
    """Start TensorBoard on every run, on all runs of a TITLE, or on one (a path, an id, `latest`).

    The address that it prints opens on what matters: the metrics, each with its floor, how well the
    discriminator does, and the losses, none of them smoothed. Runs are called by title and seed; new ones
    come in by themselves.
    """
    from ganlab.watching.pins import address, pinned_tags

    find = _finder(chosen, runs)
    found = find()
    pinned = pinned_tags(found)
    if print_only:
        click.echo(address(f"http://localhost:{port or _USUAL_PORT}/", pinned))
        return
    with tempfile.TemporaryDirectory(prefix="ganlab-tensorboard-") as directory:
        _serve(Path(directory), find, port, pinned)


def _finder(chosen: tuple[str, ...], runs: Path) -> Callable[[], list[Run]]:
    """Return what returns the runs that are meant, as they are by then."""
    from ganlab.comparison.run_lookup import runs_called
    from ganlab.errors import UsageError
    from ganlab.runs.reading import list_runs, read_run

    if chosen:
        paths = list(dict.fromkeys(run.path for wanted in chosen for run in runs_called(wanted, runs)))
        return lambda: [read_run(path) for path in paths if path.is_dir()]
    if not runs.is_dir():
        raise UsageError(f"there is no directory {runs}; `ganlab run` makes it, `--runs` names another")
    reported: set[str] = set()

    def report(problem: str) -> None:
        if problem not in reported:
            reported.add(problem)
            click.echo(f"warning: {problem}", err=True)

    return lambda: list_runs(runs, report)


def _serve(directory: Path, find: Callable[[], list[Run]], port: int | None, pinned: list[str]) -> None:
    from ganlab.watching.columns import write_columns
    from ganlab.watching.links import RunLinks
    from ganlab.watching.pins import address

    links = RunLinks(directory)
    links.show(find())
    write_columns(directory, pinned)
    server = _launch(directory, port)
    click.echo(f"TensorBoard, until Ctrl-C: {address(server, pinned)}")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, _end)
    try:
        while True:
            time.sleep(_LOOKS_EVERY)
            links.show(find())
    except KeyboardInterrupt:
        click.echo()


def _launch(directory: Path, port: int | None) -> str:
    """Start TensorBoard in this process and return its address."""
    from tensorboard.default import get_plugins
    from tensorboard.program import TensorBoard, TensorBoardServerException

    from ganlab.errors import UsageError

    board = TensorBoard(plugins=get_plugins())
    # TensorBoard shows ten pictures of a tag, spread over the run; a run has more than that to show.
    arguments = [f"--logdir={directory}", "--samples_per_plugin=images=100"]
    board.configure(["", *arguments, *([] if port is None else [f"--port={port}"])])
    try:
        return str(board.launch())
    except TensorBoardServerException as error:
        raise UsageError(f"TensorBoard cannot serve: {error.msg}") from error


def _end(signal_number: int, frame: object) -> NoReturn:
    raise SystemExit(0)
