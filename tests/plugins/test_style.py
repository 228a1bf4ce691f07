"""StyleGAN2's networks: shapes for any size, the authors' parameters, modulation, spread, truncation."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import conv2d

sys.path.insert(0, str(Path(__file__).parent))
from playing import play

from ganlab import GanlabError, ImageSpec, LatentSpec
from ganlab.commands.cli import run
from ganlab.engine.networks import load_weights
from ganlab.testing import check_component
from ganlab_path_length.losses import PathLength
from ganlab_style import (
    DiscriminatorOptions,
    GeneratorOptions,
    build_discriminator,
    build_generator,
    ganlab_discriminators,
    ganlab_generators,
)
from ganlab_style.layers import Blur, EqualisedLinear, ModulatedConvolution, append_spread
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
        check_component(generator, options={**SMALL, "noise": False, "mixing": 0.9}, spec=image)
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


@pytest.mark.parametrize(("height", "width"), [(8, 6), (9, 5)])
def test_halving_keeps_every_second_blurred_pixel(height: int, width: int) -> None:
    features = torch.randn(2, 3, height, width)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    kernel = torch.outer(taps, taps).expand(3, 1, 4, 4)
    expected = conv2d(features, kernel, padding=1, stride=2, groups=3)
    torch.testing.assert_close(Blur(1, stride=2)(features), expected)


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


@pytest.mark.parametrize(("count", "size"), [(6, 3), (7, 7), (8, 4), (13, 13), (31, 31), (15, 3), (14, 2)])
def test_groups_are_as_near_to_what_is_asked_for_as_the_batch_allows(count: int, size: int) -> None:
    features = torch.randn(count, 3, 2, 2)
    shown = append_spread(features, 4)[:, 3, 0, 0]
    for member in range(count // size):
        group = features[member :: count // size]
        assert len(group) == size
        expected = group.std(dim=0, correction=0).mean()
        torch.testing.assert_close(shown[member :: count // size], expected.expand(size), atol=1e-5, rtol=0)


def test_a_single_sample_has_no_spread() -> None:
    assert append_spread(torch.randn(1, 3, 2, 2), 4)[:, 3].max() < 1e-3


def test_truncation_draws_styles_towards_the_mean() -> None:
    network = small_generator(ImageSpec(1, 16, 16))
    batches = torch.randn(3, 64, 5)
    means = torch.stack([network.mapping(batch).mean(dim=0) for batch in batches])
    for count, batch in enumerate(batches, 1):
        network(batch)
        # Not drawn towards the 0 that it began with.
        assert torch.allclose(network.mean_style, means[:count].mean(dim=0), atol=1e-6)
    network.followed.fill_(10_000)
    network(batches[0])
    assert torch.allclose(network.mean_style, means.mean(dim=0).lerp(means[0], 0.002), atol=1e-6)
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
    weights = network.state_dict()
    del weights["followed"]
    load_weights(earlier := small_generator(ImageSpec(1, 16, 16)), weights, "generator")
    assert torch.equal(earlier.mean_style, mean) and earlier.followed > 400
    del weights["mean_style"]
    with pytest.raises(GanlabError, match="do not fit:\n    mean_style is missing"):
        load_weights(earlier, weights, "generator")


def mixed(image: ImageSpec, latent: LatentSpec, mixing: float = 1.0) -> Generator:
    """Return a generator with the same weights at every call."""
    torch.manual_seed(0)
    network = build_generator(GeneratorOptions(**SMALL, mixing=mixing), image, latent)
    assert isinstance(network, Generator)
    return network


def test_styles_are_mixed_from_a_random_layer_on_in_training_alone() -> None:
    network = mixed(ImageSpec(1, 32, 32), LatentSpec(5), 0.75)
    latents = torch.randn(4000, 5)
    network.eval()
    own = network.mapping(latents)
    assert own.shape == (4000, 6)
    network.train()
    styles = network.mapping(latents)
    assert styles.shape == (4000, 8, 6)  # eight layers: two of each size and an image
    kept = torch.isclose(styles, own[:, None]).all(dim=2)
    assert kept[:, 0].all()
    assert torch.equal(kept, kept.cummin(dim=1).values)  # once another, always another
    others = styles[:, -1][~kept[:, -1]]
    torch.testing.assert_close(styles[:, -2][~kept[:, -2]], others[~kept[:, -2][~kept[:, -1]]])
    # Every crossover is as likely, and so is none for a quarter.
    counts = kept.sum(dim=1).bincount(minlength=9)[1:] / 4000
    expected = torch.tensor([*[0.75 / 7] * 7, 0.25])
    assert (counts - expected).abs().max() < 5 * (0.25 * 0.75 / 4000) ** 0.5


def test_layers_before_the_crossover_have_the_first_style_and_those_behind_the_second() -> None:
    network = mixed(ImageSpec(1, 16, 16), LatentSpec(5))
    network.eval()
    styles = network.mapping(torch.randn(1, 5)), network.mapping(torch.randn(1, 5))
    seen: list[torch.Tensor] = []
    for layer in network.modules():
        if isinstance(layer, ModulatedConvolution):
            layer.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[1]))
    network.mapping.forward = lambda *_: torch.stack([*styles[:1] * 3, *styles[1:] * 3], dim=1)  # type: ignore[method-assign]
    network(torch.zeros(1, 5))
    # 4×4: a convolution and an image; 8×8 and 16×16: two and an image each, which has the next one's style.
    places = [0, 1, 1, 2, 3, 3, 4, 5]
    assert [torch.equal(each, styles[0]) for each in seen] == [place < 3 for place in places]
    assert [torch.equal(each, styles[1]) for each in seen] == [place >= 3 for place in places]


def test_without_mixing_no_number_is_drawn_and_every_layer_has_the_same_style() -> None:
    image, latents = ImageSpec(1, 16, 16), torch.randn(4, 5)
    never, always = mixed(image, LatentSpec(5), 0.0), mixed(image, LatentSpec(5))
    before = torch.get_rng_state()
    places = never.mapping(latents)
    assert places.shape == (4, 6, 6)  # six layers: two of each size and an image
    assert torch.equal(torch.get_rng_state(), before)
    styles = never.eval().mapping(latents)
    assert torch.equal(places, styles[:, None].expand(-1, 6, -1))
    always.eval()
    assert torch.equal(always.mapping(latents), styles)
    assert torch.equal(always(latents), never(latents))
    # What is mixed of two equal styles is as if none were.
    always.train()
    never.train()
    always.mapping._drawn_like = lambda latents: latents  # type: ignore[method-assign]
    torch.testing.assert_close(always(latents), never(latents))


def test_path_lengths_are_by_the_styles_of_all_layers_mixed_or_not() -> None:
    image = ImageSpec(1, 16, 16)
    never, always = mixed(image, LatentSpec(5), 0.0), mixed(image, LatentSpec(5))
    always.mapping._drawn_like = lambda latents: latents  # type: ignore[method-assign]
    latents, real = torch.randn(4, 5), torch.zeros(4, 1, 16, 16)
    penalties = [
        play("generator", PathLength(), real=real, fake=real, latents=latents, generate=network)
        for network in (never, always)
    ]
    assert penalties[0] > 0
    torch.testing.assert_close(*penalties)


def test_the_second_latents_are_of_the_experiments_kind() -> None:
    uniform = mixed(ImageSpec(1, 16, 16), LatentSpec(9, "uniform", (3,))).mapping
    latents = torch.cat([torch.eye(3), torch.zeros(3, 6)], dim=1).repeat(500, 1)
    drawn = uniform._drawn_like(latents)
    assert torch.equal(drawn[:, :3], latents[:, :3])
    assert drawn[:, 3:].abs().max() <= 1
    assert drawn[:, 3:].var().item() == pytest.approx(1 / 3, rel=0.05)
    normal = mixed(ImageSpec(1, 16, 16), LatentSpec(9)).mapping._drawn_like(latents)
    assert normal.std().item() == pytest.approx(1, rel=0.05)


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


RUN = """
title = "mixed"
[image]
size = 16
[dataset]
name = "faces"
count = 40
[latent]
dim = 4
[generator]
name = "style"
width = 2
style = 4
mapping = 1
mixing = 0.9
[discriminator]
name = "style"
width = 2
[[losses]]
name = "non-saturating"
[[losses]]
name = "path-length"
[training]
steps = 4
batch_size = 8
precision = "fp32"
[samples]
count = 4
"""


@pytest.mark.slow
def test_a_run_that_mixes_is_resumed_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(RUN)
    weights = []
    for name, steps in (("whole", 4), ("short", 2)):
        runs = tmp_path / name
        assert (
            run(["run", str(tmp_path / "x.toml"), "--set", f"training.steps={steps}", "--runs", str(runs)])
            == 0
        )
        (path,) = runs.glob("mixed/*/")
        if steps == 2:
            torch.manual_seed(12345)  # whatever the process drew meanwhile
            assert run(["resume", str(path), "--set", "training.steps=4"]) == 0
        weights.append((path / "checkpoints" / "step-00000004" / "generator.safetensors").read_bytes())
    assert weights[0] == weights[1]
