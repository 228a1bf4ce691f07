"""What a new run does not repeat, though it is begun from a run's `resolved.toml`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from ganlab.config.experiment import Experiment
from ganlab.errors import GanlabError
from ganlab.runs.reading import Run, run_resolved_in
from ganlab.runs.reporting import print_warning
from ganlab.runs.state import Parent
from ganlab.training.changes import changes_of_settings

__all__ = ["forked_from", "how_to_fork_again", "warn_of_what_is_not_repeated"]


def forked_from(run: Run) -> Parent | None:
    """Return the checkpoint that a run was forked from; `None` where `[start]` says what it began with."""
    parent, start = run.state.parent, run.experiment().get("start")
    if parent is None or start is None:
        return parent
    pinned = start.get("pinned", {})
    # Earlier versions pinned nothing: a run with such a start is taken for one that it applies to.
    same = not pinned or (pinned["step"], pinned["digest"]) == (parent.step, parent.digest)
    return None if same else parent


def how_to_fork_again(file: Path, parent: Parent) -> str:
    """Return the command that begins an experiment at a checkpoint of another run."""
    words = ("ganlab", "run", str(file), "--resume", parent.path or parent.id, "--fork")
    return shlex.join((*words, "--checkpoint", str(parent.step)))


def warn_of_what_is_not_repeated(experiment: Experiment) -> None:
    """Print what a run had behind it, or did on its way, that its `resolved.toml` alone does not say.

    Args:
        experiment: what a new run, neither resumed nor forked, is about to begin with.
    """
    try:
        run = run_resolved_in(experiment.file)
    except GanlabError as error:
        print_warning(f"what {experiment.file} began from is not known: {error}")
        return
    if run is not None:
        for missed in _not_repeated(run, experiment):
            print_warning(missed)


def _not_repeated(run: Run, experiment: Experiment) -> Iterator[str]:
    file, parent = experiment.file, forked_from(run)
    if parent is not None:
        yield (
            f"{file} is of a run that was forked from {parent.id} at step {parent.step:,}; the new one "
            "begins at step 0, without what that had learnt\n"
            f"    to begin where it did: {how_to_fork_again(file, parent)}"
        )
    scheduled = any(each.settings.schedule != "constant" for each in experiment.optimizers.values())
    for session in run.state.sessions[1:]:
        changes = changes_of_settings(session, scheduled=scheduled)
        if changes and session.start_step > 0:
            listing = "".join(f"\n    {change}" for change in changes)
            yield (
                f"{file} is of a run that was changed at step {session.start_step:,}; the new one is as "
                f"that ended from its first step on{listing}"
            )
