"""Checkpoints that are either whole or not there, and that are checked before they are believed."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganlab.errors import GanlabError
from ganlab.runs.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from ganlab.runs.files import explained, fsync_path, write_atomically

if TYPE_CHECKING:
    import torch

    from ganlab.components import SampleSpec

__all__ = ["Checkpoints"]

_NAME = re.compile(r"step-(\d+)")
_TEMPORARY = ".writing-"
_REPLACED = ".replaced-"


class Checkpoints:
    """The checkpoints of one run: `checkpoints/step-00001000/`, and the pointers LAST and BEST.

    LAST says where the run stands: a checkpoint of a later step than it was left by a
    past that a resume has abandoned.

    Args:
        run: the run directory.
        keep: newest checkpoints kept, beside the best.
        report: is told of damaged checkpoints that are passed over.
    """

    def __init__(self, run: Path, keep: int = 3, report: Callable[[str], None] | None = None) -> None:
        self._directory = run / "checkpoints"
        self._last = run / "LAST"
        self._best = run / "BEST"
        self._keep = keep
        self._report = report or _print_warning

    @property
    def steps(self) -> list[int]:
        """Steps that have a checkpoint, the oldest first."""
        if not self._directory.is_dir():
            return []
        matches = (_NAME.fullmatch(entry.name) for entry in self._directory.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    @property
    def last(self) -> int | None:
        """The step at which the run stands."""
        return _read_pointer(self._last)

    @property
    def best(self) -> int | None:
        """The step of the best checkpoint."""
        return _read_pointer(self._best)

    def save(
        self,
        step: int,
        state: Mapping[str, Any],
        generator: Mapping[str, torch.Tensor],
        ema: Mapping[str, torch.Tensor] | None = None,
        *,
        spec: SampleSpec | None = None,
    ) -> Path:
        """Write a checkpoint, point LAST at it, and only then remove old ones.

        Args:
            step: the step after which this is the state.
            state: all that a resume needs, as tensors, numbers, strings, lists, tuples and dicts.
            generator: the generator's weights.
            ema: its averaged weights.
            spec: what the generator makes, so that sampling needs no dataset.

        Returns:
            The checkpoint's directory.

        Raises:
            GanlabError: it cannot be written; earlier checkpoints are as they were.
        """
        final = self._path(step)
        temporary = self._directory / f"{_TEMPORARY}{final.name}"
        with explained(f"cannot write the checkpoint {final}"):
            self._directory.mkdir(parents=True, exist_ok=True)
            self._remove_leftovers()
            try:
                write_checkpoint(temporary, step, state, generator, ema, spec)
                _move_into_place(temporary, final)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            write_atomically(self._last, final.name + "\n")
            self._remove_leftovers()
            self._remove_old(step)
        return final

    def mark_best(self, step: int) -> None:
        """Point BEST at a checkpoint that was saved; the one before it may then be removed."""
        if step not in self.steps:
            raise GanlabError(self._no_such_step(step))
        with explained(f"cannot write {self._best}"):
            write_atomically(self._best, self._path(step).name + "\n")
            self._remove_old(self.last if self.last is not None else step)

    def load(self, which: Literal["last", "best"] | int = "last") -> Checkpoint:
        """Return a checkpoint whose files are as they were written.

        `last` passes over damaged checkpoints, reporting each, to the next older one.

        Raises:
            GanlabError: there is no such checkpoint, or it is damaged.
        """
        if which == "last":
            return self._load_last()
        if which == "best":
            step = self.best
            if step is None:
                raise GanlabError(f"{self._directory.parent} has no best checkpoint yet; {self._existing()}")
        else:
            step = which
        if step not in self.steps:
            raise GanlabError(self._no_such_step(step))
        return read_checkpoint(self._path(step))

    def _load_last(self) -> Checkpoint:
        candidates = [step for step in self.steps if self.last is None or step <= self.last]
        for step in reversed(candidates):
            try:
                return read_checkpoint(self._path(step))
            except GanlabError as error:
                self._report(f"{error}; trying the one before it")
        if candidates:
            raise GanlabError(f"every checkpoint in {self._directory} is damaged")
        raise GanlabError(f"{self._directory.parent} has no checkpoint yet")

    def _path(self, step: int) -> Path:
        for entry in self._directory.glob(f"step-*{step}"):
            match = _NAME.fullmatch(entry.name)
            if match and int(match[1]) == step:
                return entry
        return self._directory / f"step-{step:08d}"

    def _remove_old(self, last: int) -> None:
        newest = [step for step in self.steps if step <= last][-self._keep :]
        for step in self.steps:
            if step not in newest and step != self.best:
                shutil.rmtree(self._path(step), ignore_errors=True)

    def _remove_leftovers(self) -> None:
        for entry in self._directory.iterdir():
            if entry.name.startswith((_TEMPORARY, _REPLACED)):
                shutil.rmtree(entry, ignore_errors=True)

    def _existing(self) -> str:
        steps = self.steps
        return f"there are steps {', '.join(map(str, steps))}" if steps else "there are none at all"

    def _no_such_step(self, step: int) -> str:
        return f"{self._directory.parent} has no checkpoint of step {step}; {self._existing()}"


def _move_into_place(temporary: Path, final: Path) -> None:
    if final.exists():
        final.rename(final.with_name(_REPLACED + final.name))
    temporary.rename(final)
    fsync_path(final.parent)


def _read_pointer(path: Path) -> int | None:
    try:
        match = _NAME.fullmatch(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return None
    return int(match[1]) if match else None


def _print_warning(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)
