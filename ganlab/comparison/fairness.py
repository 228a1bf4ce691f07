"""Whether experiments were given the same, and what makes a comparison of them impossible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ganlab.comparison.experiments import PLUGIN_FILE, Group, what_differs, without
from ganlab.comparison.readings import Moment, Reading, Readings
from ganlab.config.difference import flatten
from ganlab.config.toml_writer import toml_value
from ganlab.errors import UsageError
from ganlab.runs.evaluation_directory import LaterEvaluation

__all__ = ["Condition", "conditions", "require_same_data", "require_same_protocol"]

_SPLIT = ("dataset.holdout", "dataset.split_seed")
_CADENCE = ("every", "label")
"""Keys of an evaluator that say nothing of what it measures."""

_UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Condition:
    """One thing that a fair comparison gives all experiments alike.

    Attributes:
        what: in words.
        values: in words, one for each experiment.
        equal: whether they are; `None` where that is not known.
    """

    what: str
    values: tuple[str, ...]
    equal: bool | None


def require_same_data(groups: Sequence[Group]) -> None:
    """Refuse experiments on different data.

    Runs of earlier versions did not record what their data was; they go by their tables.

    Raises:
        UsageError: the data differs; it says by which keys.
    """
    digests = {run.state.data for group in groups for run in group.runs.values()}
    if len(digests) == 1 and "" not in digests:
        return
    keys = [
        key
        for key in what_differs(groups)
        if key.path.startswith(("dataset", "image")) and key.path not in _SPLIT
    ]
    if digests == {""} and not keys:
        return
    if "" in digests and not keys:
        digests.discard("")
        if len(digests) == 1:
            return
    named = "".join(f"\n    {key.path}: {', '.join(str(value) for value in key.values)}" for key in keys)
    raise UsageError(
        "the experiments were trained on different data, and what is measured against different data "
        f"cannot be compared{named or ': the files were others, or were prepared in another way'}"
        + (
            "\n    if it is the same data in two places, `--ignore KEY` passes over the key that says where"
            if "" in digests
            else ""
        )
    )


def require_same_protocol(
    metric: str, groups: Sequence[Group], readings: Sequence[Sequence[Reading]]
) -> None:
    """Refuse numbers of a metric that were measured in different ways.

    Args:
        metric: as `label.metric`.
        groups: the experiments.
        readings: of each experiment's runs.

    Raises:
        UsageError: features, their weights, counts of samples, or options of the evaluator differ.
    """
    label = metric.rpartition(".")[0]
    seen: dict[tuple[object, ...], str] = {}
    for group, of_group in zip(groups, readings, strict=True):
        for reading in of_group:
            by = reading.protocol
            way = f"{by.n_fake:,} generated against {by.n_real:,} real samples by {by.features}"
            seen.setdefault((by.features, by.fingerprint, by.n_real, by.n_fake), f"{group.name}: {way}")
    options = _differing_options(label, groups, readings)
    procedures = {each.protocol.procedure for of_group in readings for each in of_group} - {""}
    if len(procedures) > 1 and len(seen) == 1 and not options:
        options = ["its options were others when a run was resumed: it is measured otherwise since then"]
    if len(seen) == 1 and not options:
        return
    ways = list(seen.values()) if len(seen) > 1 else []
    if len(seen) > 1 and len({line.partition(": ")[2] for line in ways}) == 1:
        ways.append("the features have other weights, options or version, though their name is the same")
    raise UsageError(
        f"{metric} cannot be compared, since it was not measured in the same way:\n"
        + "".join(f"    {line}\n" for line in (*ways, *options))
        + "    `--metric` chooses others"
    )


def _differing_options(
    label: str, groups: Sequence[Group], readings: Sequence[Sequence[Reading]]
) -> list[str]:
    """Return an evaluator's options that were not the same in all readings, a line each."""
    later = [each.evaluation for of_group in readings for each in of_group if each.evaluation is not None]
    files = {f"{PLUGIN_FILE} {name}" for evaluation in later for name in evaluation.files[label]}

    def asked(group: Group, evaluation: LaterEvaluation | None) -> Mapping[str, object]:
        if evaluation is None:
            mine = f"evaluators.{label}."
            return {key: value for key, value in group.keys.items() if key.startswith(mine) or key in files}
        digests = {f"{PLUGIN_FILE} {name}": digest[:8] for name, digest in evaluation.files[label].items()}
        table = dict(flatten(evaluation.evaluators[label], f"evaluators.{label}"))
        return without(table, group.ignored) | digests

    asked_for = [
        [
            asked(group, evaluation)
            for evaluation in {id(each.evaluation): each.evaluation for each in of_group}.values()
        ]
        for group, of_group in zip(groups, readings, strict=True)
    ]
    lines = []
    for path in dict.fromkeys(key for of_group in asked_for for keys in of_group for key in keys):
        values = [
            list(dict.fromkeys(toml_value(keys[path]) if path in keys else "not set" for keys in of_group))
            for of_group in asked_for
        ]
        differ = len({text for texts in values for text in texts}) > 1
        if differ and path.rpartition(".")[2] not in _CADENCE:
            lines.append(f"{path}: {', '.join(map(_shortened, values))}")
    return lines


