from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganlab import FeatureExtractor
from ganlab.errors import GanlabError
from ganlab.evaluation.collector import Collector, Demand
from ganlab.evaluation.extraction import extract, rebatch

CPU = torch.device("cpu")


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 7), st.integers(1, 60))
def test_rebatching_keeps_order_and_count(sizes: list[int], size: int, count: int) -> None:
    stream = torch.arange(sum(sizes)).split(sizes) if sizes else ()
    if sum(sizes) < count:
        with pytest.raises(
            ValueError, match=f"asked for {count} samples?, the stream ended after {sum(sizes)}"
        ):
            list(rebatch(stream, size, count))
        return
    batches = list(rebatch(stream, size, count))
    assert torch.cat(batches).tolist() == list(range(count))
    assert all(len(batch) == size for batch in batches[:-1]) and 0 < len(batches[-1]) <= size


def test_rebatching_leaves_the_rest_unread() -> None:
    def stream() -> object:
        yield torch.zeros(4)
        raise AssertionError("read beyond what was asked for")

    assert len(list(rebatch(stream(), 2, 4))) == 2  # type: ignore[arg-type]


class Fixed(FeatureExtractor):
    def __init__(self, features: torch.Tensor) -> None:
        self.features = features

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        return self.features

    def fingerprint(self) -> str:
        return "fixed"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.zeros(3), r"shape \(3,\)"),
        (torch.zeros(2, 4), r"extracting 3 samples .* shape \(2, 4\); it must be float32 of shape \(3, d\)"),
        (torch.zeros(3, 4, dtype=torch.int64), "torch.int64"),
        (torch.tensor([[0.0], [torch.nan], [torch.inf]]), "not finite, first for sample 1 of a batch of 3"),
        (
            torch.tensor([[0.0], [-1e19], [0.0]]),
            r"features reach 1e\+19, and distances between such are beyond",
        ),
    ],
)
def test_broken_features_are_named(features: torch.Tensor, message: str) -> None:
    with pytest.raises(GanlabError, match=f"^features `fixed`.*{message}"):
        extract(Fixed(features), torch.zeros(3), CPU, "features `fixed`")


def test_features_are_computed_exactly_whatever_the_caller_does() -> None:
    class Product(Fixed):
        def extract(self, samples: torch.Tensor) -> torch.Tensor:
            assert torch.get_float32_matmul_precision() == "highest"
            return samples @ samples.T

    samples = torch.rand(8, 8, requires_grad=True)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            features = extract(Product(samples), samples, CPU, "")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert not features.requires_grad
    assert torch.equal(features, (samples @ samples.T).detach())


def test_a_demand_covers_its_evaluators() -> None:
    demand = Demand.of([("features", 10), ("moments", 30), ("features", 20), ("moments", 5), ("moments", 30)])
    assert (demand.features, demand.moments, demand.count) == (20, (5, 30), 30)
    assert demand.limited(12) == Demand(12, (5, 12))


def collected(demand: Demand, features: torch.Tensor, size: int = 7) -> Collector:
    collector = Collector(demand)
    for batch in features[: demand.count].split(size):
        collector.add(batch)
    return collector


def test_banks_are_prefixes_of_the_pass() -> None:
    features = torch.rand(40, 3)
    collector = collected(Demand(20, (5, 30)), features)
    kept = collector.bank("features", 10).features
    assert kept is not None and torch.equal(kept, features[:10])
    few = collector.bank("moments", 5)
    torch.testing.assert_close(few.moments.covariance, torch.cov(features[:5].double().T))
    torch.testing.assert_close(collector.bank("moments", 30).moments.mean, features[:30].double().mean(0))
    assert collector.bank("moments", 30).features is None


def test_features_stay_where_they_are_smaller_than_the_covariance() -> None:
    features = torch.rand(40, 8)
    collector = collected(Demand(0, (8, 40)), features)
    kept = collector.bank("moments", 8).features
    assert kept is not None and torch.equal(kept, features[:8])
    assert collector.bank("moments", 40).features is None


@pytest.mark.parametrize("demand", [Demand(20, (5, 30)), Demand(0, (2, 40)), Demand(6, ())])
def test_a_collector_survives_its_tensors(demand: Demand) -> None:
    collector = collected(demand, torch.rand(40, 3))
    restored = Collector.restore(demand, collector.tensors())
    for needs, count in [("features", demand.features), *(("moments", count) for count in demand.moments)]:
        if count:
            one, other = collector.bank(needs, count), restored.bank(needs, count)
            assert torch.equal(one.moments.scatter, other.moments.scatter)
            assert (one.features is None) == (other.features is None)
