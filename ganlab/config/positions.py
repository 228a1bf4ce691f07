"""On which line each key of a TOML text stands.

`tomllib` reports values without their places. This scanner reads text that
`tomllib` has already accepted, so it need not judge, only follow.
"""

from __future__ import annotations

import bisect
import re
import tomllib

__all__ = ["join_path", "key_lines"]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:""?(?!"))?'
    r"|'''.*?'''(?:''?(?!'))?"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)


def key_lines(text: str) -> dict[str, int]:
    """Return the 1-based line of every key, table and array entry, by dotted path.

    Entries of arrays carry their index, as in `losses.0.weight`.

    Args:
        text: valid TOML.
    """
    return _Scanner(text).scan()


class _Scanner:
    """Follows TOML from key to key; `_position` is where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lines: dict[str, int] = {}
        self._entries: dict[str, int] = {}

    def scan(self) -> dict[str, int]:
        """Read the whole text."""
        table = ""
        while self._skip_space():
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _skip_space(self) -> bool:
        self._position = self._match(_SPACE).end()
        return self._position < len(self._text)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._position)
        if match is None:
            raise ValueError(f"cannot follow the TOML at offset {self._position}")
        return match

    def _peek(self, start: str) -> bool:
        return self._text.startswith(start, self._position)

    def _line(self) -> int:
        return bisect.bisect_right(self._starts, self._position)

    def _header(self) -> str:
        """Read `[a.b]` or `[[a.b]]` and return the path of the table that it opens."""
        line = self._line()
        is_entry = self._peek("[[")
        self._position += 2 if is_entry else 1
        keys = self._keys()
        self._position += 2 if is_entry else 1
        path = ""
        for key in keys[:-1]:
            path = self._enter(join_path(path, key), line)
        path = join_path(path, keys[-1])
        if not is_entry:
            self._lines[path] = line
            return path
        self._lines.setdefault(path, line)
        self._entries[path] = self._entries.get(path, -1) + 1
        self._lines[entry := f"{path}.{self._entries[path]}"] = line
        return entry

    def _enter(self, path: str, line: int) -> str:
        """Return the table that a key on the way stands for: of an array, its newest entry."""
        self._lines.setdefault(path, line)
        return f"{path}.{self._entries[path]}" if path in self._entries else path

    def _keys(self) -> list[str]:
        """Read a dotted key up to what follows it."""
        keys = []
        while True:
            self._skip_space()
            keys.append(self._key())
            self._skip_space()
            if not self._peek("."):
                return keys
            self._position += 1

    def _key(self) -> str:
        quoted = self._peek('"') or self._peek("'")
        match = self._match(_STRING if quoted else _BARE_KEY)
        self._position = match.end()
        return str(tomllib.loads(f"key = {match.group()}")["key"]) if quoted else match.group()

    def _pair(self, table: str) -> None:
        """Read `key = value` inside a table."""
        line = self._line()
        path = table
        for key in self._keys():
            path = join_path(path, key)
            self._lines.setdefault(path, line)
        self._position += 1
        self._value(path)

    def _value(self, path: str) -> None:
        self._skip_space()
        if self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline_table(path)
        elif self._peek('"') or self._peek("'"):
            self._position = self._match(_STRING).end()
        else:
            self._position = self._match(_SCALAR).end()

    def _array(self, path: str) -> None:
        self._position += 1
        index = 0
        while self._skip_space() and not self._peek("]"):
            self._lines[f"{path}.{index}"] = self._line()
            self._value(f"{path}.{index}")
            self._skip_comma()
            index += 1
        self._position += 1

    def _inline_table(self, path: str) -> None:
        self._position += 1
        while self._skip_space() and not self._peek("}"):
            self._pair(path)
            self._skip_comma()
        self._position += 1

    def _skip_comma(self) -> None:
        self._skip_space()
        if self._peek(","):
            self._position += 1


def join_path(path: str, key: str) -> str:
    """Return the dotted path of a key in a table; in quotes where it would be taken for several, or none."""
    quoted = f'"{key}"' if not key or "." in key else key
    return f"{path}.{quoted}" if path else quoted
