"""Tables for people: fitted to a terminal, whole where output is piped."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

import click

from ganlab.errors import printable

__all__ = ["print_table"]

_NO_EDGE = 1 << 20
"""Width of a page that no line reaches the end of."""


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = ()) -> None:
    """Print aligned columns, fitted to a terminal's width; in a pipe each row is one whole line.

    Args:
        header: the columns' titles.
        rows: a text for each column.
        numbers: columns that are set to the right.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    page = Console(file=sys.stdout, force_terminal=terminal, width=None if terminal else _NO_EDGE)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for index, title in enumerate(header):
        table.add_column(title, overflow="fold", justify="right" if index in numbers else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell, len(cell))) for cell in row))
    with page.capture() as printed:
        page.print(table)
    for line in printed.get().splitlines():
        click.echo(line.rstrip())
