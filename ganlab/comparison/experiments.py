"""Runs as experiments over seeds, and what differs between those."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from ganlab.config.difference import flatten
from ganlab.config.toml_writer import toml_value
from ganlab.runs.reading import Run

__all__ = [
    "PLUGIN_FILE",
    "DifferingKey",
    "Group",
    "group_runs",
    "keys_of",
    "named",
    "newest_by_seed",
    "told_apart",
    "what_differs",
    "without",
]

_NOT_COMPARED = {
    "checkpoint",
    "health",
    "plugins",
    "provenance",
    "samples",
    "seed",
    "title",
    "trackers",
    "training.log_every",
}
"""What says what to look at and what to keep, but not what is trained; plugins go by content."""

_FIRST_WEIGHTS = "start.pinned.digest"
_WHERE_WEIGHTS_WERE = {"start.run", "start.checkpoint", "start.pinned.run", "start.pinned.step"}
"""What a run began with is known by its content, where that is written down."""

PLUGIN_FILE = "plugin file"
"""What the digest of a local plugin file is called by, before the file's name."""

_NAMED = 2
"""Differences that tell experiments of one title apart in their names."""


@dataclasses.dataclass(frozen=True)
class Group:
    """One experiment, run with one seed or several.

    Attributes:
        title: the title that its runs share.
        keys: what the experiment is, by dotted path; entries of arrays go by their label.
        runs: its runs by their seed, in the order of the seeds; of one seed, the newest.
        superseded: older runs of the same seeds.
        name: the title, with what tells it apart where several have that.
        ignored: keys that are no part of it.
    """

    title: str
    keys: Mapping[str, Any]
    runs: Mapping[int, Run]
    superseded: tuple[Run, ...] = ()
    name: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def first(self) -> Run:
        """One of its runs, for what they have in common."""
        return next(iter(self.runs.values()))


@dataclasses.dataclass(frozen=True)
class DifferingKey:
    """A key of which not all experiments have the same value.

    Attributes:
        path: dotted; of a component that not all have, its table.
        values: as TOML, one for each experiment; `None` where it has none.
    """

    path: str
    values: tuple[str | None, ...]


def keys_of(run: Run, tables: Mapping[str, Any], ignore: Collection[str] = ()) -> dict[str, Any]:
    """Return what a run's experiment is, by dotted path, without its seed and what is only for the eye.

    Args:
        run: whose experiment it is.
        tables: what `run.experiment()` returned.
        ignore: further keys that are no part of it, or tables with all that is in them.
    """
    keys = without(dict(flatten(tables)), {*_NOT_COMPARED, *ignore})
    if _FIRST_WEIGHTS in keys:
        keys = without(keys, _WHERE_WEIGHTS_WERE)
        keys[_FIRST_WEIGHTS] = str(keys[_FIRST_WEIGHTS])[:8]
    if "training.steps" in keys:
        keys["training.steps"] = run.state.steps  # a run that was made longer keeps its experiment's file
    for file in tables.get("provenance", {}).get("files", ()):
        keys[f"{PLUGIN_FILE} {file['name']}"] = str(file["sha256"])[:8]
    # A fork has the past of another experiment, or of this one up to some step.
    if run.state.parent is not None and "start" not in tables:
        keys["forked"] = f"{run.state.parent.id} at step {run.state.parent.step}"
    return keys


def without(keys: Mapping[str, Any], ignore: Collection[str]) -> dict[str, Any]:
    """Return keys by dotted path without those that are ignored, and without what is in ignored tables."""
    return {
        path: value
        for path, value in keys.items()
        if not any(path == key or path.startswith(f"{key}.") for key in ignore)
    }


def group_runs(runs: Sequence[Run], ignore: Collection[str] = ()) -> list[Group]:
    """Return the experiments that runs are of, in the order in which they are met first.

    Args:
        runs: each once.
        ignore: as in `keys_of`.

    Raises:
        GanlabError: the experiment of a run cannot be read.
    """
    collected: list[tuple[str, dict[str, Any], list[tuple[int, Run]]]] = []
    for run in runs:
        tables = run.experiment()
        title, keys, seed = run.state.title, keys_of(run, tables, ignore), int(tables.get("seed", 0))
        for known_title, known, members in collected:
            if (known_title, known) == (title, keys):
                members.append((seed, run))
                break
        else:
            collected.append((title, keys, [(seed, run)]))
    groups = [_group(title, keys, members) for title, keys, members in collected]
    return named([dataclasses.replace(group, ignored=tuple(ignore)) for group in groups])


