"""An output that takes every text, and that may go away while it is written to."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

__all__ = ["Outlet", "open_missing_streams"]


class Outlet(io.TextIOBase):
    """Passes text on; once that fails, everything vanishes, and nobody who writes hears of it.

    The reader of a pipe may leave (as `head` does), a terminal be closed, a disk be full. Characters
    that the output's encoding lacks are escaped as in Python's strings; the bytes of a file name
    that is not text are written as they are.

    Args:
        output: where to; `None`, as `sys.stdout` is in a process that was started without, is nowhere.
        on_failure: is told, once, why nothing more is written; not of a reader that has left.
    """

    def __init__(self, output: TextIO | None, on_failure: Callable[[OSError], None] | None = None) -> None:
        self._output = output
        self._on_failure = on_failure
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors=_LENIENT)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute of the same type
        """The output's."""
        return getattr(self._output, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        """Return the descriptor of the file behind it.

        Raises:
            OSError: there is none.
        """
        if self._output is None:
            raise io.UnsupportedOperation("fileno")
        return self._output.fileno()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._output is not None and self._output.isatty()

    def write(self, text: str, /) -> int:
        """Pass on a text."""
        try:
            if self._output is not None:
                self._output.write(text)
        except (OSError, ValueError) as error:  # a stream that somebody closed raises a `ValueError`
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Make everything written so far visible."""
        try:
            if self._output is not None:
                self._output.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: OSError | ValueError) -> None:
        output, self._output = self._output, None
        if output is None:
            return
        # What is still buffered would fail again when the process ends: it goes nowhere instead.
        with suppress(OSError, ValueError):  # not every output stands for a file, or is still open
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, output.fileno())
            finally:
                os.close(nowhere)
        if (
            self._on_failure is not None
            and isinstance(error, OSError)
            and not isinstance(error, BrokenPipeError)
        ):
            self._on_failure(error)


def open_missing_streams() -> None:
    """Open what a process was started without (`>&-`) among its three standard streams on nothing.

    Otherwise the first file that is opened takes the free descriptor, and gets what libraries and
    child processes mean for the terminal.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free: this one
            os.set_inheritable(descriptor, True)


def _leniently(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.backslashreplace_errors(error)


_LENIENT = "ganlab-lenient"
codecs.register_error(_LENIENT, _leniently)
