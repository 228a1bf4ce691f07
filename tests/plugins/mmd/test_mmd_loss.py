from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import ganlab_mmd
from ganlab import ComponentError, LossFeatures, VectorSpec
from ganlab_mmd.kernels import RbfKernel
from ganlab_mmd.loss import MmdLoss


def build(features: Any = None, **options: Any) -> MmdLoss:
    (component,) = (each for each in ganlab_mmd.ganlab_losses() if each.name == "mmd")
    assert not component.needs
    loss = component.build(component.options(**options), features)
    assert isinstance(loss, MmdLoss)
    return loss


def play(loss: MmdLoss, real: torch.Tensor, fake: torch.Tensor) -> Any:
    return loss.generator(SimpleNamespace(real=real, fake=fake))  # type: ignore[arg-type]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_biased_discrepancy_of_the_batches() -> None:
    real, fake = draw(40, 6), draw(50, 6, seed=1) + 0.5
    rms = float(torch.pdist(real.double()).square().mean().sqrt())
    kernel = RbfKernel([0.5 * rms, 2.0 * rms])
    kxx, kyy, kxy = (
        kernel(a.double(), b.double()).mean() for a, b in ((real, real), (fake, fake), (real, fake))
    )
    expected = float(kxx + kyy - 2 * kxy)
    options = {"bandwidths": [0.5, 2.0]}
    assert play(build(root=False, **options), real, fake).item() == pytest.approx(expected, rel=1e-4)
    assert play(build(**options), real, fake).item() == pytest.approx(expected**0.5, rel=1e-4)


def test_it_does_not_depend_on_the_units_of_the_data() -> None:
    real, fake = draw(40, 6), draw(40, 6, seed=1) + 0.5
    assert play(build(), 100 * real, 100 * fake).item() == pytest.approx(
        play(build(), real, fake).item(), rel=1e-4
    )


@pytest.mark.parametrize("shape", [(3,), (1, 3, 3)])
@pytest.mark.parametrize("root", [True, False])
def test_its_gradient_is_the_derivative(shape: tuple[int, ...], root: bool) -> None:
    real = draw(5, *shape).double()
    fake = draw(4, *shape, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: play(build(root=root), real, x), fake)


def test_no_gradient_flows_to_the_real_batch_and_none_explodes_at_zero() -> None:
    real = draw(10, 3).requires_grad_()
    fake = real.detach().clone().requires_grad_()
    play(build(), real, fake).backward()
    assert real.grad is None
    assert fake.grad is not None and bool(torch.isfinite(fake.grad).all())


def test_scales_add_up_and_are_named() -> None:
    real, fake = draw(8, 3, 8, 8), draw(8, 3, 8, 8, seed=1)
    terms = play(build(scales=[1, 2, 8]), real, fake)
    assert list(terms) == ["scale-1", "scale-2", "scale-8"]
    pooled = play(build(), real.mean((2, 3)), fake.mean((2, 3)))
    assert terms["scale-8"].item() == pytest.approx(pooled.item(), rel=1e-4)
    assert terms["scale-1"].item() == pytest.approx(play(build(), real, fake).item())


@pytest.mark.slow
def test_descending_it_moves_one_distribution_onto_the_other() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.tensor([[0.2, 0.0], [0.0, 0.2]], requires_grad=True)
    offset = torch.tensor([-2.0, 2.0], requires_grad=True)
    loss, optimizer = build(), torch.optim.Adam([weight, offset], 0.1)
    target = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    for _ in range(150):
        real = torch.randn(128, 2, generator=generator) @ target.T + 1
        optimizer.zero_grad()
        play(loss, real, torch.randn(128, 2, generator=generator) @ weight.T + offset).backward()
        optimizer.step()
    assert (offset - 1).abs().max() < 0.2
    assert (weight @ weight.T - target @ target.T).abs().max() < 0.25


@pytest.mark.parametrize("shape", [(4, 6), (4, 3, 8, 8)])
def test_scales_that_do_not_suit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ComponentError) as refusal:
        play(build(scales=[16]), draw(*shape), draw(*shape))
    assert refusal.value.option == "scales"


def test_a_batch_of_one_is_refused() -> None:
    with pytest.raises(ComponentError, match="batch_size"):
        play(build(), draw(1, 3), draw(1, 3))


def test_samples_are_coupled() -> None:
    assert MmdLoss.couples_samples
    assert not MmdLoss.differentiates


class Linear:
    """A linear encoder."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        return samples.flatten(1) @ self.weight

    def fingerprint(self) -> str:
        return str(self.weight.tolist())


def test_wide_kernels_on_a_linear_encoder_compare_the_means_of_codes() -> None:
    real, encoder = draw(40, 6), Linear(draw(6, 2, seed=2))
    fake = (draw(50, 6, seed=1) + 0.5).requires_grad_()
    loss = play(build(encoder, bandwidths=[30.0], root=False), real, fake)
    # 1 − exp(−d²/2σ²) → d²/2σ², and so MMD² → |E a − E b|²/σ².
    variance = (30 * torch.pdist(encoder(real)).square().mean().sqrt()) ** 2
    difference = encoder(real).mean(0) - encoder(fake).mean(0)
    assert loss.item() * variance.item() == pytest.approx(difference.square().sum().item(), rel=1e-2)
    loss.backward()
    assert fake.grad is not None
    direction = -2 * (encoder.weight @ difference) / len(fake)
    assert torch.allclose(fake.grad * variance, direction.expand(50, 6), rtol=0.03, atol=1e-3)


def test_features_are_compared_in_place_of_samples() -> None:
    real, fake, encoder = draw(8, 3, 4, 4), draw(8, 3, 4, 4, seed=1), Linear(draw(48, 5, seed=2))
    expected = play(build(), encoder(real), encoder(fake))
    assert play(build(encoder), real, fake).item() == pytest.approx(expected.item())
    with pytest.raises(ComponentError, match="scales"):
        build(encoder, scales=[1, 2])


def test_it_goes_on_with_the_same_features_alone() -> None:
    state = build(Linear(torch.eye(2))).state_dict()
    build(Linear(torch.eye(2))).load_state_dict(state)
    for other in (build(Linear(2 * torch.eye(2))), build()):
        with pytest.raises(ComponentError, match="features"):
            other.load_state_dict(state)
    assert build().state_dict() == {}


def test_networks_that_a_loss_looks_through_learn_nothing() -> None:
    class Eyes:
        def __init__(self) -> None:
            self.network = torch.nn.Linear(2, 3)

        def extract(self, samples: torch.Tensor) -> torch.Tensor:
            return self.network(samples)

        def fingerprint(self) -> str:
            return "eyes"

    eyes, samples = Eyes(), torch.randn(4, 2, requires_grad=True)
    LossFeatures(eyes, VectorSpec(2))(samples).square().sum().backward()
    assert samples.grad is not None and samples.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in eyes.network.parameters())
