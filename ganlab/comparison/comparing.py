"""Experiments held against each other, seed by seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from ganlab.comparison.experiments import Group, told_apart, what_differs
from ganlab.comparison.fairness import conditions, require_same_data, require_same_protocol
from ganlab.comparison.readings import Moment, Reading, Readings
from ganlab.comparison.result import ComparedMetric, ComparedPair, Comparison, Cost, Measured, Point
from ganlab.comparison.statistics import SIGNIFICANT, Value, adjust, compare_values, summarise
from ganlab.errors import UsageError
from ganlab.registry.suggest import did_you_mean
from ganlab.words import counted

__all__ = ["compare"]

_PICTURES = ("fixed_ema", "fixed")
"""Pictures of latents that never change: of the averaged generator; of the raw one where there is none."""

_OTHERS_NAMED = 3
"""Experiments of the same title that are named where they are left out."""


def compare(
    groups: Sequence[Group],
    *,
    moment: Moment = "last",
    wanted: Sequence[str] = (),
    all_pairs: bool = False,
    others: Sequence[Group] = (),
) -> Comparison:
    """Hold experiments against each other.

    Args:
        groups: at least one; the others are tested against the first.
        moment: which measurements count.
        wanted: metrics as `label` or `label.metric`; all that all experiments have if empty.
        all_pairs: test every experiment against every other.
        others: experiments that are left out; a note names those that share a title with one of `groups`.

    Raises:
        UsageError: they cannot be compared, or nothing is left to compare.
    """
    groups, notes = _usable(groups, moment)
    notes += [note for group in groups for note in _others(group, others)]
    readers = [{seed: Readings(run) for seed, run in group.runs.items()} for group in groups]
    require_same_data(groups)
    names = _metrics(groups, readers, moment, wanted, notes)
    pairs = list(combinations(range(len(groups)), 2))
    if not all_pairs:
        pairs = [pair for pair in pairs if pair[0] == 0]
    metrics = [_metric(name, groups, readers, moment, pairs, notes) for name in names]
    metrics, tests = _adjusted(metrics)
    notes += _cautions(metrics, moment, tests)
    shared = _shared_seeds(groups)
    return Comparison(
        groups=tuple(groups),
        moment=moment,
        differing=tuple(what_differs(groups)),
        fairness=tuple(conditions(groups, readers, moment)),
        costs=tuple(_cost(list(of_group.values()), moment) for of_group in readers),
        metrics=tuple(metrics),
        tests=tests,
        pictures={
            seed: tuple(_picture(of_group[seed], moment) for of_group in readers)
            for seed in shared
            if any(_picture(of_group[seed], moment) for of_group in readers)
        },
        same_latents=_have_same_latents(groups),
        notes=tuple(notes),
    )


def _usable(groups: Sequence[Group], moment: Moment) -> tuple[list[Group], list[str]]:
    """Return the experiments with the runs that count, and what is to be said of the others."""
    usable, notes = [], []
    for group in groups:
        notes += [
            f"{group.name}: {run.state.id} is left out, since a newer run has the same seed"
            for run in group.superseded
        ]
        runs = {}
        for seed, run in group.runs.items():
            state = run.state
            if isinstance(moment, int) or state.status == "completed":
                runs[seed] = run
            else:
                notes.append(
                    f"{group.name}: seed {seed} is left out, since it is {state.status} at step "
                    f"{state.step:,} of {state.steps:,}"
                    + ("; the others are those that went well" if state.status == "diverged" else "")
                )
        if not runs:
            raise UsageError(
                f"{group.name} has no completed run; `--at STEP` compares unfinished ones at a step that "
                "all have reached"
            )
        usable.append(dataclasses.replace(group, runs=runs))
    return usable, notes


def _others(group: Group, others: Sequence[Group]) -> list[str]:
    """Return what is to be said of runs that share an experiment's title and are no part of it."""
    apart = [
        (len(other.runs) + len(other.superseded), told_apart(differing, 1))
        for other in others
        if other.title == group.title and (differing := what_differs([group, other]))
    ]
    notes = [
        f"{group.name}: "
        + (f"{count} other runs of this title have" if count > 1 else "another run of this title has")
        + f" {settings}, and {'are' if count > 1 else 'is'} not part of it"
        for count, settings in apart[:_OTHERS_NAMED]
    ]
    if more := sum(count for count, _ in apart[_OTHERS_NAMED:]):
        have = "has" if more == 1 else "have"
        notes.append(f"{group.name}: {counted(more, 'more run')} of this title {have} other keys")
    return notes


