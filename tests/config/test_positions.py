"""Lines of keys, against texts whose lines are known and against what tomllib reads."""

from __future__ import annotations

import tomllib
from typing import Any

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from ganlab.config.positions import key_lines

TEXT = '''\
# comment = 1
title = "a # b = [c]" # more
a.b."c d" = 1
[image]
size = [ # first
  1,
  [2, 3], # "]"
]

[[losses]]
name = """
not = "a key"
[nor.a.table]
"""
inner = { x = 1, y = { z = 'two' } }
[losses.options]
deep = true
[[losses]]
name = \'\'\'
x = """\'\'\'
[x.y]
[["quoted key".list]]
escaped = "\\"\\\\"
[[losses.parts]]
p = 1
[[losses.parts]]
p = 1979-05-27T07:32:00Z
'''


def paths(value: Any, path: str = "") -> set[str]:
    """Return the dotted path of every key and entry."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    result = {path} - {""}
    for key, inner in items:
        result |= paths(inner, f"{path}.{key}" if path else str(key))
    return result


def test_lines_of_every_construct() -> None:
    assert key_lines(TEXT) == {
        "title": 2,
        "a": 3,
        "a.b": 3,
        "a.b.c d": 3,
        "image": 4,
        "image.size": 5,
        "image.size.0": 6,
        "image.size.1": 7,
        "image.size.1.0": 7,
        "image.size.1.1": 7,
        "losses": 10,
        "losses.0": 10,
        "losses.0.name": 11,
        "losses.0.inner": 15,
        "losses.0.inner.x": 15,
        "losses.0.inner.y": 15,
        "losses.0.inner.y.z": 15,
        "losses.0.options": 16,
        "losses.0.options.deep": 17,
        "losses.1": 18,
        "losses.1.name": 19,
        "x": 21,
        "x.y": 21,
        "quoted key": 22,
        "quoted key.list": 22,
        "quoted key.list.0": 22,
        "quoted key.list.0.escaped": 23,
        "losses.1.parts": 24,
        "losses.1.parts.0": 24,
        "losses.1.parts.0.p": 25,
        "losses.1.parts.1": 26,
        "losses.1.parts.1.p": 27,
    }
    assert set(key_lines(TEXT)) == paths(tomllib.loads(TEXT))


def test_windows_line_ends_count_as_one() -> None:
    assert key_lines("a = 1\r\n[b]\r\nc = '''\r\nx\r\n'''\r\nd = 2\r\n") == {
        "a": 1, "b": 2, "b.c": 3, "b.d": 6
    }  # fmt: skip


_keys = st.text(min_size=1, max_size=6).filter(lambda key: "." not in key)
_scalars = (
    st.booleans()
    | st.integers(-(2**31), 2**31)
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.datetimes()
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_keys, _values, max_size=4), st.booleans())
def test_every_key_of_any_document_is_found(document: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline)
    lines = key_lines(text)
    assert set(lines) == paths(tomllib.loads(text))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
