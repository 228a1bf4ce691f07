"""What a person sees while a run trains: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO, cast

from ganlab import tags
from ganlab.tracking.outlet import Outlet

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Console"]

_WIDE = 110
"""Characters in a line from which on there is room for a bar beside the numbers."""

_SILENCE = 30.0
"""Seconds of a measurement after which somebody who reads a log would wonder."""


class Console:
    """Shows how far a run got and how it fares.

    On a terminal one line is kept up to date, and everything else scrolls by above it.
    Where the output is a file or a pipe, each log point is a line of its own.

    It is a witness: where nothing can be shown any more, since the reader of a pipe has
    gone or the disk is full, it goes quiet for good, and training goes on.

    Args:
        total_steps: the step at which the run ends.
        start_step: the step that this session starts after.
        quiet: show nothing but `message`s.
        output: where to; standard output if left out.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        total_steps: int,
        start_step: int = 0,
        *,
        quiet: bool = False,
        output: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total_steps
        self._start = start_step
        self._quiet = quiet
        self._output = Outlet(output or sys.stdout)
        self._clock = clock
        self._began = self._last_line = clock()
        self._noted: set[str] = set()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        if self._output.isatty() and not quiet:
            self._progress, self._task = _live_line(self._output, total_steps, start_step)

    def advance(self, step: int) -> None:
        """Move the live line to a step, between log points; costs microseconds."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show the scalars of a log point, by tag."""
        parts = [*_summary(values), self._remaining(step)]
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=step, summary=" · ".join(filter(None, parts)))
        elif not self._quiet:
            width = len(str(self._total))
            self._print("  ".join(filter(None, (f"step {step:>{width}}/{self._total}", *parts))))

    def evaluation(self, step: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Show measurements, each as a record of `evaluations.jsonl`.

        A row has `evaluator`, `metric`, `value`, and may have `standard_error`, `floor` and
        `warnings`, each of which is shown once.
        """
        if self._quiet:
            return
        for row in rows:
            self._print(f"step {step}: {_measurement(row)}")
            for warning in row.get("warnings") or ():
                if warning not in self._noted:
                    self._noted.add(warning)
                    self._print(f"    note: {warning}")

    def working(self, what: str, done: int, total: int) -> None:
        """Show how far a measurement is; where there is no live line, only if it takes long."""
        text = f"measuring: {what}, {done:,} of {total:,}"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, summary=text)
        elif not self._quiet and self._clock() - self._last_line > _SILENCE:
            self._print(text)

    def message(self, text: str) -> None:
        """Show a line of text."""
        self._print(text)

    def close(self) -> None:
        """Leave the live line as it stands."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _print(self, line: str) -> None:
        self._last_line = self._clock()
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self._output, flush=True)

    def _remaining(self, step: int) -> str:
        """Return the time left at this session's pace so far, evaluations and all."""
        done = step - self._start
        if done <= 0 or step >= self._total:
            return ""
        return f"{_duration((self._clock() - self._began) / done * (self._total - step))} left"


def _live_line(output: Outlet, total: int, start: int) -> tuple[Progress, TaskID]:
    from rich.console import Console as Terminal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Summary(ProgressColumn):
        """The one column that gives way where the terminal is too narrow."""

        def render(self, task: Task) -> Text:
            return Text(task.fields["summary"], no_wrap=True, overflow="ellipsis")

    terminal = Terminal(file=cast(TextIO, output))
    counter = Column(no_wrap=True, min_width=2 * len(str(total)) + 1)
    bar = [BarColumn(bar_width=24)] if terminal.width >= _WIDE else []
    progress = Progress(
        TextColumn("step", table_column=Column(no_wrap=True, min_width=4)),
        MofNCompleteColumn(table_column=counter),
        *bar,
        Summary(),
        console=terminal,
        refresh_per_second=4,
    )
    task = progress.add_task("", total=total, completed=start, summary="")
    progress.start()
    return progress, task


def _summary(values: Mapping[str, float]) -> list[str]:
    """Return the few scalars that tell how a run fares."""
    shown = {
        tags.total_loss("discriminator"): "D loss {:.4g}",
        tags.total_loss("generator"): "G loss {:.4g}",
        tags.ACCURACY: "D accuracy {:.0%}",
        tags.IMAGES_PER_SECOND: "{:,.0f} images/s",
    }
    return [pattern.format(values[tag]) for tag, pattern in shown.items() if tag in values]


def _measurement(row: Mapping[str, Any]) -> str:
    evaluator, metric = row["evaluator"], row["metric"]
    name = evaluator if evaluator == metric else f"{evaluator} {metric}"
    text = f"{name} {row['value']:.4g}"
    if row.get("standard_error") is not None:
        text += f" ± {row['standard_error']:.2g}"
    if row.get("floor") is not None:
        text += f" (floor {row['floor']:.4g})"
    return text


def _duration(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