def _metrics(
    groups: Sequence[Group],
    readers: Sequence[Mapping[int, Readings]],
    moment: Moment,
    wanted: Sequence[str],
    notes: list[str],
) -> list[str]:
    """Return the names of the metrics to compare."""
    measured = [
        dict.fromkeys(
            name for reader in of_group.values() for name in reader.metrics if reader.at(name, moment)
        )
        for of_group in readers
    ]
    known = list(dict.fromkeys(name for of_group in measured for name in of_group))
    elsewhere = [
        f"{group.name}: {text}"
        for group, of_group in zip(groups, readers, strict=True)
        for metric, text in _elsewhere(list(of_group.values()), moment).items()
        if not wanted or any(_is_meant(each, metric) for each in wanted)
    ]
    for name in wanted:
        if not any(_is_meant(name, metric) for metric in known):
            hint = did_you_mean(name, known) or f"there are {', '.join(known) or 'none'}"
            raise UsageError(f"--metric is {name!r}, which was not measured; {hint}{_indented(elsewhere)}")
    notes += elsewhere
    chosen = [name for name in known if not wanted or any(_is_meant(each, name) for each in wanted)]
    common = [name for name in chosen if all(name in of_group for of_group in measured)]
    for name in chosen:
        lacking = [
            group.name for group, of_group in zip(groups, measured, strict=True) if name not in of_group
        ]
        if lacking and len(lacking) < len(groups):
            notes.append(f"{name} is left out, since it was not measured of {', '.join(lacking)}")
    if not common:
        where = {"last": "", "best": " at the best checkpoints"}.get(str(moment), f" at step {moment}")
        raise UsageError(f"no metric was measured of all of the experiments{where}{_indented(elsewhere)}")
    return common


def _elsewhere(readers: Sequence[Readings], moment: Moment) -> dict[str, str]:
    """Return the metrics of an experiment that were measured after training, but not so that it counts.

    Each with what is to be said of it.
    """
    said = {
        name: f"{name} was measured after training on other data than the run's, which does not count"
        for reader in readers
        for name in reader.of_other_data
    }
    if moment != "last":
        return said
    for reader in readers:
        for name, readings in reader.metrics.items():
            if readings[-1].evaluation is not None and readings[-1].step != reader.run.state.step:
                said[name] = (
                    f"{name} was measured after training of step {readings[-1].step:,}, and not of the last, "
                    f"{reader.run.state.step:,}: `ganlab evaluate RUN --checkpoint last --evaluator "
                    f"{name.rpartition('.')[0]}`, or compare --at best or that step"
                )
    return said


def _indented(lines: Sequence[str]) -> str:
    return "".join(f"\n    {line}" for line in lines)


def _is_meant(wanted: str, metric: str) -> bool:
    return wanted in (metric, metric.rpartition(".")[0])


def _metric(
    name: str,
    groups: Sequence[Group],
    readers: Sequence[Mapping[int, Readings]],
    moment: Moment,
    pairs: Sequence[tuple[int, int]],
    notes: list[str],
) -> ComparedMetric:
    counted: list[dict[int, Reading]] = []
    for group, of_group in zip(groups, readers, strict=True):
        found = {seed: reader.at(name, moment) for seed, reader in of_group.items()}
        missing = [str(seed) for seed, reading in found.items() if reading is None]
        if missing:
            notes.append(f"{group.name}: {name} has no finite value of seed {', '.join(missing)}")
        counted.append({seed: reading for seed, reading in found.items() if reading is not None})
    after = [
        group.name
        for group, readings in zip(groups, counted, strict=True)
        if any(reading.evaluation is not None for reading in readings.values())
    ]
    if after:
        whose = "" if len(after) == len(groups) else f" of {', '.join(after)}"
        notes.append(f"{name} was measured after training{whose}, by `ganlab evaluate`")
    require_same_protocol(name, groups, [list(readings.values()) for readings in counted])
    measured = [
        _measured(name, readings, of_group) for readings, of_group in zip(counted, readers, strict=True)
    ]
    one = next(iter(counted[0].values()))
    compared = [
        ComparedPair(first, second, compare_values(measured[first].values, measured[second].values), None)
        for first, second in (pairs if one.better is not None else ())
    ]
    return ComparedMetric(name, one.better, one.protocol.features, tuple(measured), tuple(compared))


