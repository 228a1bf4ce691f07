"""What a tracker component builds: where scalars, images and text go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganlab.components import Metric

__all__ = ["RunInfo", "Tracker"]


@dataclass(frozen=True)
class RunInfo:
    """What a tracker is told about the run it follows.

    Attributes:
        id: the run's name, unique under its title.
        title: the experiment's title.
        directory: a directory that is the tracker's own, inside the run.
        experiment: the resolved experiment as nested tables.
        step: the step that this session starts after; 0 in a new run.
        metrics: what each evaluator measures, by the evaluator's label.
    """

    id: str
    title: str
    directory: Path
    experiment: Mapping[str, Any]
    step: int = 0
    metrics: Mapping[str, Sequence[Metric]] = field(default_factory=dict)


class Tracker(ABC):
    """Receives what a run reports. Called from one thread, in order of steps."""

    @abstractmethod
    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Record values by tag; a value may be infinite or NaN."""

    @abstractmethod
    def image(self, tag: str, image: NDArray[np.uint8], step: int) -> None:
        """Record one picture, `(H, W, 1 or 3)` uint8."""

    @abstractmethod
    def text(self, tag: str, markdown: str, step: int) -> None:
        """Record a text."""

    def flush(self) -> None:  # noqa: B027 (optional for a tracker)
        """Make everything recorded so far visible to readers."""

    def mark(self) -> Mapping[str, Any]:
        """Return where the record stands, when all of it has reached the disk.

        Called for every checkpoint, which keeps it: numbers, strings, lists and dicts.
        """
        return {}

    def rewind(self, mark: Mapping[str, Any] | None, step: int) -> None:  # noqa: B027 (optional for a tracker)
        """Drop what was recorded after a mark was taken: it will be recorded again.

        Called before anything else where a run is taken up again. A process may die in the
        middle of it, and the next one then rewinds to the same mark, or an older one.

        Args:
            mark: what `mark` returned; `None` is the very beginning.
            step: the step that the session starts after.
        """

    def close(self, status: str, metrics: Mapping[str, float]) -> None:  # noqa: B027 (optional for a tracker)
        """End: `status` is the run's (`completed`, `diverged`, …), `metrics` its last evaluation."""
