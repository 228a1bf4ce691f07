from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganlab.evaluation.banks import FeatureBank, Moments
from ganlab.evaluation.standardise import Standardiser


def sample(n: int, d: int = 5, seed: int = 0, offset: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) + offset


def assert_same(one: Moments, other: Moments, rtol: float = 1e-12) -> None:
    assert one.count == other.count
    torch.testing.assert_close(one.mean, other.mean, rtol=rtol, atol=1e-12)
    torch.testing.assert_close(one.covariance, other.covariance, rtol=rtol, atol=1e-12)


def test_moments_are_the_definition() -> None:
    features = sample(50)
    moments = Moments.of(features)
    torch.testing.assert_close(moments.mean, features.mean(0), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(moments.covariance, torch.cov(features.T), rtol=1e-13, atol=1e-14)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(0, 5))
def test_streamed_and_merged_are_the_whole(sizes: list[int], seed: int) -> None:
    total = sum(sizes)
    if total < 2:
        sizes, total = [2], 2
    features = sample(total, seed=seed)
    whole, streamed = Moments.of(features), Moments(5)
    for batch in features.split(sizes):
        streamed.update(batch)
    assert_same(streamed, whole)
    assert_same(Moments.merged(Moments.of(shard) for shard in features.split(sizes)), whole)


def test_a_large_offset_costs_no_digits() -> None:
    plain, far = Moments(5), Moments(5)
    for batch in sample(1000).split(64):
        plain.update(batch)
        far.update(batch + 1e6)
    torch.testing.assert_close(far.covariance, plain.covariance, rtol=1e-8, atol=1e-9)


def test_merging_leaves_the_shards_alone() -> None:
    one, other = Moments.of(sample(10)), Moments.of(sample(10, seed=1))
    before = one.scatter.clone(), one.mean.clone()
    Moments.merged([one, other])
    assert torch.equal(one.scatter, before[0]) and torch.equal(one.mean, before[1]) and one.count == 10


def test_affine_is_the_moments_of_the_mapped_features() -> None:
    features, shift, factor = sample(30), torch.arange(5.0).double(), torch.arange(1.0, 6.0).double()
    assert_same(Moments.of(features).affine(shift, factor), Moments.of((features - shift) * factor))


def test_a_bank_computes_moments_on_demand() -> None:
    bank = FeatureBank(sample(20).float())
    assert bank.n == 20 and bank.dimension == 5
    assert_same(bank.moments, Moments.of(sample(20).float()))
    assert bank.moments is bank.moments


def test_a_bank_of_moments_alone_knows_its_size() -> None:
    bank = FeatureBank(moments=Moments.of(sample(20)))
    assert (bank.n, bank.dimension, bank.features) == (20, 5, None)


def test_a_bank_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="features or moments"):
        FeatureBank()


def test_standardising_floors_the_variance_of_dead_features() -> None:
    features = sample(400).float() * torch.tensor([1.0, 1.0, 1.0, 1e-6, 0.0])
    standardiser = Standardiser.fit(FeatureBank(features))
    variance = standardiser.scale.square()
    median = float(features.double().var(0)[:4].median())
    assert variance[3:].tolist() == pytest.approx([0.1 * median] * 2)
    mapped = standardiser.apply(FeatureBank(features)).moments
    assert mapped.mean.abs().max() < 1e-6
    assert mapped.covariance.diagonal()[:3].tolist() == pytest.approx([1.0] * 3, rel=1e-5)
    assert mapped.covariance.diagonal()[3:].max() < 1e-6


def test_standardising_moments_and_features_agree() -> None:
    features = sample(100).float()
    standardiser = Standardiser.fit(FeatureBank(sample(100, seed=1)))
    moments = standardiser.apply(FeatureBank(moments=Moments.of(features))).moments
    assert_same(moments, Moments.of((features.double() - standardiser.mean) / standardiser.scale))


def test_a_standardiser_survives_its_state() -> None:
    standardiser = Standardiser.fit(FeatureBank(sample(100)))
    restored = Standardiser.from_state(standardiser.state_dict())
    assert torch.equal(restored.mean, standardiser.mean) and torch.equal(restored.scale, standardiser.scale)
