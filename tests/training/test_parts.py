"""The engine's small parts, one by one, against closed forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import Adam, RMSprop

from ganlab import LatentSpec
from ganlab.component_settings import OptimizerSettings
from ganlab.config.settings import EmaSettings
from ganlab.engine.ema import MovingAverage
from ganlab.engine.guard import Guard
from ganlab.engine.latents import draw_latents, interpolate
from ganlab.engine.meter import Meter, Scalars
from ganlab.engine.networks import evaluation_mode
from ganlab.engine.precision import choose_device, choose_precision
from ganlab.engine.sampling import run_generator
from ganlab.engine.schedules import make_schedule
from ganlab.engine.streams import (
    Streams,
    derive_seed,
    global_state,
    isolated_randomness,
    restore_global_state,
)
from ganlab.errors import DivergedError, UsageError


def test_streams_are_independent_and_resumable() -> None:
    one, two = Streams(7), Streams(7)
    torch.rand(1000, generator=one["evaluation"])
    assert torch.equal(torch.rand(5, generator=one["latents"]), torch.rand(5, generator=two["latents"]))
    assert not torch.equal(torch.rand(5, generator=one["a"]), torch.rand(5, generator=one["b"]))
    position = one.state_dict()
    expected = torch.rand(5, generator=one["latents"])
    three = Streams(7)
    three.load_state_dict(position)
    assert torch.equal(torch.rand(5, generator=three["latents"]), expected)


def test_seeds_of_streams_fit_every_generator() -> None:
    seeds = {derive_seed(seed, name) for seed in range(50) for name in ("latents", "data", "labels")}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_isolated_randomness_gives_the_global_state_back() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with isolated_randomness(11):
        first = torch.rand(4)
    with isolated_randomness(11):
        assert torch.equal(torch.rand(4), first)
    assert torch.equal(torch.rand(4), expected)


def test_the_generator_of_apples_gpus_is_isolated_saved_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.Generator().manual_seed(1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", gpu.get_state)
    monkeypatch.setattr(torch.mps, "set_rng_state", gpu.set_state)
    monkeypatch.setattr(torch.mps, "manual_seed", gpu.manual_seed)
    device = torch.device("mps")
    saved = global_state(device)
    expected = torch.rand(4, generator=gpu)
    restore_global_state(saved, device)
    draws = []
    for _ in range(2):
        with isolated_randomness(11):
            draws.append(torch.rand(4, generator=gpu))
    assert torch.equal(*draws)
    assert torch.equal(torch.rand(4, generator=gpu), expected)


def test_latents_follow_their_distribution() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = draw_latents(LatentSpec(32), 4000, generator)
    assert normal.shape == (4000, 32)
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    uniform = draw_latents(LatentSpec(32, "uniform"), 4000, generator)
    assert uniform.abs().max() <= 1
    assert abs(uniform.var() - 1 / 3) < 0.01
    sphere = draw_latents(LatentSpec(32, "sphere"), 100, generator)
    torch.testing.assert_close(sphere.norm(dim=1), torch.full((100,), math.sqrt(32)))


@pytest.mark.parametrize("distribution", ["normal", "uniform", "sphere"])
def test_categories_are_one_hot_codes_before_the_rest(distribution: Any) -> None:
    latent = LatentSpec(12, distribution, (3, 5))
    latents = draw_latents(latent, 6000, torch.Generator().manual_seed(0))
    first, second, rest = latents.split([3, 5, 4], dim=1)
    for code in (first, second):
        assert torch.equal(code.sort(dim=1).values[:, -1], torch.ones(6000))
        assert torch.equal(code.sum(dim=1), torch.ones(6000))
        # Six standard deviations of a share.
        assert (code.mean(dim=0) - 1 / code.shape[1]).abs().max() < 6 * 0.5 / 6000**0.5
    assert (first.T @ second / 6000 - 1 / 15).abs().max() < 6 * 0.5 / 6000**0.5
    alone = draw_latents(LatentSpec(4, distribution), 6000, torch.Generator().manual_seed(0))
    assert torch.equal(rest, alone)
    walks = interpolate(latent, latents[:3], latents[3:6], 4).view(3, 4, 12)
    assert torch.equal(walks[:, :2, :8], latents[:3, None, :8].expand(-1, 2, -1))
    assert torch.equal(walks[:, 2:, :8], latents[3:6, None, :8].expand(-1, 2, -1))
    plain = LatentSpec(4, distribution)
    torch.testing.assert_close(walks[..., 8:].flatten(0, 1), interpolate(plain, rest[:3], rest[3:6], 4))
    only = draw_latents(LatentSpec(8, distribution, (3, 5)), 2, torch.Generator().manual_seed(0))
    assert only.shape == (2, 8) and only.sum() == 4


@pytest.mark.parametrize("distribution", ["normal", "uniform", "sphere"])
def test_interpolation_starts_and_ends_where_it_should(distribution: str) -> None:
    latent = LatentSpec(16, distribution)  # type: ignore[arg-type]
    ends = draw_latents(latent, 6, torch.Generator().manual_seed(1))
    walks = interpolate(latent, ends[:3], ends[3:], 5).view(3, 5, 16)
    torch.testing.assert_close(walks[:, 0], ends[:3])
    torch.testing.assert_close(walks[:, -1], ends[3:])
    if distribution == "sphere":
        torch.testing.assert_close(walks.norm(dim=2), torch.full((3, 5), 4.0))


@given(
    half_life=st.floats(1, 1e6), images=st.integers(1, 512), seen=st.integers(1, 10**7), ramp=st.floats(0, 1)
)
def test_ema_halves_after_its_half_life(half_life: float, images: int, seen: int, ramp: float) -> None:
    average = MovingAverage(nn.Linear(1, 1), EmaSettings(half_life_images=half_life, ramp_up=ramp))
    effective = min(half_life, ramp * seen) if ramp else half_life
    assert average.decay(images, seen) == pytest.approx(0.5 ** (images / effective))


def test_ema_averages_weights_and_copies_buffers() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = MovingAverage(network, EmaSettings(half_life_images=100, ramp_up=0))
    before = network[0].weight.detach().clone()
    with torch.no_grad():
        network[0].weight.add_(1.0)
        network[1].running_mean.fill_(5.0)
        network[1].num_batches_tracked.fill_(9)
    average.update(100, 100)
    torch.testing.assert_close(average.network[0].weight, before + 0.5)
    assert average.network[1].running_mean.tolist() == [5.0, 5.0]
    assert average.network[1].num_batches_tracked.item() == 9
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


def test_meter_means_since_last_read() -> None:
    meter = Meter()
    meter.add(Scalars.of({"a": torch.tensor(1.0), "b": torch.tensor(4.0)}))
    meter.add(Scalars.of({"a": torch.tensor(2.0)}))
    assert meter.read() == {"a": 1.5, "b": 4.0}
    assert meter.read() == {}


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcde"), st.floats(-1e6, 1e6, width=32), min_size=1), max_size=12
    ),
    st.integers(0, 12),
)
def test_meter_adds_each_name_by_itself_and_continues_where_it_was_saved(
    turns: list[dict[str, float]], saved: int
) -> None:
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}
    meter = Meter()
    meter.add(Scalars.of({"e": torch.tensor(8.0), "z": torch.tensor(1.0)}))
    meter.read()
    for number, turn in enumerate(turns):
        if number == saved:
            state, meter = meter.state_dict(), Meter()
            assert {name: float(total) for name, total in sums.items()} == state["sums"]
            assert counts == state["counts"]
            meter.load_state_dict(state, torch.device("cpu"))
        meter.add(Scalars.of({name: torch.tensor(value) for name, value in turn.items()}))
        for name, value in turn.items():
            sums[name] = sums[name] + torch.tensor(value) if name in sums else torch.tensor(value)
            counts[name] = counts.get(name, 0) + 1
    means = meter.read()
    assert means == {name: float(total) / counts[name] for name, total in sums.items()}
    assert list(means) == list(sums)


def test_what_a_meter_saved_does_not_move_with_it() -> None:
    meter = Meter()
    meter.add(Scalars.of({"a": torch.tensor(1.0)}))
    state = meter.state_dict()
    meter.add(Scalars.of({"a": torch.tensor(1.0)}))
    assert state == {"sums": {"a": torch.tensor(1.0)}, "counts": {"a": 1}}


def test_scalars_add_up_by_name() -> None:
    one, two = torch.tensor(1.0), torch.tensor(2.0)
    both = Scalars.of({"a": one, "b": two}) + Scalars.of({"a": two, "b": two})
    assert (both.names, both.values.tolist()) == (("a", "b"), [3.0, 4.0])
    other = both + Scalars.of({"b": one, "c": one})
    assert (other.names, other.values.tolist()) == (("a", "b", "c"), [3.0, 5.0, 1.0])
    assert "c" in other and "c" not in both and other["b"] == 5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_guard_stops_before_the_update_and_names_the_term(bad: float) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = Adam([weight], fused=True)
    meter = Meter()
    guard = Guard(torch.device("cpu"), meter)
    values = Scalars.of(
        {"loss/generator/fine": torch.tensor(1.0), "loss/generator/broken": torch.tensor(bad)}
    )
    meter.add(values)
    with pytest.raises(
        DivergedError, match=r"step 8, in the generator's turn: not finite: loss/generator/broken\."
    ):
        guard.check(optimizer, values.values, 7)


def test_guard_knows_whose_turn_logits_are_of() -> None:
    # Hinge's loss is 0 where a real sample's logit is infinite: the logit alone is not finite.
    meter = Meter()
    guard = Guard(torch.device("cpu"), meter)
    values = Scalars.of(
        {"loss/discriminator/total": torch.tensor(0.0), "logits/real": torch.tensor(math.inf)}
    )
    meter.add(values)
    with pytest.raises(
        DivergedError, match=r"step 1, in the discriminator's turn: not finite: logits/real\."
    ):
        guard.check(Adam([nn.Parameter(torch.ones(1))]), values.values, 0)


def test_guard_holds_fused_optimizers_still_without_asking_the_device() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = Adam([weight], lr=0.5, fused=True)
    meter = Meter()
    guard = Guard(torch.device("cpu"), meter)
    guard._synchronous = False  # as on an accelerator

    def turn(gradient: float, step: int) -> None:
        weight.grad = torch.full((3,), gradient)
        norm = weight.grad.norm()
        observed = Scalars.of({"gradient-norm/generator": norm})
        meter.add(observed)
        guard.check(optimizer, observed.values, step)
        optimizer.step()

    turn(1.0, 0)
    after_good_step = weight.detach().clone()
    assert not torch.equal(after_good_step, torch.ones(3))
    turn(math.nan, 1)
    turn(1.0, 2)
    assert torch.equal(weight, after_good_step), "weights moved after a gradient that was not finite"
    with pytest.raises(
        DivergedError, match="step 2, in the generator's turn: not finite: gradient-norm/generator"
    ):
        guard.verify()


def test_guard_takes_large_numbers_for_what_they_are() -> None:
    guard = Guard(torch.device("cpu"), Meter())
    guard.check(Adam([nn.Parameter(torch.ones(1))]), torch.full((9,), 3e38), 0)


def test_guard_checks_unfused_optimizers_at_once_wherever_they_are() -> None:
    optimizer = RMSprop([nn.Parameter(torch.ones(1))])
    guard = Guard(torch.device("cpu"), Meter())
    guard._synchronous = False
    with pytest.raises(DivergedError):
        guard.check(optimizer, torch.tensor([math.nan]), 0)


def test_schedules() -> None:
    constant = make_schedule(OptimizerSettings(learning_rate=1.0, warmup_steps=4), 100)
    assert [constant(done) for done in (0, 1, 3, 4, 99)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    linear = make_schedule(OptimizerSettings(learning_rate=1.0, schedule="linear", final_fraction=0.5), 10)
    assert [linear(done) for done in (0, 5, 10, 20)] == [1.0, 0.75, 0.5, 0.5]
    cosine = make_schedule(OptimizerSettings(learning_rate=1.0, schedule="cosine"), 10)
    assert [cosine(done) for done in (0, 5, 10)] == pytest.approx([1.0, 0.5, 0.0])


def test_device_and_precision() -> None:
    cpu = torch.device("cpu")
    assert choose_device("cpu") == cpu
    assert choose_precision("fp32", cpu, bounded=True) is torch.float32
    assert choose_precision("bf16", cpu, bounded=False) is torch.bfloat16
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match=r"0 CUDA devices"):
            choose_device("cuda")


def test_auto_keeps_what_is_not_bounded_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganlab.engine.precision.has_native_bf16", lambda device: True)
    assert choose_precision("auto", torch.device("cpu"), bounded=True) is torch.bfloat16
    assert choose_precision("auto", torch.device("cpu"), bounded=False) is torch.float32
    monkeypatch.setattr("ganlab.engine.precision.has_native_bf16", lambda device: False)
    assert choose_precision("auto", torch.device("cpu"), bounded=True) is torch.float32


def test_evaluation_mode_restores_each_module() -> None:
    network = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(3)).train()
    network[1].eval()
    with pytest.raises(ZeroDivisionError), evaluation_mode(network):
        assert not network.training
        assert not network[0].training
        raise ZeroDivisionError
    assert network.training
    assert network[0].training
    assert not network[1].training


class Noisy(nn.Module):
    """Draws noise for each sample, as StyleGAN does."""

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return latents + torch.randn(len(latents), 1)


@pytest.mark.parametrize(
    "rows", [(0, 1), (5, 6), (64, 65), (70, 131), (130, 200), (199, 200), (3, 3), (70, 70)]
)
def test_some_rows_are_those_of_the_whole_set(rows: tuple[int, int]) -> None:
    latents = torch.randn(200, 4, generator=torch.Generator().manual_seed(5))
    whole = torch.cat(list(run_generator(Noisy(), latents)))
    some = list(run_generator(Noisy(), latents, rows=slice(*rows)))
    assert torch.equal(torch.cat([whole[:0], *some]), whole[slice(*rows)])


def test_generation_is_a_function_of_the_seed_and_leaves_no_trace() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Unflatten(1, (2, 2, 2)), nn.Tanh()).train()
    state = torch.get_rng_state()
    latents = torch.randn(70, 4, generator=torch.Generator().manual_seed(5))
    first = torch.cat(list(run_generator(network, latents, seed=5)))
    again = torch.cat(list(run_generator(network, latents, seed=5)))
    prefix = torch.cat(list(run_generator(network, -latents[:64], seed=5)))
    assert first.shape == (70, 2, 2, 2)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first[:64], prefix)
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training
