"""An output that may go away while it is written to."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TextIO

__all__ = ["Outlet"]


class Outlet(io.TextIOBase):
    """Passes text on; once that fails, everything vanishes, and nobody who writes hears of it.

    The reader of a pipe may leave (as `head` does), a terminal be closed, a disk be full.

    Args:
        output: where to; `None`, as `sys.stdout` is in a process that was started without, is nowhere.
    """

    def __init__(self, output: TextIO | None) -> None:
        self._output = output

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute of the same type
        """The output's."""
        return getattr(self._output, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._output is not None and self._output.isatty()

    def write(self, text: str, /) -> int:
        """Pass on a text."""
        try:
            if self._output is not None:
                self._output.write(text)
        except OSError:
            self._give_up()
        return len(text)

    def flush(self) -> None:
        """Make everything written so far visible."""
        try:
            if self._output is not None:
                self._output.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        output, self._output = self._output, None
        if output is None:
            return
        # What is still buffered would fail again when the process ends: it goes nowhere instead.
        with suppress(OSError):  # not every output stands for a file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, output.fileno())
            finally:
                os.close(nowhere)
