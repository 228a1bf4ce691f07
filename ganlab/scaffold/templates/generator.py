"""The generator `scaffold-name`: nearest-neighbour upsampling and convolutions."""

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import one_hot

from ganlab import ComponentError, GeneratorComponent, ImageSpec, LatentSpec, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [generator]; each string is shown by `ganlab describe`."""

    width: int = Field(32, ge=1)
    """Channels of the hidden layers."""


class ScaffoldGenerator(nn.Module):
    """Latents `(N, dim)` to images `(N, C, H, W)` in [-1, 1]."""

    def __init__(self, width, image, latent):
        super().__init__()
        self.classes = image.classes
        self.start = (width, image.height // 4, image.width // 4)
        self.first = nn.Linear(latent.dim + image.classes, width * self.start[1] * self.start[2])
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, image.channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, latents, labels=None):
        """Return images; `labels` `(N,)` are given where the data has some."""
        if labels is not None:
            latents = torch.cat([latents, one_hot(labels, self.classes)], dim=1)
        return self.layers(self.first(latents).unflatten(1, self.start))


def build(options: ScaffoldOptions, image: ImageSpec, latent: LatentSpec):
    """Return the network; what it cannot do is told to the user here."""
    if image.height % 4 or image.width % 4:
        raise ComponentError(f"sides must be multiples of 4, not {image.height}×{image.width}")
    return ScaffoldGenerator(options.width, image, latent)


@hookimpl
def ganlab_generators():
    """Offer the generator."""
    yield GeneratorComponent(
        name="scaffold-name",
        summary="Nearest-neighbour upsampling and convolutions",
        options=ScaffoldOptions,
        build=build,
        takes_labels=True,
    )