def newest_by_seed(members: Iterable[tuple[int, Run]]) -> dict[int, Run]:
    """Return the run that counts of each seed, which is the newest, in the order of the seeds.

    Args:
        members: runs of one experiment, each with its seed.
    """
    newest_last = sorted(members, key=lambda member: _age(member[1]))
    return dict(sorted(dict(newest_last).items()))


def _age(run: Run) -> tuple[str, str]:
    """Return what sorts runs, the oldest first."""
    return run.state.created, run.state.id


def _group(title: str, keys: Mapping[str, Any], members: Sequence[tuple[int, Run]]) -> Group:
    chosen = newest_by_seed(members)
    kept = {id(run) for run in chosen.values()}
    superseded = sorted((run for _, run in members if id(run) not in kept), key=_age)
    return Group(title=title, keys=keys, runs=chosen, superseded=tuple(superseded))


def named(groups: Sequence[Group]) -> list[Group]:
    """Return the groups with names of which no two are alike."""
    with_names = []
    for group in groups:
        alike = [other for other in groups if other.title == group.title]
        name = group.title
        if len(alike) > 1:
            index = next(index for index, other in enumerate(alike) if other is group)
            name = f"{group.title} ({told_apart(what_differs(alike), index)})"
        with_names.append(dataclasses.replace(group, name=name))
    return with_names


def told_apart(differing: Sequence[DifferingKey], index: int) -> str:
    """Return in words what an experiment has that others of its title have not."""
    settings = []
    for key in differing:
        value = key.values[index]
        if value is not None:
            alike = len({*key.values} - {None}) == 1
            settings.append(key.path if alike else f"{key.path} = {value}")
    if not settings:
        return "without " + ", ".join(key.path for key in differing[:_NAMED])
    return ", ".join(settings[:_NAMED]) + (", …" if len(settings) > _NAMED else "")


def what_differs(groups: Sequence[Group]) -> list[DifferingKey]:
    """Return the keys of which not all experiments have the same value, in the order of their files."""
    paths = dict.fromkeys(path for group in groups for path in group.keys)
    apart = _not_shared(groups, list(paths))
    rows: dict[str, tuple[str | None, ...]] = {}
    for path in paths:
        table = next((table for table in apart if path.startswith(f"{table}.")), None)
        if table is not None:
            rows.setdefault(table, tuple(_inline(group.keys, table) for group in groups))
            continue
        missing = object()
        values = [group.keys.get(path, missing) for group in groups]
        if any(value != values[0] for value in values):
            rows[path] = tuple(None if value is missing else toml_value(value) for value in values)
    return [
        _first_weights(groups) if path == _FIRST_WEIGHTS else DifferingKey(path, values)
        for path, values in rows.items()
    ]


def _first_weights(groups: Sequence[Group]) -> DifferingKey:
    """Return in words which weights experiments begin with, where these are not the same."""
    digests = [group.keys.get(_FIRST_WEIGHTS) for group in groups]
    words = [digest and _place(group) for group, digest in zip(groups, digests, strict=True)]
    if len({*words}) < len({*digests}):  # others have come to be in the same place
        words = [each and f"{each}, weights {digest}" for each, digest in zip(words, digests, strict=True)]
    return DifferingKey("start", tuple(each and toml_value(each) for each in words))


def _place(group: Group) -> str:
    """Return where the weights were that an experiment begins with."""
    pinned = group.first.experiment()["start"]["pinned"]
    run = PurePath(pinned["run"])
    return f"{run.parent.name}/{run.name} at step {pinned['step']:,}"


def _not_shared(groups: Sequence[Group], paths: Sequence[str]) -> list[str]:
    """Return the tables of components that some experiments have and others have not."""
    named = [path.removesuffix(".name") for path in paths if path.endswith(".name")]
    return [table for table in named if not all(f"{table}.name" in group.keys for group in groups)]


def _inline(keys: Mapping[str, Any], table: str) -> str | None:
    """Return a component's table on one line; `None` where there is none."""
    inside = {path.removeprefix(f"{table}."): value for path, value in keys.items() if _is_in(path, table)}
    if not inside:
        return None
    inside.pop("label", None)
    name = inside.pop("name", "")
    options = ", ".join(f"{key} = {toml_value(value)}" for key, value in inside.items())
    return f"{name}: {options}" if options else str(name)


def _is_in(path: str, table: str) -> bool:
    return path.startswith(f"{table}.")
