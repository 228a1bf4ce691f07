"""A text that is not TOML: what is wrong with it, in plain words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ganlab.config.toml import NotTomlError, parse_toml
from ganlab.errors import Problem

Refused = Callable[..., list[Problem]]

OPEN_TEXT = "a text is not closed: its last quote is missing"
LINE_ENDS = "the line must end here: each `key = value` has a line of its own, and text stands in quotes"
BACKSLASH = (
    "in double quotes a backslash must be written twice; in single quotes once will do, as in 'C:\\data'"
)
VALUE = "a value is missing or cannot be read: put text in quotes; true and false are lower case"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("[training]\na = 1\n[training]", "there is a table [training] already", 3),
        ("[a.b]\nc = 1\n[a.b]", "there is a table [a.b] already", 3),
        ("a = 1\na = 2\n", "this key is defined twice", 2),
        ("a = { b = 1, b = 2 }", "the key `b` is defined twice", 1),
        (
            "a = { b = 1 }\na.c = 2\n",
            "`a` was defined in full above; nothing can be added to it here",
            2,
        ),
        ("a 1", "there must be a `=` and a value after a key", 1),
        ("[a\nb = 1", "`]` is missing after the table's name", 1),
        ("[[a]\n", "`]]` is missing after the table's name", 1),
        ("a = 1 b = 2", LINE_ENDS, 1),
        ("a = 'x\nb = 1", OPEN_TEXT, None),
        ('a = "x\nb = 1', OPEN_TEXT, 1),
        ('a = """x', OPEN_TEXT, 1),
        ("a = [1 2]", "an array is not closed: a `]`, or a comma between two values, is missing", 1),
        ("a = { b = 1 c = 2 }", "a table is not closed: a `}`, or a comma between two keys, is missing", 1),
        (
            'a = "C:\\data"',
            BACKSLASH,
            1,
        ),
        ('a = "\\ud800"', "no character has this number", 1),
        ("a = gpu", VALUE, 1),
        ("a = True", VALUE, 1),
        ("a = \n", VALUE, 1),
        ("[]", "a key is missing: letters, digits, `_` and `-`, or anything in quotes", 1),
        ("*", "this is neither a `key = value` nor a `[table]`", 1),
        ('a = "\x01"', r"the character '\x01' is not allowed here", 1),
        ("a = " + "[" * 9999, "arrays or tables are nested too deeply", None),
        ("a = " + "9" * 5000, "a number has too many digits", None),
    ],
    ids=range(24),
)
def test_what_is_wrong_is_told_in_plain_words(text: str, message: str, line: int | None) -> None:
    with pytest.raises(NotTomlError) as caught:
        parse_toml(text)
    assert caught.value.message == message
    assert line is None or caught.value.line == line


def test_an_experiment_that_is_not_toml_has_its_place(refused: Refused, base: str) -> None:
    assert [str(problem) for problem in refused(f"{base}[training]\n")] == [
        "experiment.toml:17:10: not valid TOML: there is a table [training] already"
    ]
    (problem,) = refused(base, "dataset.spread=[1")
    assert problem.message.endswith(
        "an array is not closed: a `]`, or a comma between two values, is missing"
    )
