"""Multilayer perceptrons: the networks of the first GAN (Goodfellow et al., 2014).

They take vectors and images alike. Labels are concatenated to the input as one-hot
vectors (Mirza and Osindero, 2014), which the first layer turns into learned embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlab import SampleSpec, Verdict

__all__ = ["MlpDiscriminator", "MlpEncoder", "MlpGenerator"]

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": lambda: nn.LeakyReLU(0.2),
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}
_NORMALISATIONS: dict[str, Callable[[int], nn.Module]] = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}


def _perceptron(
    inputs: int, outputs: int, width: int, layers: int, activation: str, normalisation: str
) -> nn.Sequential:
    """Return `layers` hidden layers of `width` units and a linear output layer."""
    modules: list[nn.Module] = []
    for _ in range(layers):
        modules.append(nn.Linear(inputs, width))
        if normalisation != "none":
            modules.append(_NORMALISATIONS[normalisation](width))
        modules.append(_ACTIVATIONS[activation]())
        inputs = width
    modules.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*modules)


def _with_labels(inputs: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """Return inputs `(N, d)` with one-hot labels `(N,)` appended, `(N, d + classes)`.

    Raises:
        ValueError: the data has classes, and no labels were given.
    """
    if classes == 0:
        return inputs
    if labels is None:
        raise ValueError(f"labels are needed: the data has {classes} classes")
    return torch.cat([inputs, F.one_hot(labels, classes).to(inputs.dtype)], dim=1)


class MlpGenerator(nn.Module):
    """Latents `(N, latent)`, labels `(N,)` where the data has them → samples.

    Samples that are bounded, as images are, end in tanh, in [-1, 1]; vectors `(N, dimension)` are unbounded.

    Args:
        samples: what a sample is.
        latent: elements of a latent vector.
        width: units of a hidden layer.
        layers: hidden layers; 0 makes a linear map.
        activation: `relu`, `leaky-relu`, `gelu` or `tanh`.
        normalisation: `none`, `layer` or `batch`.
    """

    def __init__(
        self, samples: SampleSpec, latent: int, width: int, layers: int, activation: str, normalisation: str
    ) -> None:
        super().__init__()
        self.shape = samples.shape
        self.classes = samples.classes
        self.bounded = samples.bounded
        self.body = _perceptron(
            latent + self.classes, math.prod(self.shape), width, layers, activation, normalisation
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return samples `(N, *shape)`."""
        samples: Tensor = self.body(_with_labels(latents, labels, self.classes)).unflatten(1, self.shape)
        return samples.tanh() if self.bounded else samples


class MlpDiscriminator(nn.Module):
    """Samples `(N, *shape)`, labels `(N,)` where the data has them → logits `(N,)` and the last hidden layer.

    Args:
        samples: what a sample is.
        width: units of a hidden layer.
        layers: hidden layers; 0 makes a linear classifier.
        activation: `relu`, `leaky-relu`, `gelu` or `tanh`.
        normalisation: `none`, `layer` or `batch`.
        labels: `input`, or `classifier` to name the class instead of being told.
    """

    def __init__(
        self,
        samples: SampleSpec,
        width: int,
        layers: int,
        activation: str,
        normalisation: str,
        labels: str = "input",
    ) -> None:
        super().__init__()
        names_classes = samples.classes > 0 and labels == "classifier"
        self.told_classes = 0 if names_classes else samples.classes
        inputs = math.prod(samples.shape) + self.told_classes
        self.body = _perceptron(inputs, 1, width, layers, activation, normalisation)
        self.classifier = nn.Linear(width if layers else inputs, samples.classes) if names_classes else None

    def forward(self, samples: Tensor, labels: Tensor | None = None) -> Verdict:
        """Return logits `(N,)`, higher for more real, with features and, from a classifier, class logits."""
        *hidden, head = self.body
        features = _with_labels(samples.flatten(1), labels, self.told_classes)
        for layer in hidden:
            features = layer(features)
        class_logits = None if self.classifier is None else self.classifier(features)
        return Verdict(head(features).squeeze(1), features, class_logits)


class MlpEncoder(nn.Module):
    """Samples `(N, *shape)` → mean and log-variance of their latents, each `(N, latent)`.

    Args:
        samples: what a sample is.
        latent: elements of a latent vector.
        width: units of a hidden layer.
        layers: hidden layers; 0 makes a linear map.
        activation: `relu`, `leaky-relu`, `gelu` or `tanh`.
        normalisation: `none`, `layer` or `batch`.
    """

    def __init__(
        self, samples: SampleSpec, latent: int, width: int, layers: int, activation: str, normalisation: str
    ) -> None:
        super().__init__()
        self.body = _perceptron(
            math.prod(samples.shape), 2 * latent, width, layers, activation, normalisation
        )

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance."""
        mean, log_variance = self.body(samples.flatten(1)).chunk(2, dim=1)
        return mean, log_variance
