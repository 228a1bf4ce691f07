"""Feeding: samples that live on the device, and samples that do not fit there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from trials import busy, engine

from ganlab import ImageSpec
from ganlab.data.feed import Feed
from ganlab.data.store import Store
from ganlab.data.transfer import to_device

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]


def test_pinned_batches_are_not_overwritten_while_they_are_copied(
    cuda: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Batches of 3 MiB, some of one sample, are asked for while the GPU is busy with earlier work.
    samples = np.random.default_rng(0).integers(0, 256, (2000, 64, 64, 3), dtype=np.uint8)
    store = Store(ImageSpec(3, 64, 64), samples, np.arange(2000) % 7, (), "")
    monkeypatch.setattr("ganlab.data.feed.free_memory", lambda _: 0)
    for batch_size, batches in ((256, 24), (1, 24)):
        here, there = (
            Feed(store, np.arange(2000), batch_size=batch_size, seed=1, device=device, mirror=True)
            for device in ("cpu", cuda)
        )
        work = busy(cuda)
        received = [there.next() for _ in range(batches)]
        assert torch.isfinite(work).all()
        assert there._gather(0).samples.is_pinned()
        for batch in received:
            expected = here.next()
            assert batch.labels is not None and expected.labels is not None
            assert torch.equal(batch.samples.cpu(), expected.samples)
            assert torch.equal(batch.labels.cpu(), expected.labels)
        here.close()
        there.close()


def test_latents_are_not_overwritten_while_they_are_copied(cuda: torch.device) -> None:
    drawn = [torch.randn(128, 4096) for _ in range(64)]
    work = busy(cuda)
    copied = [to_device(each.clone(), cuda) for each in drawn]
    assert torch.isfinite(work).all()
    assert all(torch.equal(each.cpu(), expected) for each, expected in zip(copied, drawn, strict=True))


@pytest.mark.parametrize("share", [0.25, 0.0], ids=["resident", "gathered"])
def test_training_goes_the_same_way_however_it_is_fed(
    tmp_path: Path, device: str, share: float, monkeypatch: pytest.MonkeyPatch, record_property: Record
) -> None:
    reference = engine(tmp_path, "cpu")
    monkeypatch.setattr("ganlab.data.feed.COMFORTABLE_SHARE", share)
    tried = engine(tmp_path, device)
    if device == "cuda":
        assert (tried.feed._resident is not None) == (share > 0)
    losses = []
    for each in (reference, tried):
        for _ in range(3):
            each.advance()
        each.guard.verify()
        losses.append(each.meter.read())
        each.feed.close()
    differences = {name: abs(value - losses[1][name]) for name, value in losses[0].items()}
    worst = max(differences, key=lambda name: differences[name])
    fed = "resident" if share else "gathered"
    record_property(f"{fed}: 3 steps apart from the CPU's by", f"{differences[worst]:.2g} ({worst})")
    # The same samples, latents and weights; TF32 of the convolutions is what is left.
    for name, value in losses[0].items():
        if name.startswith("loss/"):
            assert losses[1][name] == pytest.approx(value, rel=0.02, abs=0.01), name
