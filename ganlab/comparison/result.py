"""What a comparison found: values, tests, curves and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganlab.comparison.experiments import DifferingKey, Group
from ganlab.comparison.fairness import Condition
from ganlab.comparison.readings import Moment
from ganlab.comparison.statistics import Summary, Test, Value
from ganlab.metrics import Direction

__all__ = ["ComparedMetric", "ComparedPair", "Comparison", "Cost", "Measured", "Point"]


@dataclass(frozen=True)
class Point:
    """A measurement of a run, over all that it may be drawn against."""

    step: int
    images: float | None
    hours: float
    value: float


@dataclass(frozen=True)
class Measured:
    """A metric of one experiment.

    Attributes:
        summary: over its seeds.
        values: by seed.
        floor: mean over the runs; `None` where nothing was held out.
        steps: at which the values were measured.
        curves: by seed, all that was measured while training.
    """

    summary: Summary
    values: Mapping[int, Value]
    floor: float | None
    steps: tuple[int, ...]
    curves: Mapping[int, tuple[Point, ...]]


@dataclass(frozen=True)
class ComparedPair:
    """A metric of two experiments, tested.

    Attributes:
        first: which experiment, counted from 0.
        second: against which.
        test: the first against the second.
        adjusted: p-value for as many tests as there are (Holm); `None` without a test.
    """

    first: int
    second: int
    test: Test
    adjusted: float | None


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of all experiments.

    Attributes:
        name: as `label.metric`.
        better: which way is better; without one no pairs are tested.
        features: what it looks through.
        measured: what was measured of each experiment.
        pairs: of experiments, each tested.
    """

    name: str
    better: Direction | None
    features: str
    measured: tuple[Measured, ...]
    pairs: tuple[ComparedPair, ...]


@dataclass(frozen=True)
class Cost:
    """What an experiment takes, a mean over its runs.

    Attributes:
        parameters: of each network; empty where they were not recorded.
        steps: completed.
        images: seen; `None` where nothing was logged.
        hours: how long the runs worked.
    """

    parameters: Mapping[str, int]
    steps: float
    images: float | None
    hours: float


@dataclass(frozen=True)
class Comparison:
    """All that is to be said of some experiments.

    Attributes:
        groups: the experiments, by what of their runs is compared.
        moment: which measurements count.
        differing: what differs between the experiments.
        fairness: what they were given.
        costs: what each takes.
        metrics: what was measured of all of them.
        tests: how many the p-values are adjusted for.
        pictures: for each seed that all have, each experiment's picture of the same latents.
        same_latents: whether they are the same, seed by seed.
        notes: what a reader must know beside.
    """

    groups: tuple[Group, ...]
    moment: Moment
    differing: tuple[DifferingKey, ...]
    fairness: tuple[Condition, ...]
    costs: tuple[Cost, ...]
    metrics: tuple[ComparedMetric, ...]
    tests: int
    pictures: Mapping[int, tuple[Path | None, ...]]
    same_latents: bool
    notes: tuple[str, ...]
