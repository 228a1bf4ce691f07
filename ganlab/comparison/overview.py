"""Runs at a glance, those of one experiment together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganlab.comparison.experiments import keys_of
from ganlab.comparison.readings import Reading, Readings
from ganlab.errors import GanlabError
from ganlab.kinds import KINDS
from ganlab.metrics import badness
from ganlab.runs.reading import Run

__all__ = ["Entry", "entries", "grouped"]


@dataclass(frozen=True)
class Entry:
    """A run at a glance.

    Attributes:
        run: the run.
        group: a number that runs of one experiment share, whatever their seeds.
        seed: the experiment's; `None` where that cannot be read, as all that follows is empty then.
        networks: names of the components by kind.
        losses: labels of the losses.
        hours: of work.
        best: how the best checkpoint was measured; `None` where there is none.
    """

    run: Run
    group: int
    seed: int | None
    networks: Mapping[str, str]
    losses: tuple[str, ...]
    hours: float
    best: Reading | None

    @property
    def merit(self) -> tuple[str, float]:
        """What the best are sorted by: their metric, and how good it is, the best first."""
        best = self.run.state.best
        if best is None or not math.isfinite(best.value):
            return ("\N{REPLACEMENT CHARACTER}", 0.0)
        return (best.metric, badness(best.value, self.best.better if self.best else None))


def entries(runs: Sequence[Run]) -> list[Entry]:
    """Return runs at a glance, in the order in which they come; whatever of them cannot be read is empty."""
    known: list[tuple[str, dict[str, Any]]] = []
    return [_entry(run, known) for run in runs]


def grouped(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the entries of each experiment together, experiments and runs in the order of the entries."""
    groups: dict[int, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
    return list(groups.values())


def _entry(run: Run, known: list[tuple[str, dict[str, Any]]]) -> Entry:
    tables: dict[str, Any] = {}
    what: tuple[str, dict[str, Any]] = (run.state.title, {})
    try:
        tables = run.experiment()
        what = (run.state.title, keys_of(run, tables))
    except GanlabError:
        what = (str(run.path), {})  # a group of its own
    if what not in known:
        known.append(what)
    return Entry(
        run=run,
        group=known.index(what),
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
