from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from ganlab.evaluation.statistics_cache import StatisticsCache

KEY = {"data": "abc", "moments": [5, 10]}
TENSORS = {"features": torch.rand(4, 3), "mean.5": torch.rand(3, dtype=torch.float64)}


@pytest.fixture
def cache(tmp_path: Path) -> StatisticsCache:
    return StatisticsCache(tmp_path / "statistics")


def test_what_was_saved_comes_back(cache: StatisticsCache) -> None:
    assert cache.load(KEY) is None
    cache.save(KEY, TENSORS)
    loaded = cache.load(KEY)
    assert loaded is not None and loaded.keys() == TENSORS.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in TENSORS.items())


def test_another_key_is_another_entry(cache: StatisticsCache) -> None:
    cache.save(KEY, TENSORS)
    assert cache.load({**KEY, "data": "abd"}) is None
    assert cache.path({"moments": [5, 10], "data": "abc"}) == cache.path(KEY)


def test_only_whole_files_lie_in_the_directory(cache: StatisticsCache) -> None:
    cache.save(KEY, TENSORS)
    cache.save(KEY, TENSORS)
    assert list(cache.path(KEY).parent.iterdir()) == [cache.path(KEY)]


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "text"])
def test_damage_is_reported_and_computed_again(
    cache: StatisticsCache, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache.save(KEY, TENSORS)
    path = cache.path(KEY)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    broken = {
        "empty": b"",
        "truncated": bytes(content[:-8]),
        "flipped": bytes(content),
        "text": b"not a tensor" * 99,
    }
    path.write_bytes(broken[damage])
    with caplog.at_level(logging.WARNING):
        assert cache.load(KEY) is None
    assert str(path) in caplog.text
    cache.save(KEY, TENSORS)
    assert cache.load(KEY) is not None


def test_a_directory_that_cannot_be_written_costs_a_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    cache = StatisticsCache(tmp_path / "file" / "statistics")
    with caplog.at_level(logging.WARNING):
        cache.save(KEY, TENSORS)
    assert "not kept for the next run" in caplog.text
