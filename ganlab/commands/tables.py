"""Tables for people: fitted to a terminal, whole where output is piped."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

__all__ = ["print_table"]

_GAP = "  "
_LEAST = 24


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; on a terminal the last one wraps, in a pipe nothing is cut or wrapped."""
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
    before_last = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    room = _terminal_width() - before_last if sys.stdout.isatty() else None
    click.secho(_line(header, widths), bold=True)
    for row in rows:
        last = row[-1]
        wrapped = [last] if room is None else textwrap.wrap(last, max(room, _LEAST)) or [""]
        click.echo(_line([*row[:-1], wrapped[0]], widths))
        for continuation in wrapped[1:]:
            click.echo(" " * before_last + continuation)


def _terminal_width() -> int:
    return shutil.get_terminal_size().columns


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
