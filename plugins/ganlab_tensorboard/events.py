"""Event files: what TensorBoard reads, written with no thread in between."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

__all__ = ["EventFile", "mark", "rewind"]

_PREFIX = "events.out.tfevents."


def mark(directory: Path) -> dict[str, int]:
    """Return the sizes of all event files below a directory, when all of them have reached the disk.

    They go by their path from the directory, with slashes.
    """
    sizes = {}
    for name, path in _files(directory).items():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            sizes[name] = os.fstat(file.fileno()).st_size
    return sizes


def rewind(directory: Path, sizes: Mapping[str, int]) -> None:
    """Cut the event files below a directory back to what they were when `mark` was called."""
    for name, path in _files(directory).items():
        if name not in sizes:
            path.unlink()
        elif path.stat().st_size > sizes[name]:
            os.truncate(path, sizes[name])


class EventFile:
    """Appends summaries to a new event file; each is visible to readers when `add` returns.

    TensorBoard's own writer hands events to a thread and writes them in its own time,
    which loses the last minutes of a run that is killed and hides a full disk.

    Args:
        directory: where to; made if it is missing.
        start: the first step to come. A TensorBoard that has seen it, and later ones, forgets them:
            they belong to a past that was cut off.
    """

    def __init__(self, directory: Path, start: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / f"{_PREFIX}{_time_after(directory):010d}.{socket.gethostname()}.{os.getpid()}"
        self._file = self.path.open("xb")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        log = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time.time(), step=start, session_log=log))

    def add(self, summary: Summary, step: int) -> None:
        """Append one event."""
        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._file.close()

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())
        self._file.flush()


def _files(directory: Path) -> dict[str, Path]:
    return {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob(f"{_PREFIX}*"))}


def _time_after(directory: Path) -> int:
    """Return the time in seconds, or more: TensorBoard reads event files in the order of their names."""
    pattern = re.compile(re.escape(_PREFIX) + r"(\d+)\.")
    matches = (pattern.match(path.name) for path in directory.glob(f"{_PREFIX}*"))
    return max([int(time.time()), *(int(match[1]) + 1 for match in matches if match)])
