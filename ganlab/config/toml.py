r"""Reading TOML, and saying in plain words where a text is none.

`tomllib` speaks to people who know its grammar: of `[training]` twice, it says
"Cannot declare ('training',) twice (at line 9, column 10)".
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["NotTomlError", "parse_toml"]

_AT = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_DIGITS = re.compile(rf"\d(?:_?\d){{{sys.int_info.default_max_str_digits}}}")
_OPEN_TEXT = "a text is not closed: its last quote is missing"


@dataclass
class NotTomlError(ValueError):
    """A text that is not TOML.

    Attributes:
        message: what is wrong with it.
        line: 1-based; `None` where that is not known.
        column: 1-based.
    """

    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return f"{self.message} (line {self.line})" if self.line else self.message


def parse_toml(text: str) -> dict[str, Any]:
    """Return the nested tables of a TOML text.

    Raises:
        NotTomlError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _explained(str(error), text) from error
    except RecursionError as error:
        raise NotTomlError("arrays or tables are nested too deeply") from error
    except ValueError as error:  # Python's own limit to the digits of a number
        digits = _DIGITS.search(text)
        line = text.count("\n", 0, digits.start()) + 1 if digits else None
        raise NotTomlError("a number has too many digits", line) from error


def _explained(error: str, text: str) -> NotTomlError:
    at = _AT.search(error)
    message = _AT.sub("", error)
    line, column = (int(at["line"]), int(at["column"])) if at and at["line"] else (text.count("\n") + 1, None)
    for pattern, words in _WORDS.items():
        if match := re.fullmatch(pattern, message):
            return NotTomlError(words(match) if callable(words) else words, line, column)
    return NotTomlError(message[0].lower() + message[1:], line, column)


def _path(match: re.Match[str]) -> str:
    return ".".join(ast.literal_eval(match[1]))


def _stray(match: re.Match[str]) -> str:
    character = ast.literal_eval(match[1])
    return _OPEN_TEXT if character in "\r\n" else f"the character {match[1]} is not allowed here"


_WORDS: dict[str, str | Callable[[re.Match[str]], str]] = {
    r"Cannot declare (\(.*\)) twice": lambda match: f"there is a table [{_path(match)}] already",
    r"Cannot redefine namespace (\(.*\))": lambda match: f"there is a table [{_path(match)}] already",
    r"Cannot mutate immutable namespace (\(.*\))": lambda match: (
        f"`{_path(match)}` was defined in full above; nothing can be added to it here"
    ),
    r"Cannot overwrite a value": "this key is defined twice",
    r"Duplicate inline table key ('.*'|\".*\")": lambda match: (
        f"the key `{ast.literal_eval(match[1])}` is defined twice"
    ),
    r"Expected '=' after a key in a key/value pair": "there must be a `=` and a value after a key",
    r"Expected '\]' at the end of a table declaration": "`]` is missing after the table's name",
    r"Expected '\]\]' at the end of an array declaration": "`]]` is missing after the table's name",
    r"Expected newline or end of document after a statement": (
        "the line must end here: each `key = value` has a line of its own, and text stands in quotes"
    ),
    r"Expected .*": _OPEN_TEXT,
    r"Unterminated string": _OPEN_TEXT,
    r"Found invalid character (.*)": _stray,
    r"Illegal character (.*)": _stray,
    r"Unclosed array": "an array is not closed: a `]`, or a comma between two values, is missing",
    r"Unclosed inline table": "a table is not closed: a `}`, or a comma between two keys, is missing",
    r"Unescaped '.*' in a string": (
        "in double quotes a backslash must be written twice; in single quotes once will do, as in 'C:\\data'"
    ),
    r"Invalid hex value": "`\\u` must be followed by 4 hexadecimal digits, `\\U` by 8",
    r"Escaped character is not a Unicode scalar value": "no character has this number",
    r"Invalid date or datetime": "there is no such date or time",
    r"Invalid value": (
        "a value is missing or cannot be read: put text in quotes; true and false are lower case"
    ),
    r"Invalid initial character for a key part": (
        "a key is missing: letters, digits, `_` and `-`, or anything in quotes"
    ),
    r"Invalid statement": "this is neither a `key = value` nor a `[table]`",
}
"""What `tomllib` says (as a pattern) -> what that means."""
