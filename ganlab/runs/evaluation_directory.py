"""Where measurements go that are made after training: `RUN/evaluate/<UTC time>-<4 hex>/`."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ganlab.descriptions import read_description
from ganlab.errors import GanlabError
from ganlab.files import explained, write_atomically
from ganlab.runs.encoding import to_json
from ganlab.runs.jsonl import JsonLinesWriter, read_lines
from ganlab.runs.layout import EvaluationLayout, RunLayout, dated_name

__all__ = ["EvaluationDirectory", "LaterEvaluation", "later_evaluations"]


@dataclasses.dataclass(frozen=True)
class LaterEvaluation:
    """What was measured after training, and how.

    Attributes:
        other_data: whether that was on other data than the run was trained on, or other samples of it
            were held out.
        evaluators: the whole table of each evaluator, by its label.
        files: local plugin files that each evaluator is from, by its label: name and hex digest.
        lines: the measurements, each with `step` and `time`.
    """

    other_data: bool
    evaluators: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Mapping[str, str]]
    lines: tuple[Mapping[str, Any], ...] = ()


def later_evaluations(run: Path) -> list[LaterEvaluation]:
    """Return what was measured after a run was trained, the earliest first.

    Versions that did not yet write down how they measured are passed over.

    Raises:
        GanlabError: a file is damaged.
    """
    found = []
    for layout in RunLayout(run).evaluations_later:
        if layout.description.is_file():
            with explained(f"cannot read {layout.description}"):
                content = layout.description.read_bytes()
            try:
                described = read_description(LaterEvaluation, content)
            except ValueError as error:
                raise GanlabError(
                    f"{layout.description} is damaged: {error}; remove {layout.root}, and measure again"
                ) from error
            found.append(dataclasses.replace(described, lines=tuple(read_lines(layout.evaluations))))
    return found


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
    def create(cls, run: Path, evaluation: LaterEvaluation) -> EvaluationDirectory:
        """Make a new one inside a run's directory.

        Args:
            run: the run's directory.
            evaluation: what is about to be measured; its lines come by `write`.

        Raises:
            GanlabError: it cannot be written.
        """
        layout = RunLayout(run).evaluation(dated_name())
        with explained(f"cannot write into the run {run}"):
            layout.root.mkdir(parents=True)
            described = dataclasses.asdict(evaluation)
            del described["lines"]
            write_atomically(layout.description, to_json(described, indent=2) + "\n")
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
