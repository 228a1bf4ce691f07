"""The DCGAN networks: shapes for any size, the paper's layers at 64×64, labels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ganlab import ComponentError, ImageSpec, LatentSpec
from ganlab_dcgan import (
    DiscriminatorOptions,
    EncoderOptions,
    GeneratorOptions,
    TutorialDiscriminatorOptions,
    TutorialGeneratorOptions,
    build_discriminator,
    build_encoder,
    build_generator,
    build_tutorial_discriminator,
    build_tutorial_generator,
)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(height=st.integers(16, 256), width=st.integers(16, 256), channels=st.sampled_from([1, 3, 4]))
def test_any_size_and_channel_count(height: int, width: int, channels: int) -> None:
    image, latent = ImageSpec(channels, height, width), LatentSpec(5)
    latents = torch.randn(2, 5)
    images = build_generator(GeneratorOptions(width=2), image, latent)(latents)
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    assert build_discriminator(DiscriminatorOptions(width=2), image)(images).logits.shape == (2,)
    mean, log_variance = build_encoder(EncoderOptions(width=2), image, latent)(images)
    assert mean.shape == log_variance.shape == (2, 5)


def test_the_papers_layers_at_64() -> None:
    image = ImageSpec(3, 64, 64)
    generator = build_generator(GeneratorOptions(), image, LatentSpec(100))
    discriminator = build_discriminator(DiscriminatorOptions(), image)
    shapes = [tuple(m.weight.shape) for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert shapes == [
        (100, 512, 4, 4),
        (512, 256, 4, 4),
        (256, 128, 4, 4),
        (128, 64, 4, 4),
        (64, 3, 4, 4),
    ]
    shapes = [tuple(m.weight.shape) for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [(64, 3, 4, 4), (128, 64, 4, 4), (256, 128, 4, 4), (512, 256, 4, 4), (1, 512, 4, 4)]
    # The widely used PyTorch example has 3,576,704 and 2,765,568: these biases come on top.
    assert parameters(generator) == 3_576_704 + 3
    assert parameters(discriminator) == 2_765_568 + 64 + 1


@pytest.mark.parametrize("side", [15, 257])
def test_a_size_it_cannot_make_is_named(side: int) -> None:
    with pytest.raises(ComponentError, match=rf"16 to 256 .* {side}×64"):
        build_generator(GeneratorOptions(), ImageSpec(3, side, 64), LatentSpec(10))


@pytest.mark.parametrize("normalisation", ["batch", "instance", "layer", "none", "spectral"])
def test_every_normalisation_learns(normalisation: str) -> None:
    image = ImageSpec(3, 16, 16)
    network = build_discriminator(DiscriminatorOptions(width=4, normalisation=normalisation), image)  # type: ignore[arg-type]
    network(torch.randn(4, 3, 16, 16)).logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    expected = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "layer": nn.GroupNorm}
    if normalisation in expected:
        assert any(isinstance(module, expected[normalisation]) for module in network.modules())


def test_spectral_norm_bounds_every_layer() -> None:
    network = build_discriminator(
        DiscriminatorOptions(width=4, normalisation="spectral"), ImageSpec(3, 16, 16)
    )
    for _ in range(50):
        network(torch.randn(2, 3, 16, 16))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            norm = torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2)
            assert float(norm) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_labels_change_what_is_made_and_judged(upsampling: str) -> None:
    image = ImageSpec(1, 16, 16, classes=3)
    generator = build_generator(GeneratorOptions(width=4, upsampling=upsampling), image, LatentSpec(8)).eval()  # type: ignore[arg-type]
    discriminator = build_discriminator(DiscriminatorOptions(width=4), image).eval()
    latents = torch.randn(1, 8).expand(3, 8)
    images = generator(latents, torch.arange(3))
    assert not torch.allclose(images[0], images[1])
    same = images[:1].expand(3, 1, 16, 16)
    assert discriminator(same, torch.arange(3)).logits.unique().numel() == 3


def test_nearest_upsampling_is_the_function_of_two_layers_with_less_work() -> None:
    torch.manual_seed(0)
    options = GeneratorOptions(width=4, upsampling="nearest")
    generator = build_generator(options, ImageSpec(3, 16, 24), LatentSpec(5)).double().eval()
    two_layers = nn.Sequential(
        nn.ConvTranspose2d(5, 8, (4, 6), bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 3, padding=1), nn.Tanh(),
    ).double().eval()  # fmt: skip
    two_layers.load_state_dict(
        {name.removeprefix("layers."): value for name, value in generator.state_dict().items()}
    )
    latents, weights = torch.randn(3, 5).double(), torch.randn(3, 3, 16, 24).double()

    def results(network: nn.Module, latents: torch.Tensor) -> list[torch.Tensor]:
        images = network(latents)
        return [images, *torch.autograd.grad((images * weights).sum(), list(network.parameters()))]

    with FlopCounterMode(display=False) as work:
        ours = results(generator, latents)
    with FlopCounterMode(display=False) as work_of_two:
        theirs = results(two_layers, latents[:, :, None, None])
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    assert work.get_total_flops() < 0.6 * work_of_two.get_total_flops()


def test_a_classifier_names_the_class_and_is_not_told() -> None:
    image = ImageSpec(1, 16, 16, classes=3)
    network = build_discriminator(DiscriminatorOptions(width=4, labels="classifier"), image).eval()
    images = torch.randn(5, 1, 16, 16)
    verdict, other = network(images, torch.zeros(5, dtype=torch.int64)), network(images, torch.arange(5) % 3)
    assert verdict.class_logits.shape == (5, 3)
    assert torch.equal(verdict.logits, other.logits)
    assert torch.equal(verdict.class_logits, other.class_logits)


def test_features_are_what_the_logit_is_read_from() -> None:
    network = build_discriminator(DiscriminatorOptions(width=4), ImageSpec(1, 16, 16)).eval()
    verdict = network(torch.randn(5, 1, 16, 16))
    torch.testing.assert_close(network.head(verdict.features).flatten(), verdict.logits)


CELEBA = ImageSpec(3, 218, 178)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(16, 256), width=st.integers(16, 256), channels=st.sampled_from([1, 3]))
def test_the_tutorials_networks_take_any_size(height: int, width: int, channels: int) -> None:
    image, latent = ImageSpec(channels, height, width), LatentSpec(5, "uniform")
    generator = build_tutorial_generator(TutorialGeneratorOptions(width=2), image, latent)
    images = generator(torch.rand(2, 5) * 2 - 1)
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    assert build_tutorial_discriminator(TutorialDiscriminatorOptions(width=2), image)(images).shape == (2,)


def test_the_tutorials_layers_at_64() -> None:
    image = ImageSpec(3, 64, 64)
    generator = build_tutorial_generator(TutorialGeneratorOptions(), image, LatentSpec(100))
    discriminator = build_tutorial_discriminator(TutorialDiscriminatorOptions(), image)
    kinds = (nn.Linear, nn.ConvTranspose2d, nn.Conv2d)
    shapes = [tuple(m.weight.shape) for m in generator.modules() if isinstance(m, kinds)]
    assert shapes == [
        (512 * 4 * 4, 100),
        *[(512, 512, 4, 4), (512, 256, 4, 4), (256, 128, 4, 4), (128, 64, 4, 4)],
        (3, 64, 3, 3),
    ]
    shapes = [tuple(m.weight.shape) for m in discriminator.modules() if isinstance(m, kinds)]
    assert shapes == [
        *[(64, 3, 3, 3), (64, 64, 4, 4), (128, 64, 3, 3), (128, 128, 4, 4)],
        *[(256, 128, 3, 3), (256, 256, 4, 4), (512, 256, 3, 3), (512, 512, 4, 4)],
        (1, 512),
    ]
    for network in (generator, discriminator):
        scaled = [m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        biases = [len(m.bias) for m in network.modules() if isinstance(m, kinds) and m.bias is not None]
        weights = sum(m.weight.numel() for m in network.modules() if isinstance(m, kinds))
        assert parameters(network) == weights + sum(biases) + 2 * sum(scaled)
    # Every convolution of a block has its batch normalisation, the generator's last one none.
    assert [sum(isinstance(m, nn.BatchNorm2d) for m in n.modules()) for n in (generator, discriminator)] == [
        4,
        8,
    ]


def test_noise_as_large_as_the_image() -> None:
    latent = LatentSpec(218 * 178 * 3, "uniform")
    options = TutorialGeneratorOptions(width=1, widest=1, blocks=6)
    assert build_tutorial_generator(options, CELEBA, latent)(torch.rand(2, latent.dim)).shape == (
        2,
        *CELEBA.shape,
    )


def test_more_blocks_than_the_image_has_halvings_are_refused() -> None:
    with pytest.raises(ComponentError, match=r"6 blocks .* 64×32 pixels .* 5 is the most") as caught:
        build_tutorial_discriminator(TutorialDiscriminatorOptions(blocks=6), ImageSpec(3, 64, 32))
    assert caught.value.option == "blocks"


def test_labels_change_what_the_tutorials_networks_make_and_judge() -> None:
    image = ImageSpec(1, 16, 16, classes=3)
    generator = build_tutorial_generator(TutorialGeneratorOptions(width=2), image, LatentSpec(8)).eval()
    discriminator = build_tutorial_discriminator(TutorialDiscriminatorOptions(width=2), image).eval()
    images = generator(torch.randn(1, 8).expand(3, 8), torch.arange(3))
    assert not torch.equal(images[0], images[1])
    assert discriminator(images[:1].expand(3, 1, 16, 16), torch.arange(3)).unique().numel() == 3
