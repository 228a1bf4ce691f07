"""Stopping when asked to: a signal ends a run between turns, with its state saved."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType

from ganlab.errors import InterruptedRunError
from ganlab.processes import Processes

__all__ = ["StopRequest"]


class StopRequest:
    """Listens for SIGINT, SIGTERM and SIGHUP while it is entered; a second signal ends the process at once.

    Args:
        processes: those that share the run: one that hears a signal stops all.
    """

    def __init__(self, processes: Processes | None = None) -> None:
        self._processes = processes or Processes()
        self._signal: int | None = None
        self._previous: dict[int, object] = {}

    def check(self) -> None:
        """Stop here if somebody asked for it, in whichever process; each must call this.

        Raises:
            InterruptedRunError: a signal came.
        """
        if self._processes.any(self._signal is not None):
            by = "another process" if self._signal is None else signal.Signals(self._signal).name
            raise InterruptedRunError(f"stopped by {by}")

    def __enter__(self) -> StopRequest:
        # Only the main thread may install handlers; elsewhere the host's own remain.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                # `nohup` has a hang-up ignored, and a shell its background jobs' Ctrl-C.
                if signal.getsignal(number) is not signal.SIG_IGN:
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
