"""What TensorBoard's table of settings begins with: what differs between runs, their seeds, their metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganlab.watching.links import EVENT_FILES

__all__ = ["write_columns"]

_SHOWN_AT_FIRST = 5
"""TensorBoard shows as many columns of settings, and as many of metrics, until it is asked for more."""

_SEED = "seed"
_NAME = ".name"
_EVALUATORS = "evaluators."
_LOOKED_THROUGH = 16
"""Settings are among the first things that a run's event file holds."""


def write_columns(root: Path, metrics: Sequence[str]) -> None:
    """Write which columns the table has, where there are settings to show.

    Without it TensorBoard shows all settings and all scalars in alphabetical order.

    Args:
        root: what TensorBoard reads, with runs in it.
        metrics: tags of scalars, in the order in which they are to stand.
    """
    files = sorted(root.rglob(EVENT_FILES))
    settings = {file: found for file in files if (found := _settings(file))}
    if settings:
        _write(next(iter(settings)).parent, list(settings.values()), metrics)


def _settings(file: Path) -> dict[str, Any]:
    """Return the settings that an event file begins with, each as `google.protobuf.Value`; or nothing."""
    from tensorboard.plugins.hparams import metadata

    for value in _first_values(file):
        if value.tag == metadata.SESSION_START_INFO_TAG:
            content = value.metadata.plugin_data.content
            return dict(metadata.parse_session_start_info_plugin_data(content).hparams)
    return {}


def _first_values(file: Path) -> Iterator[Any]:
    from itertools import islice

    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    for raw in islice(RawEventFileLoader(str(file)).Load(), _LOOKED_THROUGH):
        yield from Event.FromString(raw).summary.value


def _write(directory: Path, settings: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    paths = dict.fromkeys(path for one in settings for path in sorted(one))
    first = _first(settings, list(paths))
    experiment = api_pb2.Experiment(
        hparam_infos=[_column(path, settings, first=path in first) for path in paths],
        metric_infos=[api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metrics],
    )
    content = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(experiment=experiment))
    value = Summary.Value(tag=metadata.EXPERIMENT_TAG, metadata=content, tensor=metadata.NULL_TENSOR)
    # One of TensorBoard's two readers goes from file to file in the order of their names and never back.
    with (directory / "events.out.tfevents.0000000000.columns").open("wb") as file:
        records = RecordWriter(file)
        records.write(Event(file_version="brain.Event:2").SerializeToString())
        records.write(Event(summary=Summary(value=[value])).SerializeToString())


def _first(settings: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> set[str]:
    """Return the settings that stand first: the seed and what differs.

    Components stand before their options, and what is trained before what is measured.
    """
    differing = [path for path in paths if any(one.get(path) != settings[0].get(path) for one in settings)]
    # Of what only some runs have, its name says it all.
    tables = [path.removesuffix(_NAME) for path in differing if path.endswith(_NAME)]
    missing = [table for table in tables if not all(f"{table}{_NAME}" in one for one in settings)]
    others = [
        path
        for path in differing
        if path != _SEED
        and (path.endswith(_NAME) or not any(path.startswith(f"{table}.") for table in missing))
    ]
    in_order = sorted(others, key=lambda path: (path.startswith(_EVALUATORS), not path.endswith(_NAME)))
    return {_SEED, *in_order[: _SHOWN_AT_FIRST - 1]}


def _column(path: str, settings: Sequence[Mapping[str, Any]], *, first: bool) -> Any:
    """Return the description of a column.

    Args:
        path: the dotted path of the setting.
        settings: the settings of each run.
        first: whether it is among those that stand first: TensorBoard orders by whether a setting differs.
    """
    from tensorboard.plugins.hparams import api_pb2

    column = api_pb2.HParamInfo(name=path, differs=first)
    values = [one[path] for one in settings if path in one]
    kinds = {value.WhichOneof("kind") for value in values}
    if kinds == {"number_value"}:
        numbers = [value.number_value for value in values]
        column.type = api_pb2.DATA_TYPE_FLOAT64
        column.domain_interval.min_value, column.domain_interval.max_value = min(numbers), max(numbers)
    elif kinds == {"bool_value"}:
        column.type = api_pb2.DATA_TYPE_BOOL
        column.domain_discrete.extend(sorted({value.bool_value for value in values}))
    else:
        column.type = api_pb2.DATA_TYPE_STRING
        column.domain_discrete.extend(sorted({value.string_value for value in values}))
    return column
