"""The `mlp` generator, discriminator and encoder."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from ganlab import ImageSpec, LatentSpec, SampleSpec, VectorSpec
from ganlab_toy import (
    MlpDiscriminatorOptions,
    MlpEncoderOptions,
    MlpGeneratorOptions,
    build_discriminator,
    build_encoder,
    build_generator,
    ganlab_discriminators,
    ganlab_generators,
)

SPECS: list[SampleSpec] = [
    VectorSpec(dimension=2),
    VectorSpec(dimension=3, classes=8),
    ImageSpec(channels=3, height=8, width=12),
    ImageSpec(channels=1, height=16, width=16, classes=10),
]
LATENT = LatentSpec(dim=5)


def _generator(spec: SampleSpec, **options: object) -> nn.Module:
    return build_generator(MlpGeneratorOptions.model_validate(options), spec, LATENT)


def _discriminator(spec: SampleSpec, **options: object) -> nn.Module:
    return build_discriminator(MlpDiscriminatorOptions.model_validate(options), spec)


def _labels(spec: SampleSpec, n: int) -> tuple[torch.Tensor, ...]:
    """Return what follows the first argument of `forward`."""
    return (torch.arange(n) % spec.classes,) if spec.classes else ()


def test_the_hooks_accept_every_kind_of_sample() -> None:
    for record in (*ganlab_generators(), *ganlab_discriminators()):
        assert record.name == "mlp"
        assert record.accepts == (SampleSpec,)
        assert record.takes_labels


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("normalisation", ["none", "layer", "batch"])
def test_shapes_ranges_and_gradients(spec: SampleSpec, normalisation: str) -> None:
    torch.manual_seed(0)
    generator = _generator(spec, width=16, layers=2, normalisation=normalisation)
    discriminator = _discriminator(spec, width=16, layers=2, normalisation=normalisation)
    labels = _labels(spec, 7)
    samples = generator(torch.randn(7, LATENT.dim), *labels)
    assert samples.shape == (7, *spec.shape)
    logits = discriminator(samples, *labels).logits
    assert logits.shape == (7,)
    torch.nn.functional.softplus(-logits).sum().backward()
    for network in (generator, discriminator):
        # A bias before a batch normalisation is taken away again by its mean.
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            if name.endswith("weight"):
                assert parameter.grad.abs().sum() > 0, name


def test_images_are_bounded_and_vectors_are_not() -> None:
    torch.manual_seed(0)
    latents = 100.0 * torch.randn(32, LATENT.dim)
    image = _generator(ImageSpec(channels=1, height=4, width=4))(latents)
    assert image.abs().max() <= 1.0
    assert _generator(VectorSpec(dimension=2))(latents).abs().max() > 1.0


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_encoder_tells_mean_and_log_variance_apart(spec: SampleSpec) -> None:
    encoder = build_encoder(MlpEncoderOptions(width=16, layers=0), spec, LATENT)
    samples = torch.randn(7, *spec.shape)
    mean, log_variance = encoder(samples)
    both = encoder.body(samples.flatten(1))
    assert torch.equal(mean, both[:, : LATENT.dim])
    assert torch.equal(log_variance, both[:, LATENT.dim :])


@pytest.mark.parametrize("activation", ["relu", "leaky-relu", "gelu", "tanh"])
def test_layers_and_width_are_what_was_asked_for(activation: str) -> None:
    network = _discriminator(VectorSpec(dimension=2), width=11, layers=4, activation=activation)
    sizes = [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]
    assert sizes == [(2, 11), (11, 11), (11, 11), (11, 11), (11, 1)]


def test_without_hidden_layers_it_is_linear() -> None:
    network = _discriminator(VectorSpec(dimension=3), layers=0)
    x, y = torch.randn(5, 3), torch.randn(5, 3)
    origin = network(torch.zeros(5, 3)).logits
    torch.testing.assert_close(network(x + y).logits + origin, network(x).logits + network(y).logits)


def test_labels_change_the_verdict_and_the_sample() -> None:
    torch.manual_seed(0)
    spec = VectorSpec(dimension=2, classes=3)
    latents, samples = torch.randn(4, LATENT.dim), torch.randn(4, 2)
    zeros, ones = torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)
    generator, discriminator = _generator(spec), _discriminator(spec)
    assert not torch.equal(generator(latents, zeros), generator(latents, ones))
    assert not torch.equal(discriminator(samples, zeros).logits, discriminator(samples, ones).logits)
    with pytest.raises(ValueError, match="3 classes"):
        generator(latents)


@pytest.mark.parametrize("layers", [0, 2])
def test_a_classifier_names_the_class_and_is_not_told(layers: int) -> None:
    network = _discriminator(VectorSpec(dimension=2, classes=3), layers=layers, labels="classifier")
    samples = torch.randn(4, 2)
    verdict, untold = network(samples, torch.arange(4) % 3), network(samples)
    assert verdict.class_logits.shape == (4, 3)
    assert torch.equal(verdict.logits, untold.logits)
    assert torch.equal(verdict.class_logits, untold.class_logits)


def test_features_are_what_the_logit_is_read_from() -> None:
    network = _discriminator(VectorSpec(dimension=2), width=11)
    verdict = network(torch.randn(4, 2))
    assert verdict.features.shape == (4, 11)
    torch.testing.assert_close(network.body[-1](verdict.features).squeeze(1), verdict.logits)


def test_labels_are_ignored_where_the_data_has_none() -> None:
    network = _discriminator(VectorSpec(dimension=2))
    samples = torch.randn(4, 2)
    assert torch.equal(network(samples).logits, network(samples, torch.arange(4)).logits)


def test_the_hook_module_imports_nothing_heavy() -> None:
    code = "import sys, ganlab_toy; print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
