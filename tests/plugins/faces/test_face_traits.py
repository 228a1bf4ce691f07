"""Traits of the drawn faces: pure, independent, in the shares that they should have."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganlab_faces import FacesOptions
from ganlab_faces.attributes import ATTRIBUTES
from ganlab_faces.draws import Draws, _uniforms
from ganlab_faces.sampling import sample_face

pytestmark = pytest.mark.slow


def test_uniforms_are_those_of_splitmix64() -> None:
    # The published reference outputs for the seed 1234567.
    reference = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert _uniforms(1234567)[:5] == [(value >> 11) * 2.0**-53 for value in reference]


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**40))
def test_a_face_is_a_pure_function_of_seed_and_index(seed: int, index: int) -> None:
    assert sample_face(seed, index) == sample_face(seed, index)
    assert sample_face(seed, index) != sample_face(seed, index + 1)
    assert sample_face(seed, index) != sample_face(seed + 1, index)


def test_neighbouring_seeds_share_no_face() -> None:
    first = {repr(sample_face(0, index)) for index in range(500)}
    second = {repr(sample_face(1, index)) for index in range(500)}
    assert len(first) == len(second) == 500
    assert not first & second


def test_shares_follow_the_weights() -> None:
    draws = [Draws(3, index) for index in range(20_000)]
    counts = Counter(draw.choose({"a": 1.0, "b": 2.0, "c": 5.0}) for draw in draws)
    # Three standard deviations of a binomial share are below 0.011.
    assert [counts[name] / 20_000 for name in "abc"] == pytest.approx([0.125, 0.25, 0.625], abs=0.011)


def test_a_bell_stays_within_its_ends_and_is_centred() -> None:
    values = [Draws(5, index).bell(-1.0, 3.0) for index in range(10_000)]
    assert -1.0 <= min(values) < max(values) < 3.0
    # Its variance is (high - low)² / 24.
    assert sum(values) / len(values) == pytest.approx(1.0, abs=3 * (16 / 24 / 10_000) ** 0.5)


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_every_value_of_an_attribute_occurs(name: str) -> None:
    attribute = ATTRIBUTES[name]
    seen = {attribute.of(sample_face(0, index)) for index in range(2_000)}
    assert seen == set(attribute.names)
    assert len(attribute.names) == len(set(attribute.names))


def test_the_labels_option_names_the_attributes() -> None:
    assert get_args(FacesOptions.model_fields["labels"].annotation) == ("none", *ATTRIBUTES)
