from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

from ganlab import ImageSpec, VectorSpec
from ganlab.data.feed import Feed
from ganlab.data.store import Store


def images(count: int, labels: bool = True) -> Store:
    """Image i has a left pixel of i, and a right one of 255 - i."""
    samples = np.zeros((count, 1, 2, 1), np.uint8)
    samples[:, 0, 0, 0] = np.arange(count)
    samples[:, 0, 1, 0] = 255 - np.arange(count)
    numbers = np.arange(count) % 7 if labels else None
    return Store(ImageSpec(1, 1, 2), samples, numbers, (), "")


@pytest.fixture(params=["gathered", "prefetched"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "prefetched":
        monkeypatch.setattr("ganlab.data.feed.free_memory", lambda _: 0)
    yield request.param


def left(samples: torch.Tensor) -> list[int]:
    return ((samples[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


SIZES = st.tuples(st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**63 - 1))


@given(SIZES)
def test_each_epoch_is_a_permutation(sizes: tuple[int, int, int]) -> None:
    count, batch, seed = sizes
    indices = np.arange(count) * 3 + 1
    feed = Feed(images(122), indices, batch_size=batch, seed=seed, device="cpu")
    stream = np.concatenate([feed.order(position) for position in range(-(-3 * count // batch))])
    for epoch in range(3):
        assert sorted(stream[epoch * count : (epoch + 1) * count]) == indices.tolist()


@given(SIZES, st.integers(0, 10**9))
def test_the_order_is_a_pure_function(sizes: tuple[int, int, int], position: int) -> None:
    count, batch, seed = sizes
    store, indices = images(40), np.arange(count)
    fresh = Feed(store, indices, batch_size=batch, seed=seed, device="cpu")
    used = Feed(store, indices, batch_size=batch, seed=seed, device="cpu")
    for other in (0, position + 1, position // 2):
        used.order(other)
    assert np.array_equal(fresh.order(position), used.order(position))


@given(SIZES, st.integers(1, 5), st.integers(0, 50), st.booleans())
def test_shards_make_up_the_global_batch(
    sizes: tuple[int, int, int], world: int, position: int, mirror: bool
) -> None:
    count, batch, seed = sizes
    batch = max(batch, world)
    feeds = [
        Feed(
            images(40), np.arange(count), batch_size=batch, seed=seed, device="cpu", mirror=mirror,
            rank=rank, world=ranks,
        )
        for ranks in (1, world)
        for rank in range(ranks)
    ]  # fmt: skip
    for feed in feeds:
        feed.position = position
    whole, *shards = [feed.next() for feed in feeds]
    assert torch.equal(torch.cat([shard.samples for shard in shards]), whole.samples)
    assert whole.labels is not None
    assert torch.equal(torch.cat([s.labels for s in shards if s.labels is not None]), whole.labels)
    assert len(whole.samples) == batch


def test_batches_are_what_the_order_says(way: str) -> None:
    feed = Feed(images(50), np.arange(10, 40), batch_size=8, seed=1, device="cpu")
    for position in range(12):
        assert feed.position == position
        batch = feed.next()
        assert left(batch.samples) == feed.order(position).tolist()
        assert batch.labels is not None
        assert batch.labels.tolist() == (feed.order(position) % 7).tolist()
        assert batch.samples.dtype == torch.float32 and batch.labels.dtype == torch.int64
    feed.close()


def test_position_is_the_whole_state(way: str) -> None:
    make = {"batch_size": 8, "seed": 1, "device": "cpu", "mirror": True}
    straight = Feed(images(50), np.arange(50), **make)  # type: ignore[arg-type]
    expected = [straight.next().samples for _ in range(20)]
    resumed = Feed(images(50), np.arange(50), **make)  # type: ignore[arg-type]
    resumed.next()
    for position in (13, 0, 7, 8, 3):
        resumed.position = position
        for step in range(3):
            assert torch.equal(resumed.next().samples, expected[position + step])
    with pytest.raises(ValueError, match="before the first"):
        resumed.position = -1
    straight.close()
    resumed.close()


class Copies(TorchFunctionMode):
    """Notes whether each copy to another place is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.unawaited: list[bool] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.to:
            self.unawaited.append((kwargs or {}).get("non_blocking", False))
        return func(*args, **(kwargs or {}))


def test_copies_from_memory_that_is_not_pinned_are_waited_for(way: str) -> None:
    feed = Feed(images(50), np.arange(50), batch_size=8, seed=1, device="meta", mirror=True)
    with Copies() as copies:
        feed.next()
    feed.close()
    assert copies.unawaited and not any(copies.unawaited)


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Lend memory that is pinned in name alone, and note where it begins."""
    places = set()
    allocate = torch.Tensor.new_empty

    def new_empty(self: torch.Tensor, size: Any, pin_memory: bool = False) -> torch.Tensor:
        tensor = allocate(self, size)
        if pin_memory:
            places.add(tensor.data_ptr())
        return tensor

    monkeypatch.setattr(torch.Tensor, "new_empty", new_empty)
    return places


def test_samples_are_gathered_into_pinned_memory_at_once(
    pinned: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = []

    def pin_memory(self: torch.Tensor) -> torch.Tensor:
        copied.append(self.dim())
        return self.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin_memory)
    monkeypatch.setattr("ganlab.data.feed.free_memory", lambda _: 0)
    make = {"batch_size": 8, "seed": 1, "mirror": True}
    there = Feed(images(50), np.arange(50), device="cuda", **make)  # type: ignore[arg-type]
    here = Feed(images(50), np.arange(50), device="cpu", **make)  # type: ignore[arg-type]
    for position in range(3):
        gathered = there._gather(position)
        assert gathered.samples.data_ptr() in pinned
        assert torch.equal(gathered.samples, here._gather(position).samples)
    assert copied and set(copied) == {1}  # labels, and which are flipped
    there.close()
    here.close()


def test_mirror_flips_about_half_of_the_images(way: str) -> None:
    feed = Feed(images(100), np.arange(100), batch_size=100, seed=0, device="cpu", mirror=True)
    flipped, total = 0, 0
    for position in range(10):
        values, order = left(feed.next().samples), feed.order(position).tolist()
        for value, index in zip(values, order, strict=True):
            assert value in (index, 255 - index)
            flipped += value != index
            total += 1
    assert 0.45 < flipped / total < 0.55
    feed.close()


def test_images_come_normalised_in_channels_last_memory(way: str) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), dtype=np.uint8)
    store = Store(ImageSpec(3, 6, 5), samples, None, (), "")
    feed = Feed(store, np.arange(20), batch_size=4, seed=0, device="cpu", mirror=True)
    for _ in range(3):
        batch = feed.next()
        assert batch.samples.shape == (4, 3, 6, 5) and batch.labels is None
        assert batch.samples.is_contiguous(memory_format=torch.channels_last)
        assert batch.samples.min() >= -1 and batch.samples.max() <= 1
    feed.close()
    feed = Feed(store, np.arange(20), batch_size=4, seed=0, device="cpu")
    expected = torch.from_numpy(samples[feed.order(0)]).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert torch.equal(feed.next().samples, expected)
    feed.close()


def test_vectors_come_as_they_are(way: str) -> None:
    samples = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    store = Store(VectorSpec(2), samples, None, (), "")
    feed = Feed(store, np.arange(20), batch_size=6, seed=0, device="cpu", mirror=True)
    assert np.array_equal(feed.next().samples.numpy(), samples[feed.order(0)])
    feed.close()


def test_a_device_that_has_room_holds_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    # The way of an accelerator, taken on the CPU.
    store = images(50)
    plain = Feed(store, np.arange(5, 45), batch_size=8, seed=1, device="cpu", mirror=True)
    resident = Feed(store, np.arange(5, 45), batch_size=8, seed=1, device="cpu", mirror=True)
    resident._resident = resident._upload()
    assert resident._resident.shape == (40, 1, 2, 1)
    monkeypatch.setattr(Store, "gather", lambda *_: pytest.fail("gathered from the store"))
    batches = [resident.next() for _ in range(7)]
    monkeypatch.undo()
    for batch in batches:
        other = plain.next()
        assert torch.equal(batch.samples, other.samples)
        assert batch.labels is not None and other.labels is not None
        assert torch.equal(batch.labels, other.labels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("free", [None, 0])
def test_a_gpu_gets_the_same_batches(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    make = {"batch_size": 8, "seed": 1, "mirror": True}
    cpu = Feed(images(50), np.arange(5, 45), device="cpu", **make)  # type: ignore[arg-type]
    if free is not None:
        monkeypatch.setattr("ganlab.data.feed.free_memory", lambda _: free)
    gpu = Feed(images(50), np.arange(5, 45), device="cuda", **make)  # type: ignore[arg-type]
    assert (gpu._resident is not None) == (free is None)
    for _ in range(20):
        here, there = cpu.next(), gpu.next()
        assert there.samples.is_cuda and here.labels is not None and there.labels is not None
        assert torch.equal(here.samples, there.samples.cpu())
        assert torch.equal(here.labels, there.labels.cpu())
    gpu.close()


def test_errors_of_the_reading_thread_reach_the_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganlab.data.feed.free_memory", lambda _: 0)

    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Store, "gather", broken)
    feed = Feed(images(50), np.arange(50), batch_size=8, seed=1, device="cpu")
    with pytest.raises(OSError, match="the disk is gone"):
        feed.next()
    feed.close()


def test_waiting_is_counted() -> None:
    feed = Feed(images(50), np.arange(50), batch_size=8, seed=1, device="cpu")
    assert feed.wait_seconds == 0
    feed.next()
    assert feed.wait_seconds > 0


def test_what_cannot_be_fed() -> None:
    with pytest.raises(ValueError, match="nothing to feed"):
        Feed(images(5), np.arange(0), batch_size=8, seed=1, device="cpu")
    with pytest.raises(ValueError, match="cannot be cut"):
        Feed(images(5), np.arange(5), batch_size=2, seed=1, device="cpu", rank=0, world=3)


class Map:
    """Notes what is asked of a memory map."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []

    def madvise(self, *what: int) -> None:
        self.asked.append(what)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(mmap, "MADV_WILLNEED"), reason="no such advice here")
def test_rows_are_read_by_themselves_where_memory_may_not_hold_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlab.data.feed.free_memory", lambda _: 0)
    path, row = tmp_path / "samples.npy", 50 * 50 * 3
    np.save(path, np.zeros((200, 50, 50, 3), np.uint8))
    samples, asked = np.load(path, mmap_mode="r"), Map()
    samples._mmap = asked
    feed = Feed(
        Store(ImageSpec(3, 50, 50), samples, None, (), ""), np.arange(200), batch_size=8, seed=1, device="cpu"
    )
    feed._gather(0)
    feed.close()
    header = path.stat().st_size - 200 * row
    for index, (advice, begin, length) in zip(sorted(feed.order(0).tolist()), asked.asked, strict=True):
        assert advice == mmap.MADV_WILLNEED and begin % mmap.PAGESIZE == 0
        wanted = header + index * row
        assert begin <= wanted < begin + mmap.PAGESIZE and begin + length == wanted + row


@pytest.mark.parametrize("pin", [False, True])
@pytest.mark.usefixtures("pinned")
def test_a_store_is_indexed_as_an_array(pin: bool) -> None:
    store = images(7)
    for indices in ([], [3], [6, -7, 0, 0, -1]):
        rows = store.rows(indices, pin=pin)
        assert np.array_equal(rows.numpy(), store.samples[np.asarray(indices, np.int64)])
        rows += 1  # in memory of its own
        assert np.array_equal(store.samples, images(7).samples)
    for beyond in (-8, 7, 2**40):
        with pytest.raises(IndexError):
            store.gather([0, beyond], pin=pin)


def test_a_packed_store_is_fed(tmp_path: Path) -> None:
    path = tmp_path / "samples.npy"
    np.save(path, images(50).samples)
    store = Store(ImageSpec(1, 1, 2), np.load(path, mmap_mode="r"), None, (), "")
    feed = Feed(store, np.arange(50), batch_size=8, seed=1, device="cpu")
    assert left(feed.next().samples) == feed.order(0).tolist()
