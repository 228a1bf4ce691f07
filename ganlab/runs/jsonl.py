"""Append-only JSON Lines: scalars and measurements of a run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganlab.files import explained
from ganlab.runs.encoding import to_json

__all__ = ["JsonLinesWriter", "last_line", "read_lines"]

_NOT_FINITE = {"NaN", "Infinity", "-Infinity"}
_TAIL_BYTES = 1 << 18


class JsonLinesWriter:
    """Appends lines `{"step": …, "time": …, …}` to a file, each visible to readers at once.

    `time` is seconds since the epoch. Numbers that are not finite become the strings
    `"NaN"`, `"Infinity"` and `"-Infinity"`, so that every line is standard JSON.

    Args:
        path: the file; what a crash left of a last line is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with explained(f"cannot write {path}"):
            _cut_torn_line(path)
            self._file = path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line.

        Raises:
            GanlabError: it cannot be written.
        """
        line = to_json({"step": step, "time": round(time.time(), 3), **values})
        with explained(f"cannot write {self._path}"):
            self._file.write(line + "\n")
            self._file.flush()

    def mark(self) -> int:
        """Return where the file ends, when all of it has reached the disk.

        Raises:
            GanlabError: the disk refuses.
        """
        with explained(f"cannot write {self._path}"):
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def rewind(self, mark: int) -> None:
        """Drop every line that was written after a mark was taken; 0 is the beginning.

        Raises:
            GanlabError: the file cannot be written.
        """
        with explained(f"cannot write {self._path}"):
            if os.fstat(self._file.fileno()).st_size > mark:
                self._file.truncate(mark)
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        # A line that a full disk kept out is tried once more here; `write` has said so already.
        with suppress(OSError):
            self._file.close()


def last_line(path: Path) -> dict[str, Any] | None:
    """Return the values of a file's last whole line, however long the file; `None` if there is none.

    A line that is still being written, or was torn by a crash, is passed over.
    """
    if not path.exists():
        return None
    with explained(f"cannot read {path}"), path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines(keepends=True)
    whole = (_parse(line) for line in reversed(lines) if line.endswith("\n"))
    return next((values for values in whole if values is not None), None)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the values of every whole line, in order; none where there is no file.

    Raises:
        GanlabError: the file cannot be read.
    """
    if not path.exists():
        return []
    with explained(f"cannot read {path}"):
        content = path.read_text(encoding="utf-8", errors="replace")
    whole = (_parse(line) for line in content.splitlines(keepends=True) if line.endswith("\n"))
    return [values for values in whole if values is not None]


def _parse(line: str) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return {key: _restore(value) for key, value in values.items()} if isinstance(values, dict) else None


def _restore(value: Any) -> Any:
    return float(value) if isinstance(value, str) and value in _NOT_FINITE else value


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