def conditions(
    groups: Sequence[Group], readers: Sequence[Mapping[int, Readings]], moment: Moment
) -> list[Condition]:
    """Return what the experiments were given, and whether it was the same.

    Args:
        groups: the experiments, on the same data.
        readers: of each experiment's runs, by seed.
        moment: which of their measurements count.
    """

    def each(what: str, tell: Callable[[Readings], str]) -> Condition:
        values = [list(dict.fromkeys(map(tell, of_group.values()))) for of_group in readers]
        together = {text for texts in values for text in texts}
        equal = None if _UNKNOWN in together else len(together) == 1
        return Condition(what, tuple(_shortened(texts) for texts in values), equal)

    def split(reader: Readings) -> str:
        holdout = reader.dataset.get("holdout", 0)
        if not holdout:
            return "nothing held out"
        return f"{holdout:g} held out by seed {reader.dataset.get('split_seed', 0)}"

    def images(reader: Readings) -> str:
        return _number(reader.images(_compared_step(reader, moment)))

    def turns(player: str) -> Callable[[Readings], str]:
        return lambda reader: _number(reader.turns(player, _compared_step(reader, moment)), "none")

    def parameters(kind: str) -> Callable[[Readings], str]:
        def tell(reader: Readings) -> str:
            known = reader.run.state.parameters
            return _number(known.get(kind), "none") if known else _UNKNOWN

        return tell

    def heldout(reader: Readings) -> str:
        counts = {values[-1].protocol.n_heldout for values in reader.metrics.values()}
        return ", ".join(f"{count:,}" for count in sorted(counts))

    found = [
        each("data", lambda reader: reader.run.state.data[:8] or _UNKNOWN),
        each("split", split),
        each("held-out samples behind the floors", heldout),
        each("images seen", images),
        each("parameters of the generator", parameters("generator")),
        each("parameters of the discriminator", parameters("discriminator")),
        each("turns of the discriminator", turns("discriminator")),
        each("turns of the generator", turns("generator")),
        each("machine", lambda reader: _environment(reader)[0]),
        each("versions", lambda reader: _environment(reader)[1]),
    ]
    seeds = [tuple(group.runs) for group in groups]
    values = tuple(", ".join(map(str, of_group)) for of_group in seeds)
    return [Condition("seeds", values, len(set(seeds)) == 1), *found]


def _compared_step(reader: Readings, moment: Moment) -> int:
    # The best is chosen among all that was trained, and has cost all of it.
    return moment if isinstance(moment, int) else reader.run.state.step


def _environment(reader: Readings) -> tuple[str, str]:
    """Return the device that a run was trained on, and the versions that decide its numbers."""
    packages = reader.environment.get("packages", {})
    versions = (f"{name} {packages[name]}" for name in ("ganlab", "torch") if name in packages)
    return str(reader.environment.get("device_name", _UNKNOWN)), ", ".join(versions) or _UNKNOWN


def _number(value: float | None, missing: str = _UNKNOWN) -> str:
    return missing if value is None else f"{value:,.0f}"


def _shortened(texts: Iterable[str]) -> str:
    """Return what the runs of an experiment have, which is mostly one thing."""
    return " / ".join(texts)
