from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganlab.data.order import coins, permutation
from ganlab.data.split import split


@given(st.integers(1, 500), st.floats(0, 1, exclude_max=True), st.integers(0, 2**63 - 1))
def test_a_split_divides_everything(count: int, holdout: float, seed: int) -> None:
    divided = split(count, holdout, seed)
    together = np.concatenate([divided.training, divided.holdout])
    assert sorted(together.tolist()) == list(range(count))
    assert len(divided.training) >= 1
    for part in (divided.training, divided.holdout):
        assert (np.diff(part) > 0).all() and part.dtype == np.int64
    again = split(count, holdout, seed)
    assert np.array_equal(again.training, divided.training)


@given(st.data(), st.integers(2, 200), st.floats(0, 0.5), st.integers(0, 2**63 - 1))
def test_copies_are_on_one_side(data: st.DataObject, count: int, holdout: float, seed: int) -> None:
    of = np.array(data.draw(st.lists(st.integers(0, 20), min_size=count, max_size=count)))
    _, first, inverse = np.unique(of, return_index=True, return_inverse=True)
    divided = split(count, holdout, seed, first[inverse])
    together = np.concatenate([divided.training, divided.holdout])
    assert sorted(together.tolist()) == list(range(count)) and len(divided.training) >= 1
    shared = set(of[divided.training]) & set(of[divided.holdout])
    assert not shared or 2 * np.bincount(of).max() >= count  # one image is most of the data
    if holdout:
        most = np.bincount(of).max()
        assert abs(len(divided.holdout) - max(1, round(count * holdout))) <= most


@given(st.integers(1, 500), st.floats(0, 1, exclude_max=True), st.integers(0, 2**63 - 1))
def test_data_without_copies_is_divided_as_ever(count: int, holdout: float, seed: int) -> None:
    plain, asked = split(count, holdout, seed), split(count, holdout, seed, np.arange(count))
    assert np.array_equal(plain.holdout, asked.holdout)


def test_shares() -> None:
    assert len(split(8000, 0.1, 0).holdout) == 800
    assert len(split(10, 0.0, 0).holdout) == 0
    assert len(split(4, 0.1, 0).holdout) == 1
    assert len(split(1, 0.5, 0).holdout) == 0
    with pytest.raises(ValueError, match="no samples"):
        split(0, 0.1, 0)
    with pytest.raises(ValueError, match="must lie in"):
        split(5, 1.0, 0)


def test_a_larger_holdout_has_the_smaller_one_in_it() -> None:
    small, large = split(1000, 0.1, 3), split(1000, 0.3, 3)
    assert set(small.holdout) < set(large.holdout)
    assert not np.array_equal(split(1000, 0.1, 4).holdout, small.holdout)


def test_the_order_is_the_same_for_ever() -> None:
    # Golden values: a change here would silently shuffle every experiment anew.
    assert permutation(8, 0, "order", 0).tolist() == [3, 5, 7, 2, 1, 4, 6, 0]
    assert split(10, 0.3, 0).holdout.tolist() == [5, 8, 9]
    assert coins(8, 0, "mirror", 5).tolist() == [True, False, True, True, False, True, True, True]


def test_every_place_is_equally_likely() -> None:
    # χ² of first places over 6 values, 5 degrees of freedom: above 20.5 once in a thousand.
    firsts = [permutation(6, seed, "order", 0)[0] for seed in range(3000)]
    counts = np.bincount(firsts, minlength=6)
    assert ((counts - 500) ** 2 / 500).sum() < 20.5
    assert abs(coins(10_000, 1, "mirror", 0).mean() - 0.5) < 0.02
