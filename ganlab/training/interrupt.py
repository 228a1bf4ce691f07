"""Stopping when asked to: SIGINT and SIGTERM end a run between turns, with its state saved."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType

from ganlab.errors import InterruptedRunError

__all__ = ["StopRequest"]


class StopRequest:
    """Listens for SIGINT and SIGTERM while it is entered; a second signal ends the process at once."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._previous: dict[int, object] = {}

    def check(self) -> None:
        """Stop here if somebody asked for it.

        Raises:
            InterruptedRunError: a signal came.
        """
        if self._signal is not None:
            raise InterruptedRunError(f"stopped by {signal.Signals(self._signal).name}")

    def __enter__(self) -> StopRequest:
        # Only the main thread may install handlers; elsewhere the host's own remain.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            os._exit(128 + number)
        self._signal = number
