"""Tables for people: fitted to a terminal, whole where output is piped."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence

import click

from ganlab.errors import printable

__all__ = ["print_facts", "print_table", "print_terms", "print_text"]

_NO_EDGE = 1 << 20
"""Width of a page that no line reaches the end of."""

_WIDEST = 100
"""Letters of a line of prose, however wide a terminal is."""


_HEADING = "\ue000"
"""Keeps the place of a heading, which has no column of its own, until the columns are as wide as they are."""


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[int] = (),
    headings: Mapping[int, tuple[str, str]] | None = None,
) -> None:
    """Print aligned columns, fitted to a terminal's width; in a pipe each row is one whole line.

    Args:
        header: the columns' titles.
        rows: a text for each column.
        numbers: columns that are set to the right.
        headings: what stands above a row, by its index: a title, and a line or more under it.
    """
    shown = []
    waiting = []
    for index, row in enumerate(rows):
        if headings and index in headings:
            shown.append([_HEADING] + [""] * (len(header) - 1))
            waiting.append(headings[index])
        shown.append([printable(cell, len(cell)) for cell in row])
    lines = _fitted if sys.stdout.isatty() else _whole
    for line in lines(header, shown, numbers):
        if line.startswith(_HEADING):
            title, text = waiting.pop(0)
            click.echo("\n" + click.style(printable(title, len(title)), bold=True))
            if text:
                print_text(text)
        else:
            click.echo(line.rstrip())


def _fitted(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int]) -> Sequence[str]:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    page = Console(file=sys.stdout, force_terminal=True)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for index, title in enumerate(header):
        table.add_column(title, overflow="fold", justify="right" if index in numbers else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    with page.capture() as printed:
        page.print(table)
    return printed.get().splitlines()


def _whole(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int]) -> Iterator[str]:
    """Yield the lines that a page without an edge would have, for which rich takes ten times as long."""
    from rich.cells import cell_len

    table = [header, *rows]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    for row in table:
        gaps = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        pairs = enumerate(zip(row, gaps, strict=True))
        yield "  ".join(gap + cell if index in numbers else cell + gap for index, (cell, gap) in pairs)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print words with what is to be said of each beside it, wrapped to a terminal's width."""
    widest = max(len(word) for word, _ in facts)
    for word, text in facts:
        _print_wrapped(text, f"{printable(word, len(word)):<{widest}}  ", " " * (widest + 2))


def print_terms(terms: Sequence[tuple[str, str, str]]) -> None:
    """Print terms, each with a note behind it and a text under it, wrapped to a terminal's width."""
    for term, note, text in terms:
        shown, beside = printable(term, len(term)), printable(f"# {note}", len(note) + 2)
        bold = "  " + click.style(shown, bold=True)
        if len(f"  {shown}  {beside}") <= _width():
            click.echo(f"{bold}  {click.style(beside, dim=True)}")
        else:
            click.echo(bold)
            _print_wrapped(note, "      # ", "        ")
        if text:
            _print_wrapped(text, "      ", "      ")


def print_text(text: str) -> None:
    """Print a paragraph, wrapped to a terminal's width."""
    _print_wrapped(text, "", "")


def _print_wrapped(text: str, first: str, others: str) -> None:
    shown = printable(text, len(text))
    lines = textwrap.wrap(
        shown, _width(), initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )
    click.echo("\n".join(lines or [first.rstrip()]))


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _WIDEST) if sys.stdout.isatty() else _NO_EDGE
