"""What is done otherwise on a GPU: arithmetic, statistics, random numbers, the guard."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from trials import engine

import ganlab_optimizers
from ganlab import OptimizerComponent
from ganlab.arithmetic import exact_arithmetic
from ganlab.data.free_memory import free_memory
from ganlab.engine.evaluation_generator import estimate_statistics
from ganlab.engine.guard import Guard
from ganlab.engine.meter import Meter, Scalars
from ganlab.engine.running_statistics import synchronised, unsynchronised
from ganlab.engine.sampling import run_generator
from ganlab.engine.streams import global_state, isolated_randomness, restore_global_state
from ganlab.errors import DivergedError
from ganlab.processes.checksum import checksum

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]


def test_the_average_and_its_statistics_are_made_on_the_device(
    tmp_path: Path, device: str, record_property: Record
) -> None:
    trained = engine(tmp_path, device)
    for _ in range(3):
        trained.advance()
    before = copy.deepcopy(trained.networks.generator.state_dict())
    raw, averaged = trained.raw_generator, trained.averaged_generator
    assert averaged is not None
    for network in (raw, averaged):
        assert {tensor.device.type for tensor in network.state_dict().values()} == {device}
    assert any(
        not torch.equal(one, other)
        for one, other in zip(raw.parameters(), averaged.parameters(), strict=True)
    )
    for name, tensor in trained.networks.generator.state_dict().items():
        assert torch.equal(tensor, before[name]), f"training's own {name} has changed"
    on_cpu = copy.deepcopy(averaged).cpu()
    settings = trained.experiment.settings
    samples = settings.running_statistics.samples
    estimate_statistics(on_cpu, trained.experiment.latent, None, samples, settings.seed)
    apart = max(
        float((one.cpu() - other).abs().max())
        for one, other in zip(averaged.buffers(), on_cpu.buffers(), strict=True)
        if one.is_floating_point()
    )
    record_property("running statistics apart from the CPU's by", f"{apart:.2g}")
    assert apart < 1e-4
    latents = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
    (here,), (there,) = (run_generator(network, latents) for network in (on_cpu, averaged))
    torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=1e-4)


def test_metrics_know_no_tf32(cuda: torch.device, record_property: Record) -> None:
    convolution = nn.ConvTranspose2d(256, 128, 4, stride=2, padding=1)
    samples = torch.randn(64, 256, 16, 16)
    with torch.no_grad():
        truth = copy.deepcopy(convolution).double()(samples.double())
    on_gpu = copy.deepcopy(convolution).to(cuda)
    with torch.no_grad():
        usual = on_gpu(samples.to(cuda))
    with exact_arithmetic(cuda):
        exact, again = on_gpu(samples.to(cuda)), on_gpu(samples.to(cuda))
    size = truth.abs().max()
    errors = [float((each.cpu().double() - truth).abs().max() / size) for each in (usual, exact)]
    record_property("largest error as torch has it, and exact", f"{errors[0]:.1e}, {errors[1]:.1e}")
    assert errors[1] < 1e-5
    assert torch.equal(exact, again)


def test_random_numbers_of_the_device_go_on_where_they_were(cuda: torch.device) -> None:
    saved = global_state(cuda)
    expected = torch.randn(10, device=cuda)
    with isolated_randomness(1):
        first = torch.randn(10, device=cuda)
    with isolated_randomness(1):
        assert torch.equal(torch.randn(10, device=cuda), first)
    following = torch.randn(10, device=cuda)
    restore_global_state(saved, cuda)
    assert torch.equal(torch.randn(10, device=cuda), expected)
    assert torch.equal(torch.randn(10, device=cuda), following)


@pytest.mark.parametrize(
    "component", list(ganlab_optimizers.ganlab_optimizers()), ids=lambda component: component.name
)
def test_no_optimizer_moves_after_what_is_not_finite(device: str, component: OptimizerComponent) -> None:
    weight = nn.Parameter(torch.ones(3, device=device))
    optimizer = component.build(component.options(), [weight])
    meter = Meter()
    guard = Guard(torch.device(device), meter)

    def turn(gradient: float, step: int) -> None:
        weight.grad = torch.full((3,), gradient, device=device)
        norm = weight.grad.norm()
        observed = Scalars.of({"gradient-norm/generator": norm})
        meter.add(observed)
        guard.check(optimizer, observed.values, step)
        optimizer.step()

    turn(1.0, 0)
    moved = weight.detach().clone()
    assert not torch.equal(moved, torch.ones_like(moved))
    with pytest.raises(DivergedError, match="step 2, in the generator's turn"):
        for step, gradient in enumerate([float("nan"), 1.0], 1):
            turn(gradient, step)
        guard.verify()
    assert torch.equal(weight, moved)


def test_a_guard_does_not_wait_for_the_gpu(cuda: torch.device) -> None:
    weight = nn.Parameter(torch.ones(3, device=cuda))
    optimizer = torch.optim.Adam([weight], fused=True)
    guard = Guard(cuda, Meter())
    weight.grad = torch.ones_like(weight)
    torch.cuda.set_sync_debug_mode("error")
    try:
        guard.check(optimizer, weight.grad.norm().reshape(1), 0)
        optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


EVERY = 2
"""Steps from one gradient penalty to the next."""
PENALTIES = "".join(f'[[losses]]\nname = "{name}"\nevery = {EVERY}\n' for name in ("r1", "r2"))
PLAYED = {
    "plain": ("non-saturating", ""),
    "fast recipe": ("relativistic", PENALTIES),
    "ada": ("non-saturating", '[[augmentations]]\nname = "ada"\n'),
}


@pytest.mark.parametrize("share", [0.25, 0.0], ids=["resident", "gathered"])
@pytest.mark.parametrize("name", PLAYED)
def test_a_step_does_not_wait_for_the_gpu(
    tmp_path: Path, cuda: torch.device, monkeypatch: pytest.MonkeyPatch, name: str, share: float
) -> None:
    monkeypatch.setattr("ganlab.data.feed.COMFORTABLE_SHARE", share)
    loss, more = PLAYED[name]
    tried = engine(tmp_path, cuda.type, loss=loss, more=more)
    for _ in range(2 * EVERY):
        tried.advance()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(EVERY):
            tried.advance()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    tried.guard.verify()
    tried.feed.close()


def test_synchronised_normalisation_alone_is_the_usual(cuda: torch.device) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).to(cuda, memory_format=torch.channels_last)
    shared = synchronised(copy.deepcopy(network))
    assert isinstance(shared[1], nn.SyncBatchNorm)  # type: ignore[index]
    images = torch.randn(8, 3, 16, 16, device=cuda).to(memory_format=torch.channels_last)
    torch.testing.assert_close(shared(images), network(images))
    torch.testing.assert_close(unsynchronised(shared)(images), network(images))


def test_the_driver_is_asked_for_free_memory(cuda: torch.device) -> None:
    torch.cuda.empty_cache()
    before = free_memory(cuda)
    taken = torch.empty(2**28, dtype=torch.uint8, device=cuda)
    assert before - free_memory(cuda) >= 2**28
    del taken


def test_a_checksum_is_the_same_everywhere(cuda: torch.device) -> None:
    for dtype in (torch.float32, torch.int64, torch.uint8, torch.bfloat16):
        tensor = (torch.randn(3, 1000) * 50).to(dtype)
        assert int(checksum(tensor.to(cuda))) == int(checksum(tensor))
