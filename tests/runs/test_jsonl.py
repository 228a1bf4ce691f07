"""Lines that are whole, standard JSON, and read back as they were written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganlab.runs.encoding import to_json
from ganlab.runs.jsonl import JsonLinesWriter, last_line


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), st.floats() | st.integers() | st.none() | st.booleans(), max_size=4)
)
def test_json_is_standard_and_loses_nothing(values: dict[str, float]) -> None:
    parsed = json.loads(to_json(values), parse_constant=refuse_constant)
    restored = {key: float(item) if isinstance(item, str) else item for key, item in parsed.items()}
    assert str(restored) == str(values)


def test_lines_come_back(path: Path) -> None:
    writer = JsonLinesWriter(path)
    writer.write(50, {"loss": 0.5, "bad": math.nan, "worse": -math.inf, "warnings": ["a"], "none": None})
    first = last_line(path) or {}
    assert first.pop("time") > 0
    assert (
        str(first) == "{'step': 50, 'loss': 0.5, 'bad': nan, 'worse': -inf, 'warnings': ['a'], 'none': None}"
    )
    writer.write(100, {"loss": 0.25})
    assert steps(path) == [50, 100]
    assert (last_line(path) or {})["loss"] == 0.25


def test_a_torn_line_is_passed_over_and_then_cut(path: Path) -> None:
    JsonLinesWriter(path).write(50, {"loss": 1})
    with path.open("a") as file:
        file.write('{"step": 100, "lo')
    assert (last_line(path) or {})["step"] == 50
    JsonLinesWriter(path).write(100, {"loss": 2})
    assert steps(path) == [50, 100]


def test_the_last_of_many(path: Path) -> None:
    assert last_line(path) is None
    writer = JsonLinesWriter(path)
    for step in range(4000):
        writer.write(step, {"text": "ü" * 40})
    assert (last_line(path) or {})["step"] == 3999


def test_rewinding_keeps_the_past_and_goes_on(path: Path) -> None:
    writer = JsonLinesWriter(path)
    for step in (50, 100):
        writer.write(step, {})
    mark = writer.mark()
    writer.write(150, {})
    writer.close()
    writer = JsonLinesWriter(path)
    writer.rewind(mark)
    writer.rewind(mark + 1000)
    writer.write(120, {})
    assert steps(path) == [50, 100, 120]
