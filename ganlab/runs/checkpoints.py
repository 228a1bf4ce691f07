"""Checkpoints that are either whole or not there, and that are checked before they are believed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganlab.errors import GanlabError
from ganlab.files import explained, fsync_path, write_atomically
from ganlab.runs.checkpoint_files import (
    Checkpoint,
    DamagedCheckpointError,
    is_regular,
    read_checkpoint,
    write_checkpoint,
)
from ganlab.runs.layout import BEING_WRITTEN, REPLACED, CheckpointLayout, RunLayout, checkpoint_step
from ganlab.runs.reporting import print_warning

if TYPE_CHECKING:
    import torch

    from ganlab.components import SampleSpec

__all__ = ["Checkpoints"]


class Checkpoints:
    """The checkpoints of one run: `checkpoints/step-00001000/`, and the pointers LAST and BEST.

    LAST says where the run stands: a checkpoint of a later step than it was left by a
    past that a resume has abandoned.

    Args:
        run: the run directory.
        keep: newest regular checkpoints kept, beside the best and the last.
        report: is told of damaged checkpoints that are passed over.
    """

    def __init__(self, run: Path, keep: int = 3, report: Callable[[str], None] | None = None) -> None:
        self._layout = RunLayout(run)
        self._keep = keep
        self._report = report or print_warning

    @property
    def steps(self) -> list[int]:
        """Steps that have a checkpoint, the oldest first."""
        directory = self._layout.checkpoints
        if not directory.is_dir():
            return []
        found = (checkpoint_step(entry.name) for entry in directory.iterdir())
        return sorted(step for step in found if step is not None)

    @property
    def last(self) -> int | None:
        """The step at which the run stands."""
        return _read_pointer(self._layout.last)

    @property
    def best(self) -> int | None:
        """The step of the best checkpoint."""
        return _read_pointer(self._layout.best)

    def save(
        self,
        step: int,
        state: Mapping[str, Any],
        generator: Mapping[str, torch.Tensor],
        ema: Mapping[str, torch.Tensor] | None = None,
        *,
        spec: SampleSpec | None = None,
        regular: bool = True,
    ) -> Path:
        """Write a checkpoint, point LAST at it, and only then remove old ones.

        Args:
            step: the step after which this is the state.
            state: all that a resume needs, as tensors, numbers, strings, lists, tuples and dicts.
            generator: the generator's weights.
            ema: its averaged weights.
            spec: what the generator makes, so that sampling needs no dataset.
            regular: whether a checkpoint is due; one that is saved for being the best alone
                never takes the place of a regular one, and goes when it is the best no more.

        Returns:
            The checkpoint's directory.

        Raises:
            GanlabError: it cannot be written; earlier checkpoints are as they were.
        """
        final = self._layout.checkpoint(step)
        with explained(f"cannot write the checkpoint {final.root}"):
            self._layout.checkpoints.mkdir(parents=True, exist_ok=True)
            self.recover()
            try:
                write_checkpoint(final.being_written, step, state, generator, ema, spec, regular)
                _move_into_place(final)
            except BaseException:
                shutil.rmtree(final.being_written.root, ignore_errors=True)
                raise
            write_atomically(self._layout.last, final.root.name + "\n")
            self.recover()
            self._remove_old(step)
        return final.root

    def mark_best(self, step: int) -> None:
        """Point BEST at a checkpoint that was saved; the one before it may then be removed."""
        if step not in self.steps:
            raise GanlabError(self._no_such_step(step))
        with explained(f"cannot write {self._layout.best}"):
            write_atomically(self._layout.best, self._layout.checkpoint(step).root.name + "\n")
            self._remove_old(self.last if self.last is not None else step)

    def rewind(self, step: int, best: int | None) -> None:
        """Let the run stand at an earlier step; what is later goes with the next `save`.

        Args:
            step: a step that has a checkpoint; any other means that the run starts again.
            best: the step of the checkpoint that was the best by then; `None`, and one that is
                no longer there, mean that there is none.

        Raises:
            GanlabError: the directory cannot be written.
        """
        for pointer, target in ((self._layout.last, step), (self._layout.best, best)):
            with explained(f"cannot write {pointer}"):
                if target in self.steps:
                    write_atomically(pointer, self._layout.checkpoint(target).root.name + "\n")
                else:
                    pointer.unlink(missing_ok=True)

    def recover(self) -> None:
        """Clear up what a crash left in the middle of a save; only for who writes the run.

        A checkpoint that was to be replaced, and was not yet, is put back.

        Raises:
            GanlabError: the directory cannot be written.
        """
        directory = self._layout.checkpoints
        if not directory.is_dir():
            return
        with explained(f"cannot write {directory}"):
            for entry in list(directory.iterdir()):
                final = entry.with_name(entry.name.removeprefix(REPLACED))
                if entry.name.startswith(REPLACED) and not final.exists():
                    entry.rename(final)
                elif entry.name.startswith((BEING_WRITTEN, REPLACED)):
                    shutil.rmtree(entry, ignore_errors=True)

    def load(self, which: Literal["last", "best"] | int = "last") -> Checkpoint:
        """Return a checkpoint whose files are as they were written.

        `last` passes over damaged checkpoints, reporting each, to the next older one; not over
        one that cannot be read just now.

        Raises:
            GanlabError: there is no such checkpoint, it is damaged, or it cannot be read.
        """
        if which == "last":
            return self._load_last()
        if which == "best":
            step = self.best
            if step is None:
                raise GanlabError(f"{self._layout.root} has no best checkpoint yet; {self._existing()}")
        else:
            step = which
        if step not in self.steps:
            raise GanlabError(self._no_such_step(step))
        return read_checkpoint(self._layout.checkpoint(step))

    def _load_last(self) -> Checkpoint:
        candidates = [step for step in self.steps if self.last is None or step <= self.last]
        for step in reversed(candidates):
            try:
                return read_checkpoint(self._layout.checkpoint(step))
            except DamagedCheckpointError as error:
                self._report(f"{error}; trying the one before it")
        if candidates:
            raise GanlabError(f"every checkpoint in {self._layout.checkpoints} is damaged")
        raise GanlabError(f"{self._layout.root} has no checkpoint yet")

    def _remove_old(self, last: int) -> None:
        past = [step for step in self.steps if step <= last]
        newest = [step for step in past if is_regular(self._layout.checkpoint(step))][-self._keep :]
        for step in self.steps:
            if step not in (*newest, last, self.best):
                shutil.rmtree(self._layout.checkpoint(step).root, ignore_errors=True)

    def _existing(self) -> str:
        steps = self.steps
        if not steps:
            return "there are none at all"
        return f"there {'is step' if len(steps) == 1 else 'are steps'} {', '.join(map(str, steps))}"

    def _no_such_step(self, step: int) -> str:
        return f"{self._layout.root} has no checkpoint of step {step}; {self._existing()}"


def _move_into_place(written: CheckpointLayout) -> None:
    if written.root.exists():
        written.root.rename(written.replaced.root)
    written.being_written.root.rename(written.root)
    fsync_path(written.root.parent)


def _read_pointer(path: Path) -> int | None:
    with explained(f"cannot read {path}"):
        if not path.exists():
            return None
        return checkpoint_step(path.read_text(encoding="utf-8", errors="replace").strip())
