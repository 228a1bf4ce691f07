"""Where measurements go that are made after training: `RUN/evaluate/<UTC time>-<4 hex>/`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ganlab.files import explained
from ganlab.runs.jsonl import JsonLinesWriter
from ganlab.runs.layout import EvaluationLayout, RunLayout, dated_name

__all__ = ["EvaluationDirectory"]


class EvaluationDirectory:
    """One set of later measurements; it leaves the rest of the run alone.

    Where nothing is measured, for an error or an interruption, the directory goes again.

    Args:
        layout: where the files of an existing directory are.

    Attributes:
        layout: where things are inside.
    """

    def __init__(self, layout: EvaluationLayout) -> None:
        self.layout = layout
        self._lines = JsonLinesWriter(layout.evaluations)

    @classmethod
    def create(cls, run: Path) -> EvaluationDirectory:
        """Make a new one inside a run's directory.

        Raises:
            GanlabError: it cannot be written.
        """
        layout = RunLayout(run).evaluation(dated_name())
        with explained(f"cannot write into the run {run}"):
            layout.root.mkdir(parents=True)
        return cls(layout)

    def write(self, step: int, measurements: Iterable[Mapping[str, Any]]) -> None:
        """Append the measurements of a checkpoint."""
        for measurement in measurements:
            self._lines.write(step, measurement)

    def __enter__(self) -> EvaluationDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()
        if kind is not None and not self.layout.evaluations.stat().st_size:
            shutil.rmtree(self.layout.root, ignore_errors=True)
