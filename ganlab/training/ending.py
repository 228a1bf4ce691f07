"""How a session ends early: what `run.json` says of it, and what a person is told is kept."""

from __future__ import annotations

from ganlab.errors import DivergedError, GanlabError, InterruptedRunError, OutOfMemoryError, summarised
from ganlab.runs.directory import RunDirectory
from ganlab.runs.state import Status

__all__ = ["outcome_of", "with_what_is_kept"]


def outcome_of(error: BaseException) -> tuple[Status, str]:
    """Return the status of a run that an exception ends, and the reason."""
    status: Status = "failed"
    if isinstance(error, DivergedError):
        status = "diverged"
    elif isinstance(error, InterruptedRunError):
        status = "interrupted"
    return status, str(error) if isinstance(error, GanlabError) else summarised(error)


def with_what_is_kept(error: BaseException, run: RunDirectory, step: int) -> BaseException:
    """Return an exception that says, too, what is kept of the run; the same one, if it says all.

    Args:
        error: what ends the run.
        run: what is kept.
        step: completed steps.
    """
    if isinstance(error, DivergedError):
        left = f", and {run.divergence} has the details" if run.divergence.is_file() else ""
        return DivergedError(f"{error}; {_kept(run)}{left}", step=error.step, values=error.values)
    if isinstance(error, InterruptedRunError):
        return InterruptedRunError(
            f"{error}; saved at step {step} in {run.path}\n    continue with: ganlab resume {run.path}"
        )
    if isinstance(error, OutOfMemoryError):
        return OutOfMemoryError(f"{error}\n    {_kept(run)}")
    return error


def _kept(run: RunDirectory) -> str:
    last = run.checkpoints.last
    return "no checkpoint was written before" if last is None else f"the checkpoint of step {last} is kept"
