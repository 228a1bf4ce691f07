"""The runs that are meant: of an experiment file, of a title, or one by its name."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ganlab.config.difference import Difference, differences
from ganlab.config.experiment import Experiment
from ganlab.errors import GanlabError, UsageError
from ganlab.runs.layout import slug
from ganlab.runs.reading import Run, find_run, list_runs

__all__ = ["others_of_title", "run_of_seed", "runs_called", "runs_of"]

_SHOWN = 5


def runs_called(wanted: str, root: Path) -> list[Run]:
    """Return all runs of a title, the oldest first, or else the one run that is meant.

    Args:
        wanted: a title, as written or as directories have it; or a run as `find_run` takes it.
        root: the directory of all runs.

    Raises:
        UsageError: no run is meant, or several beginnings are.
    """
    if not Path(wanted).is_dir():
        titled = [run for run in list_runs(root) if wanted in (run.state.title, slug(run.state.title))]
        if titled:
            return titled[::-1]
    return [find_run(wanted, root)]


def runs_of(experiment: Experiment, root: Path) -> list[Run]:
    """Return the runs of an experiment, with whatever seed, the oldest first.

    Args:
        experiment: what was run, as the command line has it.
        root: the directory of all runs.

    Raises:
        UsageError: there is none; it says how those of the title differ.
    """
    title = experiment.settings.title
    titled = list_runs(root, title=title)
    found = []
    other: list[Difference] = []
    for run in titled:
        differing = _differing(run, experiment)
        if differing is not None and not differing and not _is_fork(run):
            found.append(run)
        other = other or differing or []
    if found:
        return found[::-1]
    listing = "".join(f"\n    {difference}" for difference in other[:_SHOWN])
    raise UsageError(
        f"there is no run of {experiment.file} in {root}"
        + (f"; the newest of its title, {title!r}, differs in{listing}" if other else "")
        + "\n    `ganlab run X.toml --seeds 0..2` makes some; `--runs` names another place, and `--set` says "
        "what was set for them"
    )


def others_of_title(title: str, known: Collection[Path], root: Path) -> list[Run]:
    """Return the runs of a title whose experiment can be read, the oldest first.

    Args:
        title: as written.
        known: directories of runs that are left out.
        root: the directory of all runs.
    """
    return [run for run in list_runs(root, title=title)[::-1] if run.path not in known and _is_readable(run)]


def run_of_seed(experiment: Experiment, runs: list[Run]) -> Run | None:
    """Return the newest run of exactly an experiment, its seed included; `None` if there is none.

    A run that was made longer, or is shorter by now, is one of it; a fork is not.

    Args:
        experiment: the experiment, its seed included.
        runs: to look among, the newest first.
    """
    for run in runs:
        try:
            if not _is_fork(run) and not differences(run.experiment(), experiment):
                return run
        except GanlabError:
            continue  # what cannot be read is no run that could be continued
    return None


def _differing(run: Run, experiment: Experiment) -> list[Difference] | None:
    """Return how a run differs from an experiment but for the seed; `None` where it cannot be read."""
    try:
        found = differences(run.experiment(), experiment)
    except GanlabError:
        return None
    steps = experiment.settings.training.steps
    if run.state.steps != steps:
        found.append(Difference("training.steps", str(run.state.steps), str(steps)))
    return [difference for difference in found if difference.path != "seed"]


def _is_readable(run: Run) -> bool:
    try:
        run.experiment()
    except GanlabError:
        return False
    return True


def _is_fork(run: Run) -> bool:
    return run.state.parent is not None and "start" not in run.experiment()
