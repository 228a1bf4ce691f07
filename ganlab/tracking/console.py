"""What a person sees while a run trains: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from ganlab import tags
from ganlab.metrics import floor_text, with_error
from ganlab.progress import Display, Phases

__all__ = ["Console"]


class Console:
    """Shows how far a run got and how it is doing.

    On a terminal one line is kept up to date, and everything else scrolls by above it.
    Where the output is a file or a pipe, each log point is a line of its own.

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
        self._quiet = quiet
        self._display = Display(output or sys.stdout, quiet=quiet, clock=clock)
        self._steps = self._display.begin("step", total_steps, start_step)
        self._measuring = Phases(self._display, "measuring")
        self._noted: set[str] = set()

    def advance(self, step: int) -> None:
        """Move the live line to a step, between log points; costs microseconds."""
        self._measuring.end()
        if self._display.is_live:
            self._steps.update(step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show the scalars of a log point, by tag."""
        summary = _summary(values)
        if self._display.is_live:
            self._steps.detail = " · ".join(summary)
            self._steps.update(step)
        elif not self._quiet:
            self._steps.done = step
            total = self._steps.total
            parts = (f"step {step:>{len(str(total))}}/{total}", *summary, self._steps.time_left)
            self._display.say("  ".join(filter(None, parts)))

    def evaluation(self, step: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Show measurements, each as a record of `evaluations.jsonl`.

        Of an evaluator whose metrics say which way is better, those alone are shown: p-values and the
        like are kept for who looks for them.

        Args:
            step: completed steps.
            rows: each has `evaluator`, `metric`, `value`, and may have `better`, `standard_error`, `floor`,
                `floor_standard_error` and `warnings`, each of which is shown once.
        """
        self._measuring.end()
        if self._quiet:
            return
        rows = list(rows)
        judged = {row["evaluator"] for row in rows if row.get("better")}
        for row in rows:
            if row.get("better") or row["evaluator"] not in judged:
                self._display.say(f"step {step}: {_measurement(row)}")
            for warning in row.get("warnings") or ():
                if warning not in self._noted:
                    self._noted.add(warning)
                    self._display.say(f"    note: {warning}")

    def working(self, what: str, done: int, total: int) -> None:
        """Show how far a measurement is; where there is no live line, only if it takes long."""
        self._measuring(what, done, total)

    def message(self, text: str) -> None:
        """Show a line of text."""
        self._display.say(text)

    def close(self) -> None:
        """Leave the live line as it stands."""
        self._measuring.end()
        self._display.close(keep=True)


def _summary(values: Mapping[str, float]) -> list[str]:
    """Return the few scalars that tell how a run is doing."""
    shown = {
        tags.total_loss("discriminator"): "D loss {:#.4g}",
        tags.total_loss("generator"): "G loss {:#.4g}",
        tags.ACCURACY: "D accuracy {:.0%}",
        tags.IMAGES_PER_SECOND: "{:,.0f} images/s",
    }
    return [pattern.format(values[tag]).rstrip(".") for tag, pattern in shown.items() if tag in values]


def _measurement(row: Mapping[str, Any]) -> str:
    evaluator, metric = row["evaluator"], row["metric"]
    name = evaluator if evaluator == metric else f"{evaluator} {metric}"
    text, floor = f"{name} {with_error(row['value'], row.get('standard_error'))}", row.get("floor")
    return text if floor is None else f"{text} (floor {floor_text(floor, row.get('floor_standard_error'))})"
