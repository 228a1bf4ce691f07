"""How long work shows itself: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["counting", "say"]


def say(line: str, progress: bool | None) -> None:
    """Write a line to stderr unless `progress` is off."""
    if progress is not False:
        print(line, file=sys.stderr, flush=True)


@contextmanager
def counting(what: str, total: int, progress: bool | None) -> Iterator[Callable[[int], None]]:
    """Show work on `total` things on stderr, and what it took; yields how to say that n more are done.

    Args:
        what: what is being done, as in "packing images".
        total: how many things there are.
        progress: `None` for a bar on a terminal and plain lines elsewhere, `True` for a
            bar in any case, `False` for silence.
    """
    started = time.perf_counter()
    if progress is False:
        yield lambda done: None
        return
    if progress or sys.stderr.isatty():
        with _bar(what, total) as advance:
            yield advance
    else:
        say(f"{what}: {total:,} …", progress)
        yield lambda done: None
    seconds = time.perf_counter() - started
    say(f"{what}: {total:,} in {seconds:.1f} s ({total / max(seconds, 1e-9):,.0f} a second)", progress)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
