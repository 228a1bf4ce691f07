"""Settings for the HPARAMS page, in the same directory as the scalars.

Only the session is described. TensorBoard takes the list of all hyper-parameters from
one single run where any run brings such a list, and by itself gathers them, and the
metrics, over all runs where none does; the second is what comparing runs needs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

if TYPE_CHECKING:
    from ganlab import RunInfo

__all__ = ["flatten", "session_end", "session_start"]

Scalar: TypeAlias = bool | int | float | str

_STATUS = {
    "completed": api_pb2.STATUS_SUCCESS,
    "diverged": api_pb2.STATUS_FAILURE,
    "failed": api_pb2.STATUS_FAILURE,
    "running": api_pb2.STATUS_RUNNING,
}
_NOT_SETTINGS = {"title", "plugins", "samples", "checkpoint", "trackers", "provenance"}
"""What names, shows or keeps a run and does not change what it learns."""


def session_start(run: RunInfo) -> Summary:
    """Return the summary that opens a run: its settings, each under its dotted path."""
    settings = {name: value for name, value in run.experiment.items() if name not in _NOT_SETTINGS}
    return summary_v2.hparams_pb(flatten(settings), trial_id=f"{run.title}: {run.id}")


def session_end(status: str) -> Summary:
    """Return the summary that closes a run."""
    end = plugin_data_pb2.SessionEndInfo(
        status=_STATUS.get(status, api_pb2.STATUS_UNKNOWN), end_time_secs=time.time()
    )
    content = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    return Summary(
        value=[
            Summary.Value(
                tag=metadata.SESSION_END_INFO_TAG,
                metadata=metadata.create_summary_metadata(content),
                tensor=metadata.NULL_TENSOR,
            )
        ]
    )


def flatten(tables: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return nested tables as dotted paths to scalars.

    Entries of an array of tables go by their label or name, so that the same loss has
    the same path wherever it stands; the label is not told again. A list of scalars becomes its text.
    """
    return dict(_walk("", tables))


def _walk(path: str, value: Any) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(f"{path}.{key}" if path else key, item)
    elif isinstance(value, str | bool | int | float):
        yield path, value
    elif isinstance(value, Sequence):
        if value and all(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                rest = {key: each for key, each in item.items() if key != "label"}
                yield from _walk(f"{path}.{item.get('label') or item.get('name') or index}", rest)
        else:
            yield path, str(list(value))
    elif value is not None:
        yield path, str(value)
