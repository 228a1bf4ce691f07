"""Autoencoders as discriminators (Zhao, Mathieu & LeCun, 2017)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from ganlab import ImageSpec, SampleSpec, Verdict

__all__ = ["Autoencoder", "convolutional", "perceptron"]

CODE_SIDE = 4
"""Sides of an image's code are at least this and below twice this, on the shorter side."""


class Autoencoder(nn.Module):
    """Samples to minus their mean squared reconstruction error.

    Args:
        encoder: samples to codes `(N, …)`.
        decoder: codes to samples.

    Shapes: `(N, …)` -> logits `(N,)`, at most 0; features, the codes; and the output `energy`, `(N,)`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, samples: torch.Tensor) -> Verdict:
        """Return minus the energies, and the codes."""
        code = self.encoder(samples)
        # Under autocast the reconstruction is coarse, but its error need not be.
        error = self.decoder(code).float() - samples
        energy = error.square().flatten(1).mean(dim=1)
        return Verdict(-energy, features=code, outputs={"energy": energy})


def perceptron(samples: SampleSpec, width: int, code: int, slope: float) -> Autoencoder:
    """Return an autoencoder of any samples, taken as vectors, with two hidden layers on each side.

    Args:
        samples: what to judge.
        width: units of a hidden layer.
        code: elements of the code.
        slope: of the leaky ReLU.
    """

    def layers(inputs: int, outputs: int) -> list[nn.Module]:
        return [
            nn.Linear(inputs, width),
            nn.LeakyReLU(slope),
            nn.Linear(width, width),
            nn.LeakyReLU(slope),
            nn.Linear(width, outputs),
        ]

    elements = math.prod(samples.shape)
    return Autoencoder(
        nn.Sequential(nn.Flatten(), *layers(elements, code)),
        nn.Sequential(*layers(code, elements), nn.Unflatten(1, samples.shape)),
    )


def convolutional(
    image: ImageSpec, width: int, widest: int, code: int, normalisation: str, slope: float
) -> Autoencoder:
    """Return an autoencoder of images, which halves them down to a code of 4 to 7 pixels a side.

    Args:
        image: what to judge.
        width: channels after the first convolution.
        widest: largest multiple of `width`.
        code: channels of the code.
        normalisation: `batch`, `instance`, `layer` or `none`.
        slope: of the leaky ReLU.
    """
    halvings = int(math.log2(min(image.height, image.width) / CODE_SIDE))
    widths = [width * min(2**stage, widest) for stage in range(halvings)]
    sizes = [(image.height >> stage, image.width >> stage) for stage in range(halvings)]
    encoder: list[nn.Module] = [
        nn.Conv2d(image.channels, widths[0], 4, stride=2, padding=1),
        nn.LeakyReLU(slope),
    ]
    for fine, coarse in pairwise(widths):
        encoder += [
            nn.Conv2d(fine, coarse, 4, stride=2, padding=1),
            *_finish(coarse, normalisation, slope),
        ]
    decoder: list[nn.Module] = [
        nn.Conv2d(code, widths[-1], 3, padding=1),
        *_finish(widths[-1], normalisation, slope),
    ]
    # To the size that each stage came from, be it odd.
    for stage in reversed(range(1, halvings)):
        decoder += [
            nn.Upsample(size=sizes[stage]),
            nn.Conv2d(widths[stage], widths[stage - 1], 3, padding=1),
            *_finish(widths[stage - 1], normalisation, slope),
        ]
    decoder += [
        nn.Upsample(size=sizes[0]),
        nn.Conv2d(widths[0], image.channels, 3, padding=1),
        nn.Tanh(),
    ]
    encoder.append(nn.Conv2d(widths[-1], code, 3, padding=1))
    return Autoencoder(nn.Sequential(*encoder), nn.Sequential(*decoder))


def _finish(channels: int, normalisation: str, slope: float) -> list[nn.Module]:
    """Return the normalisation and the activation that follow a hidden convolution."""
    normalisations: dict[str, list[nn.Module]] = {
        "batch": [nn.BatchNorm2d(channels)],
        "instance": [nn.InstanceNorm2d(channels, affine=True)],
        "layer": [nn.GroupNorm(1, channels)],
    }
    return [*normalisations.get(normalisation, []), nn.LeakyReLU(slope)]
