"""The residual networks: shapes for any size, the papers' layers and parameters, labels and options."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ganlab import ComponentError, ImageSpec, LatentSpec
from ganlab.engine.streams import isolated_randomness
from ganlab.testing import check_component
from ganlab_resnet import (
    DiscriminatorOptions,
    GeneratorOptions,
    build_discriminator,
    build_generator,
    ganlab_discriminators,
    ganlab_generators,
)
from ganlab_resnet.layers import SelfAttention

BIGGAN: dict[str, Any] = {"spectral": True, "attention": 16, "hierarchical": True, "embedding": 5}


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolution(inputs: int, outputs: int, kernel: int = 3) -> int:
    return inputs * outputs * kernel**2 + outputs


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(height=st.integers(16, 140), width=st.integers(16, 140), channels=st.sampled_from([1, 3]))
def test_any_size_and_channel_count(height: int, width: int, channels: int) -> None:
    image = ImageSpec(channels, height, width)
    generator = build_generator(GeneratorOptions(width=1, widest=2), image, LatentSpec(5))
    images = generator(torch.randn(2, 5))
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    discriminator = build_discriminator(DiscriminatorOptions(width=1, widest=2), image)
    assert discriminator(images).shape == (2,)


def test_sngans_parameters_at_64() -> None:
    image = ImageSpec(3, 64, 64)
    generator = build_generator(GeneratorOptions(), image, LatentSpec(128))
    discriminator = build_discriminator(DiscriminatorOptions(spectral=False), image)
    blocks = sum(
        2 * coarse
        + convolution(coarse, fine)
        + 2 * fine
        + convolution(fine, fine)
        + convolution(coarse, fine, 1)
        for coarse, fine in pairwise([1024, 512, 256, 128, 64])
    )
    assert parameters(generator) == 129 * 16 * 1024 + blocks + 2 * 64 + convolution(64, 3)
    first = convolution(3, 64) + convolution(64, 64) + convolution(3, 64, 1)
    blocks = sum(
        convolution(fine, fine) + convolution(fine, coarse) + convolution(fine, coarse, 1)
        for fine, coarse in pairwise([64, 128, 256, 512, 1024])
    )
    assert parameters(discriminator) == first + blocks + 1024 + 1


def test_sngans_layers_for_cifar() -> None:
    image = ImageSpec(3, 32, 32)
    generator = build_generator(GeneratorOptions(width=256, widest=1), image, LatentSpec(128))
    block = 4 * 256 + 2 * convolution(256, 256) + convolution(256, 256, 1)
    assert parameters(generator) == 129 * 16 * 256 + 3 * block + 2 * 256 + convolution(256, 3)
    options = DiscriminatorOptions(width=128, widest=1, spectral=False, smallest=8)
    discriminator = build_discriminator(options, image)
    first = convolution(3, 128) + convolution(128, 128) + convolution(3, 128, 1)
    halving = 2 * convolution(128, 128) + convolution(128, 128, 1)
    assert parameters(discriminator) == first + halving + 2 * 2 * convolution(128, 128) + 128 + 1
    features, sides = torch.randn(1, 3, 32, 32), []
    for block in discriminator.body[:-1]:
        features = block(features)
        sides.append(features.shape[2:])
    assert sides == [(16, 16), (8, 8), (8, 8), (8, 8)]


def test_the_smallest_feature_map() -> None:
    image = ImageSpec(3, 32, 32)
    options = DiscriminatorOptions(width=2, smallest=8, attention=8)
    discriminator = build_discriminator(options, image)
    assert [isinstance(layer, SelfAttention) for layer in discriminator.body].index(True) == 2
    with pytest.raises(ComponentError, match="the first block halves the sides: make it 16 at the most"):
        build_discriminator(DiscriminatorOptions(smallest=17), image)


def test_channels_stop_at_the_widest_as_sngans_do_at_128() -> None:
    image = ImageSpec(3, 128, 128)
    generator = build_generator(GeneratorOptions(), image, LatentSpec(128))
    discriminator = build_discriminator(DiscriminatorOptions(spectral=False), image)
    assert [block.first.weight.shape[:2] for block in generator.blocks] == [
        *[(1024, 1024), (512, 1024), (256, 512), (128, 256), (64, 128)]
    ]
    assert [block.second.out_channels for block in discriminator.body[:-1]] == [64, 128, 256, 512, 1024, 1024]
    # The last block leaves sides and channels alone, and its shortcut is none.
    assert isinstance(discriminator.body[-2].shortcut, nn.Identity)


@pytest.mark.slow
def test_every_option_keeps_the_promises() -> None:
    (generator,), (discriminator,) = ganlab_generators(), ganlab_discriminators()
    for image in (ImageSpec(3, 32, 32), ImageSpec(1, 36, 44, classes=4)):
        check_component(generator, options={"width": 2, **BIGGAN}, spec=image, latent=LatentSpec(7))
        check_component(discriminator, options={"width": 2, "attention": 16}, spec=image)


@pytest.mark.parametrize("options", [{}, BIGGAN, {"hierarchical": True}, {"embedding": 3}])
def test_labels_change_what_is_made(options: dict[str, Any]) -> None:
    image = ImageSpec(1, 16, 16, classes=3)
    network = build_generator(GeneratorOptions(width=4, **options), image, LatentSpec(8))
    images = network(torch.randn(1, 8).expand(6, 8), torch.arange(6) % 3)
    assert torch.allclose(images[0], images[3], atol=1e-6)
    assert not torch.allclose(images[0], images[1], atol=1e-3)


def test_labels_change_what_is_judged() -> None:
    network = build_discriminator(DiscriminatorOptions(width=4), ImageSpec(1, 16, 16, classes=3)).eval()
    assert network(torch.ones(3, 1, 16, 16), torch.arange(3)).unique().numel() == 3


def test_each_block_has_a_part_of_hierarchical_latents() -> None:
    options = GeneratorOptions(width=4, hierarchical=True)
    network = build_generator(options, ImageSpec(1, 16, 16), LatentSpec(5)).eval()
    assert network.first.in_features == 2
    assert [block.first_norm.affine.in_features for block in network.blocks] == [2, 1]
    one, other = torch.randn(2, 5)
    other[:4] = one[:4]
    assert not torch.equal(network(one[None]), network(other[None]))
    with pytest.raises(ComponentError, match=r"2 blocks .* make it 3 at the least"):
        build_generator(options, ImageSpec(1, 16, 16), LatentSpec(2))


def test_attention_stands_where_it_is_asked_for() -> None:
    image = ImageSpec(3, 64, 48)
    generator = build_generator(GeneratorOptions(width=2, attention=24), image, LatentSpec(4))
    discriminator = build_discriminator(DiscriminatorOptions(width=2, attention=12), image)
    sides = []
    for network in (generator, discriminator):
        (layer,) = [module for module in network.modules() if isinstance(module, SelfAttention)]
        layer.register_forward_hook(lambda _, given, __: sides.append(given[0].shape[2:]))
    discriminator(generator(torch.randn(2, 4)))
    assert sides == [(32, 24), (16, 12)]
    with pytest.raises(ComponentError, match=r"no feature map is 32 pixels .* the largest has 24") as caught:
        build_discriminator(DiscriminatorOptions(attention=32), image)
    assert caught.value.option == "attention"


def test_attention_begins_as_nothing_and_looks_everywhere() -> None:
    with isolated_randomness(0):
        layer = SelfAttention(8, spectral=False)
        features = torch.randn(1, 8, 4, 4)
    assert torch.equal(layer(features), features)
    nn.init.ones_(layer.gain)
    moved = features.clone()
    moved[0, :, 0, 0] += 9
    assert not torch.allclose(layer(features)[0, :, 3, 3], layer(moved)[0, :, 3, 3])


def test_a_gradient_penalty_reaches_through_attention() -> None:
    network = build_discriminator(DiscriminatorOptions(width=2, attention=8), ImageSpec(1, 16, 16))
    nn.init.ones_(network.body[1].gain)
    images = torch.randn(2, 1, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(images).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert network.body[1].query.parametrizations.weight.original.grad.abs().sum() > 0
