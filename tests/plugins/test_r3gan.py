"""R3GAN's networks: shapes for any size, the paper's parameters, what they begin as."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate

from ganlab import ComponentError, ImageSpec, LatentSpec
from ganlab_r3gan import NetworkOptions, build_discriminator, build_generator
from ganlab_r3gan.networks import Resampling, ResidualBlock

SMALL = NetworkOptions(width=4, widest=2, blocks=1, group=4)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(height=st.integers(16, 140), width=st.integers(16, 140), channels=st.sampled_from([1, 3]))
def test_any_size_and_channel_count(height: int, width: int, channels: int) -> None:
    image = ImageSpec(channels, height, width)
    images = build_generator(SMALL, image, LatentSpec(5))(torch.randn(2, 5))
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    assert build_discriminator(SMALL, image)(images).shape == (2,)


@pytest.mark.slow
def test_the_papers_parameters_at_64() -> None:
    image, options = ImageSpec(3, 64, 64), NetworkOptions(width=384, widest=2)
    generator = build_generator(options, image, LatentSpec(64))
    discriminator = build_discriminator(options, image)

    def block(channels: int) -> int:
        inside = 2 * channels
        return 2 * channels * inside + inside * 16 * 9 + 2 * inside

    blocks = 2 * (4 * block(768) + block(384))
    assert parameters(generator) == (16 + 64) * 768 + blocks + 768 * 384 + 384 * 3
    assert parameters(discriminator) == 3 * 384 + blocks + 384 * 768 + 16 * 768 + 768
    grouped = [m for m in generator.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    # The authors' cardinalities, twice at each size from 4×4 to 64×64.
    assert [m.groups for m in grouped] == [96] * 8 + [48] * 2


def test_the_paper_s_channels_at_256_are_the_defaults() -> None:
    network = build_discriminator(NetworkOptions(), ImageSpec(3, 256, 256))
    blocks = [m.layers[0].in_channels for m in network.modules() if isinstance(m, ResidualBlock)]
    assert blocks[::2] == blocks[1::2] == [96, 192, 384, 768, 768, 768, 768]


def test_every_block_begins_as_nothing() -> None:
    block = ResidualBlock(8, expansion=2, group=4, depth=16)
    features = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(features), features)
    torch.manual_seed(0)
    wide = ResidualBlock(256, expansion=2, group=16, depth=16)
    for index, fan_in in ((0, 256), (2, 16 * 9)):
        # √(2 / 1.04) for a leaky ReLU, and 1/2 for 16 blocks of three layers.
        assert wide.layers[index].weight.std().item() == pytest.approx(
            (2 / 1.04 / fan_in) ** 0.5 / 2, rel=0.05
        )


@pytest.mark.parametrize(("height", "width"), [(8, 6), (9, 4), (2, 13)])
@pytest.mark.parametrize("doubling", [True, False])
def test_resampling_is_a_filter_of_bilinear_taps(doubling: bool, height: int, width: int) -> None:
    features = torch.randn(2, 3, height, width)
    resampled = Resampling(height, width, doubling=doubling)(features)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / (4 if doubling else 8)
    kernel = torch.outer(taps, taps).expand(3, 1, 4, 4)
    convolve = conv_transpose2d if doubling else conv2d
    torch.testing.assert_close(resampled, convolve(features, kernel, stride=2, padding=1, groups=3))
    factor = 2 if doubling else 0.5
    bilinear = interpolate(features, scale_factor=factor, mode="bilinear", antialias=not doubling)
    inner = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(resampled[inner], bilinear[inner])


@pytest.mark.slow
def test_a_program_of_resampling_takes_any_batch() -> None:
    network = Resampling(4, 6, doubling=True)
    program = torch.export.export(
        network, (torch.randn(3, 2, 4, 6),), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
    )
    features = torch.randn(5, 2, 4, 6)
    assert torch.equal(program.module()(features), network(features))


def test_half_precision_stays_half_precision() -> None:
    block = ResidualBlock(8, expansion=2, group=4, depth=16)
    features = torch.randn(1, 8, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        for layer in block.layers:
            features = layer(features)
            assert features.dtype == torch.bfloat16


def test_labels_change_what_is_made_and_judged() -> None:
    image = ImageSpec(1, 16, 16, classes=3)
    images = build_generator(SMALL, image, LatentSpec(8))(torch.randn(1, 8).expand(3, 8), torch.arange(3))
    assert not torch.allclose(images[0], images[1])
    same = images[:1].expand(3, 1, 16, 16)
    assert build_discriminator(SMALL, image)(same, torch.arange(3)).unique().numel() == 3


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ComponentError, match=r"20 channels .* groups of 16") as caught:
        build_discriminator(NetworkOptions(width=10), ImageSpec(3, 32, 32))
    assert caught.value.option == "group"
