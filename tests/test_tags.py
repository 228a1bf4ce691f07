"""What is spelled in one place can be told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ganlab import tags

WORDS = st.from_regex(r"[ab][ab-]{0,4}", fullmatch=True)


@given(WORDS, WORDS, WORDS, WORDS)
def test_no_two_evaluators_have_a_picture_of_the_same_name(
    one: str, shown: str, other: str, shown_there: str
) -> None:
    same = tags.evaluated_picture(one, shown) == tags.evaluated_picture(other, shown_there)
    assert same == ((one, shown) == (other, shown_there))


def test_pictures_of_evaluators_with_usual_names() -> None:
    assert tags.evaluated_picture("memorisation", "nearest-training") == "memorisation-nearest-training"
    assert tags.evaluated_picture("a-b", "c") == "a--b-c"
    assert tags.evaluated_picture("a", "b-c") == "a-b-c"