def _measured(name: str, readings: Mapping[int, Reading], readers: Mapping[int, Readings]) -> Measured:
    values = {seed: Value(reading.value, reading.error) for seed, reading in readings.items()}
    floors = [reading.floor for reading in readings.values() if reading.floor is not None]
    curves = {
        seed: tuple(
            Point(each.step, readers[seed].images(each.step), readers[seed].hours(each.time), each.value)
            for each in readers[seed].metrics[name]
            if each.protocol.is_on_a_curve_with(reading.protocol)
        )
        for seed, reading in readings.items()
    }
    return Measured(
        summary=summarise(values),
        values=values,
        floor=sum(floors) / len(floors) if floors else None,
        steps=tuple(sorted({reading.step for reading in readings.values()})),
        curves=curves,
    )


def _adjusted(metrics: Sequence[ComparedMetric]) -> tuple[list[ComparedMetric], int]:
    """Return the metrics with p-values adjusted for all tests together, and how many those are."""
    p_values = [each.test.p for metric in metrics for each in metric.pairs if each.test.p is not None]
    adjusted = iter(adjust(p_values))
    return [
        dataclasses.replace(
            metric,
            pairs=tuple(
                each if each.test.p is None else dataclasses.replace(each, adjusted=next(adjusted))
                for each in metric.pairs
            ),
        )
        for metric in metrics
    ], len(p_values)


def _cautions(metrics: Sequence[ComparedMetric], moment: Moment, tests: int) -> list[str]:
    """Return what the numbers cannot say."""
    cautions = []
    ways = {pair.test.how for metric in metrics for pair in metric.pairs}
    if "one seed" in ways:
        cautions.append(
            "with one seed of an experiment, only the estimator's error is known: another seed may well give "
            "another order. `ganlab run X.toml --seeds 0..4` trains more"
        )
    few = [
        int(pair.test.degrees)
        for metric in metrics
        for pair in metric.pairs
        if pair.test.degrees is not None and pair.test.degrees < 4 and (pair.adjusted or 0) >= SIGNIFICANT
    ]
    if few:
        from scipy.special import stdtrit

        degrees = max(min(few), 1)
        cautions.append(
            f"few seeds tell little: with {degrees} degree{'s' if degrees > 1 else ''} of freedom a "
            f"difference has to be {stdtrit(degrees, 0.975):.1f} standard errors for p < 0.05, so that "
            "what is not told apart may differ all the same"
        )
    if moment == "best":
        cautions.append(
            "values of best checkpoints are chosen by the numbers that are compared: they flatter, and "
            "flatter more who was measured more often"
        )
    if tests > 1:
        cautions.append(f"p-values in brackets are adjusted for {tests} tests (Holm)")
    return cautions


def _cost(readers: Sequence[Readings], moment: Moment) -> Cost:
    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    steps = [moment if isinstance(moment, int) else reader.run.state.step for reader in readers]
    images = [reader.images(step) for reader, step in zip(readers, steps, strict=True)]
    known = [count for count in images if count is not None]
    return Cost(
        parameters=readers[0].run.state.parameters,
        steps=mean(steps),
        images=mean(known) if known else None,
        hours=mean([reader.hours() for reader in readers]),
    )


def _shared_seeds(groups: Sequence[Group]) -> list[int]:
    return [seed for seed in groups[0].runs if all(seed in group.runs for group in groups)]


def _picture(reader: Readings, moment: Moment) -> Path | None:
    """Return the picture of a run's fixed latents that was drawn last before what counts."""
    state = reader.run.state
    step: float = moment if isinstance(moment, int) else state.step
    if moment == "best" and state.best is not None:
        step = state.best.step
    for name in _PICTURES:
        drawn = [path for at, path in reader.run.pictures(name).items() if at <= step]
        if drawn:
            return drawn[-1]
    return None


def _have_same_latents(groups: Sequence[Group]) -> bool:
    """Return whether runs of one seed drew the same latents for their pictures."""

    def drawn(group: Group) -> Any:
        tables = group.first.experiment()
        return tables.get("latent"), tables.get("samples", {}).get("count")

    return all(drawn(group) == drawn(groups[0]) for group in groups)
