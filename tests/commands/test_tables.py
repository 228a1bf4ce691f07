"""Tables: fitted to a terminal, and whole lines for `grep` and `awk` in a pipe."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganlab.commands.tables import print_table
from ganlab.errors import printable

LONG = "words that go on " * 40
ROWS = [
    ("dataset", "[red]rings[/red]", LONG),
    ("loss", "你好", "short"),
    ("loss", "", "two\nlines \x1b[31m"),
    ("tracker", "none", ""),
]
PRINTING = f"""
from ganlab.commands.tables import print_table
print_table(("KIND", "NAME", "SUMMARY"), {ROWS!r})
"""


def test_in_a_pipe_a_row_is_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table(("KIND", "NAME", "SUMMARY"), ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "KIND     NAME              SUMMARY",
        f"dataset  [red]rings[/red]  {LONG.rstrip()}",
        "loss     你好              short",  # each of the two is as wide as two letters
        "loss                       two\\nlines \\x1b[31m",
        "tracker  none",
    ]


@given(
    st.lists(st.tuples(*[st.text(max_size=9).map(str.strip)] * 3), max_size=5),
    st.frozensets(st.integers(0, 2)),
)
def test_the_lines_are_those_of_a_page_without_an_edge(
    rows: list[tuple[str, str, str]], numbers: frozenset[int]
) -> None:
    page = Console(file=StringIO(), width=1000, color_system=None)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for index, title in enumerate(("ONE", "TWO", "THREE")):
        table.add_column(title, justify="right" if index in numbers else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell, len(cell))) for cell in row))
    with page.capture() as expected:
        page.print(table)
    with redirect_stdout(StringIO()) as printed:
        print_table(("ONE", "TWO", "THREE"), rows, numbers)
    lines = printed.getvalue().removesuffix("\n").split("\n")
    assert lines == [line.rstrip() for line in expected.get().removesuffix("\n").split("\n")]


def test_a_table_without_rows_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "STATUS"), [])
    assert capsys.readouterr().out == "ID  STATUS\n"


def test_the_bytes_of_a_name_that_is_not_text_come_through(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    from ganlab.outlet import Outlet  # as the command line has it

    with pytest.MonkeyPatch.context() as patch, os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        patch.setattr("sys.stdout", Outlet(output))
        print_table(("NAME", "SIZE"), [(os.fsdecode(b"caf\xe9"), "1")])
    assert capfdbinary.readouterr().out == b"NAME  SIZE\ncaf\xe9  1\n"


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_a_terminal_is_filled_and_never_exceeded(
    terminal: Callable[..., tuple[int, str]], columns: int
) -> None:
    code, text = terminal("-c", PRINTING, columns=columns)
    assert code == 0
    assert text.startswith("\x1b[1m")  # the header is bold
    lines = re.sub(r"\x1b\[\d*m", "", text).splitlines()
    assert max(map(len, lines)) <= columns
    assert columns - max(map(len, lines)) < len("words")
    shown = Counter(re.sub(r"\s", "", "".join(lines)))
    assert shown == Counter(
        re.sub(r"\s", "", "KINDNAMESUMMARY" + "".join(printable(cell, len(cell)) for cell in chain(*ROWS)))
    )
    if columns >= 80:  # what is short stays whole
        assert lines[0].split() == ["KIND", "NAME", "SUMMARY"]
        assert [line.split()[:2] for line in lines if line.startswith("tracker")] == [["tracker", "none"]]
