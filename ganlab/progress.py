"""How far work is, for who waits for it: live lines on a terminal, plain lines in a file or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TextIO, cast

from ganlab.outlet import Outlet

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

__all__ = ["Display", "Phases", "Work", "counting", "nothing_shown", "say"]

_BAR = 24
"""Characters of a bar, which is drawn where there is room for it beside the numbers."""

_SHOWN: ContextVar[bool] = ContextVar("shown", default=True)

_SILENCE = 30.0
"""Seconds of work after which somebody who reads a log would wonder."""


class Display:
    """Shows work, and all that is said meanwhile, on one output; a context manager that closes.

    On a terminal each piece of work has a live line at the bottom, and what is said scrolls by
    above. Elsewhere there is a line now and then while work takes long.

    It is a witness: where nothing can be shown any more, since the reader of a pipe has gone
    or the disk is full, it goes quiet for good, and the work goes on.

    Args:
        output: where to; `None`, as `sys.stderr` is in a process that was started without, is nowhere.
        quiet: show nothing but what is said.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        output: TextIO | None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output = Outlet(output)
        self._quiet = quiet
        self._clock = clock
        self._last_line = clock()
        self._works: list[Work] = []
        self._live = None if quiet or not self._output.isatty() else _live_lines(self._output, self._works)

    @property
    def is_live(self) -> bool:
        """Whether work has live lines."""
        return self._live is not None

    def begin(self, what: str, total: int, done: int = 0) -> Work:
        """Show work on `total` things (0 where nobody knows how many), of which some may be done."""
        work = Work(self, what, total, done)
        self._works.append(work)
        if self._live is not None:
            self._live.start()
        return work

    def say(self, line: str) -> None:
        """Show a line of text."""
        self._last_line = self._clock()
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self._output, flush=True)

    def close(self, *, keep: bool = False) -> None:
        """Show no work any more; or leave its lines as they stand, and keep them up to date no more."""
        if self._live is not None:
            self._live.transient = not keep
            self._live.stop()
            self._live = None

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Work:
    """A piece of work on a display; made by `Display.begin`.

    Attributes:
        what: what is being done, as in "packing images".
        total: how many things there are; 0 where nobody knows.
        done: how many of them are done.
        detail: what else a live line has to say.
    """

    def __init__(self, display: Display, what: str, total: int, done: int) -> None:
        self.what, self.total, self.done, self.detail = what, total, done, ""
        self._display = display
        self._already = done
        self._began = display._clock()

    def update(self, done: int) -> None:
        """Show how many things are done; costs microseconds."""
        self.done = done
        display = self._display
        silence = display._clock() - display._last_line
        if silence > _SILENCE and not display.is_live and not display._quiet:
            count = f"{done:,} of {self.total:,}" if self.total else f"{done:,}"
            display.say(", ".join(filter(None, (self.what, count, self.time_left))))

    def advance(self, count: int) -> None:
        """Show that some more things are done."""
        self.update(self.done + count)

    @property
    def time_left(self) -> str:
        """The time that the rest takes at the pace so far, in words; empty where nobody can tell."""
        done, rest = self.done - self._already, self.total - self.done
        if done <= 0 or rest <= 0:
            return ""
        return f"{_duration((self._display._clock() - self._began) / done * rest)} left"

    def end(self) -> None:
        """Take the live line away."""
        self._display._works.remove(self)


class Phases:
    """Shows work that tells by itself what it is at: called with that, things done, and things in all.

    The phase that is over stays on a terminal until the next begins, or `end`.

    Args:
        display: where.
        what: what all the phases are, as in "measuring".
    """

    def __init__(self, display: Display, what: str) -> None:
        self._display = display
        self._what = what
        self._phase = ""
        self._work: Work | None = None

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show how far a phase is."""
        if self._work is None or phase != self._phase or done < self._work.done:
            self.end()
            self._phase, self._work = phase, self._display.begin(f"{self._what}: {phase}", total, done)
        self._work.update(done)

    def end(self) -> None:
        """Show no phase any more."""
        if self._work is not None:
            self._work.end()
            self._work = None


@contextmanager
def nothing_shown(quiet: bool = True) -> Iterator[None]:
    """Keep quiet within the block (unless it need not be quiet), also where nobody can be told to."""
    before = _SHOWN.set(_SHOWN.get() and not quiet)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def say(line: str, progress: bool = True) -> None:
    """Write a line to standard error, unless `progress` is off."""
    if progress and _SHOWN.get():
        Display(sys.stderr).say(line)


@contextmanager
def counting(what: str, total: int, progress: bool = True) -> Iterator[Callable[[int], None]]:
    """Show work on standard error, and what it took; yields how to say that n more things are done.

    Args:
        what: what is being done, as in "packing images".
        total: how many things there are; 0 where nobody knows.
        progress: whether to show anything.
    """
    started = time.perf_counter()
    progress = progress and _SHOWN.get()
    with Display(sys.stderr, quiet=not progress) as display:
        if progress and not display.is_live:
            display.say(f"{what}: {total:,} …" if total else f"{what} …")
        work = display.begin(what, total)
        yield work.advance
    seconds = time.perf_counter() - started
    say(
        f"{what}: {work.done:,} in {seconds:.1f} s ({work.done / max(seconds, 1e-9):,.0f} a second)", progress
    )


def _live_lines(output: Outlet, works: Sequence[Work]) -> Live | None:
    """Return what keeps a line for each piece of work up to date; `None` where no line can be drawn anew."""
    from rich.console import Console, Group
    from rich.live import Live

    terminal = Console(file=cast(TextIO, output))
    if terminal.is_dumb_terminal:
        return None

    def lines() -> Group:
        return Group(*(_live_line(work, terminal.width) for work in tuple(works)))

    return Live(console=terminal, get_renderable=lines, refresh_per_second=4)


def _live_line(work: Work, width: int) -> Table:
    """Return the line of one piece of work; where the terminal is too narrow, the end of it gives way."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    count = Text(f"{work.what} {work.done}/{work.total or '?'}", overflow="ellipsis")
    parts = filter(None, (work.time_left, work.detail))
    detail = Text(" · ".join(parts), no_wrap=True, overflow="ellipsis")
    line = Table.grid(padding=(0, 1))
    line.add_column(no_wrap=True)
    if count.cell_len + _BAR + max(detail.cell_len, len("0:00 left")) + 2 <= width:
        bar = ProgressBar(work.total, work.done, width=_BAR, pulse=not work.total)
        line.add_row(count, bar, detail)
    else:
        line.add_row(count, detail)
    return line


def _duration(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
