"""StyleGAN2's networks: shapes for any size, the authors' parameters, modulation, spread, truncation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import conv2d

from ganlab import ImageSpec, LatentSpec
from ganlab.testing import check_component
from ganlab_style import (
    DiscriminatorOptions,
    GeneratorOptions,
    build_discriminator,
    build_generator,
    ganlab_discriminators,
    ganlab_generators,
)
from ganlab_style.layers import EqualisedLinear, ModulatedConvolution, append_spread
from ganlab_style.networks import Generator

SMALL = {"width": 2, "widest": 2, "style": 6, "mapping": 2}


def small_generator(image: ImageSpec, latent: int = 5) -> Generator:
    network = build_generator(GeneratorOptions.model_validate(SMALL), image, LatentSpec(latent))
    assert isinstance(network, Generator)
    return network


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(height=st.integers(16, 140), width=st.integers(16, 140), channels=st.sampled_from([1, 3]))
def test_any_size_and_channel_count(height: int, width: int, channels: int) -> None:
    image = ImageSpec(channels, height, width)
    images = small_generator(image)(torch.randn(2, 5))
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    assert build_discriminator(DiscriminatorOptions(width=2, widest=2), image)(images).shape == (2,)


def test_the_authors_parameters_at_1024() -> None:
    image = ImageSpec(3, 1024, 1024)
    generator = build_generator(GeneratorOptions(width=32, widest=16, mapping=2), image, LatentSpec(512))
    discriminator = build_discriminator(DiscriminatorOptions(width=32, widest=16), image)
    # As the authors' PyTorch code prints them.
    assert parameters(generator) == 28_794_124
    assert parameters(discriminator) == 29_012_513
    assert parameters(generator.mapping) == 2 * 262_656


@pytest.mark.slow
def test_every_option_keeps_the_promises() -> None:
    (generator,), (discriminator,) = ganlab_generators(), ganlab_discriminators()
    for image in (ImageSpec(3, 32, 32), ImageSpec(1, 36, 44, classes=4)):
        check_component(generator, options={**SMALL, "noise": False}, spec=image)
        check_component(discriminator, options={"width": 2, "group": 0}, spec=image)


def test_modulation_is_that_of_the_weights() -> None:
    layer = ModulatedConvolution(5, 7, 3, style=4)
    features, styles = torch.randn(2, 5, 6, 6), torch.randn(2, 4)
    scales = layer.affine(styles)
    for index in range(2):
        weight = layer.weight * layer.scale * scales[index, None, :, None, None]
        weight = weight / weight.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
        expected = conv2d(features[index : index + 1], weight, padding=1)
        assert torch.allclose(layer(features, styles)[index : index + 1], expected, atol=1e-5)


def test_doubling_keeps_what_is_even() -> None:
    layer = ModulatedConvolution(1, 1, 3, style=1, double=True, demodulate=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    doubled = layer(torch.ones(1, 1, 8, 8), torch.zeros(1, 1))
    assert doubled.shape == (1, 1, 16, 16)
    # Nine weights of 1/3 on every pixel, of which a doubled image sees 9/4 on the average.
    assert torch.allclose(doubled[..., 4:-4, 4:-4], torch.full((8, 8), 3.0), atol=1e-5)


def test_an_equalised_layer_learns_at_its_rate() -> None:
    torch.manual_seed(0)
    layer = EqualisedLinear(400, 300, rate=0.01)
    vectors = torch.randn(64, 400)
    assert layer(vectors).std().item() == pytest.approx(1, rel=0.05)
    layer(vectors).sum().backward()
    assert torch.allclose(layer.bias.grad, torch.full((300,), 0.64))
    assert torch.allclose(layer.weight.grad[0], 0.01 / math.sqrt(400) * vectors.sum(dim=0), atol=1e-5)


def test_the_spread_of_a_group_is_shown() -> None:
    features = torch.randn(8, 3, 2, 2)
    shown = append_spread(features, 4)
    assert torch.equal(shown[:, :3], features)
    for member in range(2):
        group = features[member::2]
        expected = group.std(dim=0, correction=0).mean()
        assert torch.allclose(shown[member::2, 3], expected, atol=1e-5)
    assert append_spread(torch.ones(8, 3, 2, 2), 4)[:, 3].max() < 1e-3
    # A batch of six cannot be cut into fours: threes; one of five is cut into single samples.
    assert append_spread(features[:6], 4)[:, 3, 0, 0].unique().numel() == 2
    assert append_spread(features[:5], 4)[:, 3].max() < 1e-3


def test_truncation_draws_styles_towards_the_mean() -> None:
    network = small_generator(ImageSpec(1, 16, 16))
    before = network.mean_style.clone()
    network(torch.randn(64, 5))
    expected = before + 0.002 * (network.mapping(torch.randn(20_000, 5)).mean(dim=0) - before)
    assert torch.allclose(network.mean_style, expected, atol=2e-3)
    network.eval()
    mean = network.mean_style.clone()
    latents = torch.randn(4, 5)
    images = network(latents)
    assert torch.equal(network.mean_style, mean)
    spreads = []
    for network.truncation in (1.0, 0.5, 0.0):
        images = network(latents)
        spreads.append(images.std(dim=0).mean().item())
    assert spreads[0] > spreads[1] > spreads[2] == pytest.approx(0, abs=1e-6)
    assert "mean_style" in network.state_dict()


def test_noise_is_fresh_for_each_image_and_learned() -> None:
    network = small_generator(ImageSpec(1, 16, 16)).eval()
    latents = torch.randn(1, 5).expand(2, 5)
    assert torch.allclose(*network(latents), atol=1e-5)
    nn.init.ones_(network.first.strength)
    assert not torch.allclose(*network(latents))


def test_labels_change_what_is_made_and_judged() -> None:
    image = ImageSpec(1, 16, 16, classes=3)
    images = small_generator(image)(torch.randn(1, 5).expand(3, 5), torch.arange(3))
    assert not torch.allclose(images[0], images[1])
    discriminator = build_discriminator(DiscriminatorOptions(width=2), image)
    assert discriminator(images[:1].expand(3, 1, 16, 16), torch.arange(3)).unique().numel() == 3
