"""A number and the word that goes with it."""

from __future__ import annotations

import pytest

from ganlab.words import counted


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 samples"), (1, "1 sample"), (2, "2 samples"), (1200, "1,200 samples")]
)
def test_one_is_not_several(number: int, told: str) -> None:
    assert counted(number, "sample") == told


def test_what_has_a_plural_of_its_own() -> None:
    assert [counted(number, "class", "classes") for number in (1, 10)] == ["1 class", "10 classes"]
