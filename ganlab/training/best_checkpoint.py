"""Which checkpoint of a run is the best, by the metric that the experiment chooses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ganlab.config.experiment import BestMetric
from ganlab.descriptions import described
from ganlab.evaluation.measurement import Measurement
from ganlab.metrics import badness
from ganlab.runs.state import Best

__all__ = ["BestCheckpoint"]


class BestCheckpoint:
    """The best checkpoint so far.

    Args:
        chosen: the metric that chooses it; without one there is never a best.

    Attributes:
        best: its step and value; `None` before the first.
    """

    def __init__(self, chosen: BestMetric | None) -> None:
        self.best: Best | None = None
        self._chosen = chosen

    def measured_by(self, measurements: Sequence[Measurement]) -> Measurement | None:
        """Return the measurement that chooses; `None` where it is not among them."""
        if self._chosen is None:
            return None
        wanted = (self._chosen.label, self._chosen.metric)
        return next((each for each in measurements if (each.evaluator, each.metric) == wanted), None)

    def improve(self, step: int, measurements: Sequence[Measurement]) -> Best | None:
        """Take a step's measurements into account; return the best if it is that step's now."""
        measured = self.measured_by(measurements)
        if measured is None or not math.isfinite(measured.value):
            return None
        if self.best is not None and not _comparable(self.best, measured):
            self.best = None
        better = measured.metric.better
        if self.best is not None and badness(measured.value, better) >= badness(self.best.value, better):
            return None
        self.best = Best(
            step, self._name, measured.value, measured.fingerprint, measured.procedure, measured.data
        )
        return self.best

    def state_dict(self) -> dict[str, Any] | None:
        """Return the best as plain values."""
        return None if self.best is None else asdict(self.best)

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Restore what `state_dict` returned, unless another metric chooses now.

        Earlier versions took the weights before the first step for the best, too; that is forgotten.
        """
        best = None if state is None else described(Best, state)
        self.best = best if best is not None and best.metric == self._name and best.step else None

    @property
    def _name(self) -> str:
        return f"{self._chosen.label}.{self._chosen.metric.name}" if self._chosen else ""


def _comparable(best: Best, measured: Measurement) -> bool:
    """Return whether both are of the same features, by the same procedure, against the same real samples.

    What earlier versions left unsaid counts as the same.
    """
    return (
        best.fingerprint in ("", measured.fingerprint)
        and best.procedure in ("", measured.procedure)
        and best.data in ("", measured.data)
    )
