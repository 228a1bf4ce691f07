"""A measured number with everything that has to stand beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ganlab import tags
from ganlab.components import Metric
from ganlab.evaluation.evaluator import Estimate
from ganlab.metrics import with_error

__all__ = ["Measurement"]


@dataclass(frozen=True)
class Measurement:
    """One metric of one evaluator at one time.

    Attributes:
        evaluator: the evaluator's label.
        metric: the metric's name and which way is better.
        estimate: the number, generated against real.
        floor: the same number, held-out real against real; `None` if nothing is held out.
        n_real: real samples.
        n_fake: generated samples.
        n_heldout: held-out real samples behind the floor.
        features: name of the feature extractor.
        protocol: name of the extractor's preprocessing; empty where it has only one.
        fingerprint: hex digest of all that decides the features, such as options and weights.
        procedure: hex digest of the evaluator's name and options, and of how many samples it asks for.
        data: hex digest of the real data (its files, how they were prepared), and of what is held out of it.
        batch_size: samples that were extracted at once, which decides the features' last bits.
        warnings: what a reader must know before quoting the number.
        notes: what explains it.
    """

    evaluator: str
    metric: Metric
    estimate: Estimate
    floor: Estimate | None
    n_real: int
    n_fake: int
    n_heldout: int
    features: str
    protocol: str
    fingerprint: str
    batch_size: int
    procedure: str = ""
    data: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """The number itself."""
        return self.estimate.value

    @property
    def standard_error(self) -> float | None:
        """Its standard error; `None` where there is none."""
        return self.estimate.standard_error

    def __str__(self) -> str:
        return with_error(self.value, self.standard_error)

    def tagged(self) -> dict[str, float]:
        """Return the numbers by tag: the value and the floor, each with its standard error."""
        tag = tags.evaluation(self.evaluator, self.metric.name, self.features, self.protocol)
        floor = tag + tags.FLOOR
        numbers = {tag: self.estimate.value, tag + tags.STANDARD_ERROR: self.estimate.standard_error}
        if self.floor is not None:
            numbers |= {floor: self.floor.value, floor + tags.STANDARD_ERROR: self.floor.standard_error}
        return {name: number for name, number in numbers.items() if number is not None}

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as a line of `evaluations.jsonl`, without step and time."""
        return {
            "evaluator": self.evaluator,
            "metric": self.metric.name,
            "better": self.metric.better,
            "value": self.estimate.value,
            "standard_error": self.estimate.standard_error,
            "floor": None if self.floor is None else self.floor.value,
            "floor_standard_error": None if self.floor is None else self.floor.standard_error,
            "n_real": self.n_real,
            "n_fake": self.n_fake,
            "n_heldout": self.n_heldout,
            "features": self.features,
            "protocol": self.protocol,
            "fingerprint": self.fingerprint,
            "procedure": self.procedure,
            "data": self.data,
            "batch_size": self.batch_size,
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }
