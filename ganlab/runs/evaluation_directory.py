"""Where measurements go that are made after training: `RUN/evaluate/<UTC time>-<4 hex>/`."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from ganlab.files import explained
from ganlab.runs.jsonl import RecordWriter
from ganlab.runs.layout import RunLayout, tracker_directory

__all__ = ["EvaluationDirectory"]


class EvaluationDirectory:
    """One set of later measurements; it leaves the rest of the run alone.

    Where nothing is measured, for an error or an interruption, the directory goes again.

    Args:
        path: an existing directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._evaluations = path / "evaluations.jsonl"
        self._records = RecordWriter(self._evaluations)

    @classmethod
    def create(cls, run: Path) -> EvaluationDirectory:
        """Make a new one inside a run's directory.

        Raises:
            GanlabError: it cannot be written.
        """
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        path = RunLayout(run).later / name
        with explained(f"cannot write into the run {run}"):
            path.mkdir(parents=True)
        return cls(path)

    @property
    def curves(self) -> Path:
        """Every metric over the checkpoints."""
        return self.path / "curves.png"

    @property
    def pictures(self) -> Path:
        """What the evaluators have to show of the last checkpoint."""
        return self.path / "pictures"

    def tracker(self, label: str) -> Path:
        """Return the directory that belongs to a tracker, by its label."""
        return tracker_directory(self.path, label, {self.pictures.name})

    def write(self, step: int, measurements: Iterable[Mapping[str, Any]]) -> None:
        """Append the measurements of a checkpoint."""
        for measurement in measurements:
            self._records.write(step, measurement)

    def __enter__(self) -> EvaluationDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._records.close()
        if kind is not None and not self._evaluations.stat().st_size:
            shutil.rmtree(self.path, ignore_errors=True)
