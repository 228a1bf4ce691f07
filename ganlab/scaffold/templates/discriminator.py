"""The discriminator `scaffold-name`: strided convolutions with spectral normalisation."""

from pydantic import Field
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganlab import DiscriminatorComponent, ImageSpec, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [discriminator]; each string is shown by `ganlab describe`."""

    width: int = Field(32, ge=1)
    """Channels after the first convolution."""


class ScaffoldDiscriminator(nn.Module):
    """Images `(N, C, H, W)` to logits `(N,)`: higher is more real, and there is no sigmoid."""

    def __init__(self, width, image):
        super().__init__()
        self.body = nn.Sequential(
            spectral_norm(nn.Conv2d(image.channels, width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
        )
        self.head = spectral_norm(nn.Linear(2 * width, 1))
        # Labels by projection (Miyato & Koyama, 2018).
        self.embedding = nn.Embedding(image.classes, 2 * width) if image.classes else None

    def forward(self, images, labels=None):
        """Return logits; `labels` `(N,)` are given where the data has some."""
        features = self.body(images).mean(dim=(2, 3))
        logits = self.head(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            logits = logits + (self.embedding(labels) * features).sum(dim=1)
        return logits


def build(options: ScaffoldOptions, image: ImageSpec):
    """Return the network."""
    return ScaffoldDiscriminator(options.width, image)


@hookimpl
def ganlab_discriminators():
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="scaffold-name",
        summary="Strided convolutions with spectral normalisation, labels by projection",
        options=ScaffoldOptions,
        build=build,
        takes_labels=True,
    )
