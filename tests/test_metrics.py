"""Measured numbers as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganlab.metrics import floor_text, with_error

ERRORS = st.floats(1e-9, 1e9)
VALUES = st.floats(-1e9, 1e9)


@given(VALUES, ERRORS)
def test_a_number_has_the_decimals_of_its_error_which_has_two_digits(value: float, error: float) -> None:
    first, second = with_error(value, error).split(" ± ")
    plain = re.compile(r"-?\d+(?:\.(\d+))?")
    decimals = [len(found[1] or "") for found in map(plain.fullmatch, (first, second)) if found]
    assert len(decimals) == 2 and decimals[0] == decimals[1]  # and neither has a power of ten
    assert float(second) == float(f"{error:.2g}")
    assert len(second.replace(".", "").lstrip("0")) >= 2
    assert float(first) == pytest.approx(value, rel=1e-12, abs=0.50001 * 10 ** -decimals[0])


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (385.2, 118.0, "385 ± 120"),
        (1811.4, 170.0, "1811 ± 170"),
        (0.746, 0.007, "0.7460 ± 0.0070"),
        (2.0, 9.96, "2 ± 10"),
        (0.5, 0.00996, "0.500 ± 0.010"),
        (-1.25, 1.0, "-1.2 ± 1.0"),
        (0.25, 0.0, "0.25 ± 0"),
        (0.25, float("nan"), "0.25 ± nan"),
        (float("nan"), 0.1, "nan ± 0.10"),
        (0.123456, None, "0.1235"),
        (18114.2, None, "18114"),
        (1.25e20, None, "1.25e+20"),
    ],
)
def test_numbers_as_people_write_them(value: float, error: float | None, text: str) -> None:
    assert with_error(value, error) == text


@pytest.mark.parametrize(
    ("floor", "error", "text"),
    [
        (0.000123, 0.00031, "0.00012"),
        (0.00123456, None, "0.00123"),
        (-0.0001, None, "-0.0001"),
        (1234.5, None, "1234"),
        (999.7, 0.0, "1000"),
    ],
)
def test_a_floor_goes_by_its_own_error(floor: float, error: float | None, text: str) -> None:
    assert floor_text(floor, error) == text
