"""Runs at a glance, those of one experiment together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ganlab.comparison.experiments import Group, keys_of, named, newest_by_seed
from ganlab.comparison.readings import Reading, Readings
from ganlab.comparison.statistics import Summary, Value, summarise
from ganlab.errors import GanlabError
from ganlab.kinds import KINDS
from ganlab.metrics import badness
from ganlab.runs.reading import Run

__all__ = ["Entry", "ExperimentEntry", "entries", "grouped"]


@dataclass(frozen=True)
class Entry:
    """A run at a glance.

    Attributes:
        run: the run.
        group: a number that runs of one experiment share, whatever their seeds.
        seed: the experiment's seed; `None` where the experiment cannot be read, and then all that follows
            is empty.
        networks: names of the components by kind.
        losses: labels of the losses.
        hours: how long it worked.
        best: how the best checkpoint was measured; `None` where there is none.
        name: the experiment's title, with what tells it apart where others of the runs have that, too.
    """

    run: Run
    group: int
    seed: int | None
    networks: Mapping[str, str]
    losses: tuple[str, ...]
    hours: float
    best: Reading | None
    name: str = ""

    @property
    def merit(self) -> tuple[str, float]:
        """What the best are sorted by: their metric, and how good it is, the best first."""
        best = self.run.state.best
        if best is None or not math.isfinite(best.value):
            return ("\N{REPLACEMENT CHARACTER}", 0.0)
        return (best.metric, badness(best.value, self.best.better if self.best else None))


@dataclass(frozen=True)
class ExperimentEntry:
    """An experiment at a glance.

    Attributes:
        entries: its runs, at least one, whatever their seeds.
    """

    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        """A run, for what all of them have in common."""
        return self.entries[0]

    @property
    def statuses(self) -> Mapping[str, int]:
        """How many runs have each status."""
        return Counter(entry.run.state.status for entry in self.entries)

    @property
    def hours(self) -> float:
        """Hours of work on all runs."""
        return sum(entry.hours for entry in self.entries)

    @property
    def best_metric(self) -> str | None:
        """The metric that chose the best checkpoint of every run that has one; `None` where they differ."""
        return _only({entry.run.state.best.metric for entry in self.entries if entry.run.state.best})

    @property
    def mean(self) -> tuple[str, Summary] | None:
        """The metric of the finite best values, and their mean over seeds; `None` where metrics differ.

        Of a seed the newest run counts, as where experiments are compared.
        """
        runs = newest_by_seed((entry.seed or 0, entry.run) for entry in self.entries)
        bests = {seed: run.state.best for seed, run in runs.items()}
        finite = {seed: best for seed, best in bests.items() if best and math.isfinite(best.value)}
        metric = _only({best.metric for best in finite.values()})
        if metric is None:
            return None
        return metric, summarise({seed: Value(best.value) for seed, best in finite.items()})


def entries(runs: Sequence[Run]) -> list[Entry]:
    """Return runs at a glance, in the order in which they come; whatever of them cannot be read is empty."""
    known: list[Group] = []
    found = [_entry(run, known) for run in runs]
    names = [group.name for group in named(known)]
    return [
        replace(entry, name=entry.run.state.title if entry.seed is None else names[entry.group])
        for entry in found
    ]


def grouped(entries: Sequence[Entry]) -> list[ExperimentEntry]:
    """Return the experiments of entries, both in the order of the entries."""
    groups: dict[int, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
    return [ExperimentEntry(tuple(group)) for group in groups.values()]


def _entry(run: Run, known: list[Group]) -> Entry:
    try:
        tables = dict(run.experiment())
        what = (run.state.title, keys_of(run, tables))
    except GanlabError:
        tables, what = {}, (str(run.path), {})  # a group of its own
    group = next((i for i, each in enumerate(known) if (each.title, each.keys) == what), len(known))
    if group == len(known):
        known.append(Group(*what, {0: run}))
    return Entry(
        run=run,
        group=group,
        seed=tables.get("seed"),
        networks={
            kind: str(tables[kind]["name"])
            for kind in ("generator", "discriminator", "encoder")
            if kind in KINDS and "name" in tables.get(kind, {})
        },
        losses=tuple(str(loss.get("label") or loss.get("name")) for loss in tables.get("losses", ())),
        hours=run.seconds_worked() / 3600,
        best=_best(run),
    )


def _best(run: Run) -> Reading | None:
    best = run.state.best
    if best is None:
        return None
    try:
        return Readings(run).at(best.metric, best.step)
    except (GanlabError, KeyError, ValueError, TypeError):
        return None


def _only(metrics: set[str]) -> str | None:
    return next(iter(metrics)) if len(metrics) == 1 else None
