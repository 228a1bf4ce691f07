"""What a run's files say of its metrics, its images and its time."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from ganlab import tags
from ganlab.errors import GanlabError
from ganlab.metrics import Direction, features_text
from ganlab.runs.evaluation_directory import LaterEvaluation
from ganlab.runs.reading import Run

__all__ = ["Moment", "Protocol", "Reading", "Readings"]

Moment: TypeAlias = Literal["last", "best"] | int
"""Which of a run's measurements counts: its last, that of its best checkpoint, or that of a step."""


@dataclass(frozen=True)
class Protocol:
    """What has to be the same for two numbers to be comparable.

    Attributes:
        features: name of the extractor, with its preprocessing.
        fingerprint: hex digest of all that decides the features.
        n_real: real samples.
        n_fake: generated samples.
        n_heldout: held-out real samples behind the floor, which alone may differ.
        procedure: hex digest of the evaluator's name and options; empty where it was not recorded.
        data: hex digest of the real samples and of which of them are held out, likewise; experiments may
            hold out others.
    """

    features: str
    fingerprint: str
    n_real: int
    n_fake: int
    n_heldout: int
    procedure: str = ""
    data: str = ""

    def is_on_a_curve_with(self, other: Protocol) -> bool:
        """Return whether two numbers of one run are of one kind, as far as is known."""
        procedures, data = {self.procedure, other.procedure} - {""}, {self.data, other.data} - {""}
        return (
            replace(self, procedure="", data="") == replace(other, procedure="", data="")
            and max(len(procedures), len(data)) <= 1
        )


@dataclass(frozen=True)
class Reading:
    """One metric of a run after one step.

    Attributes:
        step: completed steps.
        time: seconds since the epoch.
        value: any number, finite or not.
        error: the estimator's standard error, where it has one.
        floor: the same number for held-out real samples, where there are any.
        floor_error: its standard error, where it has one.
        better: which way is better, where one is.
        protocol: what it was measured by.
        evaluation: what was measured with it after training; `None` of what was measured while training.
    """

    step: int
    time: float
    value: float
    error: float | None
    floor: float | None
    floor_error: float | None
    better: Direction | None
    protocol: Protocol
    evaluation: LaterEvaluation | None = None


class Readings:
    """Reads a run's numbers once.

    Args:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def metrics(self) -> Mapping[str, Sequence[Reading]]:
        """Every metric by `label.metric`, in order of steps; of two measurements of a step the later.

        What was measured after training counts where the metric was not measured while training.
        """
        measured = _by_metric(_named(line) for line in self.run.evaluations())
        later = _by_metric(
            self._later(line, evaluation)
            for evaluation in self.run.later_evaluations()
            if not evaluation.other_data
            for line in evaluation.lines
        )
        return measured | {name: readings for name, readings in later.items() if name not in measured}

    @cached_property
    def of_other_data(self) -> Collection[str]:
        """Metrics, as `label.metric`, that were measured only after training and on other data."""
        measured = (evaluation.lines for evaluation in self.run.later_evaluations() if evaluation.other_data)
        return {_name(line) for lines in measured for line in lines} - set(self.metrics)

    @cached_property
    def environment(self) -> Mapping[str, Any]:
        """The machine and the versions; empty where they cannot be read."""
        try:
            return self.run.environment()
        except GanlabError:
            return {}

    @cached_property
    def dataset(self) -> Mapping[str, Any]:
        """The dataset's table."""
        table = self.run.experiment().get("dataset", {})
        return table if isinstance(table, dict) else {}

    def at(self, metric: str, moment: Moment) -> Reading | None:
        """Return the reading that counts; `None` where there is none, or it is not finite."""
        readings = self.metrics.get(metric, ())
        if moment == "last":
            chosen = readings[-1] if readings else None
            if chosen is not None and chosen.evaluation is not None and chosen.step != self.run.state.step:
                chosen = None  # somebody chose the checkpoint, and by default it is the best
        else:
            best = self.run.state.best
            step = (None if best is None else best.step) if moment == "best" else moment
            chosen = next((reading for reading in readings if reading.step == step), None)
        return chosen if chosen is not None and math.isfinite(chosen.value) else None

    def images(self, step: float) -> float | None:
        """Return the images seen by a step; `None` before anything was logged."""
        return self._progress(tags.IMAGES, step)

    def turns(self, player: str, step: float) -> float | None:
        """Return a player's turns by a step; `None` where there was no such player."""
        return self._progress(tags.updates(player), step)

    def hours(self, time: float | None = None) -> float:
        """Return the hours that the run worked, up to a moment in seconds since the epoch."""
        return self.run.seconds_worked(time) / 3600

    def _later(self, line: Mapping[str, Any], evaluation: LaterEvaluation) -> tuple[str, Reading]:
        """Return a reading that was made after training, with the time at which training had come so far."""
        name, reading = _named(line)
        steps, times = ([float(each[key]) for each in self._scalars] for key in ("step", "time"))
        time = float(np.interp(reading.step, steps, times)) if steps else reading.time
        return name, replace(reading, time=time, evaluation=evaluation)

    @cached_property
    def _scalars(self) -> Sequence[Mapping[str, Any]]:
        return self.run.metrics()

    def _progress(self, tag: str, step: float) -> float | None:
        logged = [(float(line["step"]), float(line[tag])) for line in self._scalars if tag in line]
        if not logged:
            return None
        # Each step adds as much as the others, so what lies between log points is known.
        steps, numbers = zip((0.0, 0.0), *logged, strict=True)
        if step > steps[-1]:
            return float(numbers[-1] / steps[-1] * step) if steps[-1] else None
        return float(np.interp(step, steps, numbers))


def _by_metric(readings: Iterable[tuple[str, Reading]]) -> dict[str, list[Reading]]:
    found: dict[str, dict[int, Reading]] = {}
    for name, reading in readings:
        found.setdefault(name, {})[reading.step] = reading
    return {name: [steps[step] for step in sorted(steps)] for name, steps in found.items()}


def _named(line: Mapping[str, Any]) -> tuple[str, Reading]:
    return _name(line), _reading(line)


def _name(line: Mapping[str, Any]) -> str:
    return f"{line['evaluator']}.{line['metric']}"


def _reading(line: Mapping[str, Any]) -> Reading:
    features = features_text(line.get("features"), line.get("protocol"))
    n_real, n_fake, n_heldout = (int(line.get(name, 0)) for name in ("n_real", "n_fake", "n_heldout"))
    return Reading(
        step=int(line["step"]),
        time=float(line["time"]),
        value=float(line["value"]),
        error=line.get("standard_error"),
        floor=line.get("floor"),
        floor_error=line.get("floor_standard_error"),
        better=line.get("better"),
        protocol=Protocol(
            features,
            line.get("fingerprint", ""),
            n_real,
            n_fake,
            n_heldout,
            procedure=line.get("procedure", ""),
            data=line.get("data", ""),
        ),
    )
