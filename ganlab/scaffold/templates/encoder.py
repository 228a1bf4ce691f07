"""The encoder `scaffold-name`: strided convolutions to the mean and log-variance of latents."""

from pydantic import Field
from torch import nn

from ganlab import EncoderComponent, ImageSpec, LatentSpec, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [encoder]; each string is shown by `ganlab describe`."""

    width: int = Field(32, ge=1)
    """Channels after the first convolution."""


class ScaffoldEncoder(nn.Module):
    """Images `(N, C, H, W)` to `(mean, log_variance)`, each `(N, dim)`."""

    def __init__(self, width, image, latent):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(image.channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
        )
        self.mean = nn.Linear(2 * width * 16, latent.dim)
        self.log_variance = nn.Linear(2 * width * 16, latent.dim)

    def forward(self, images):
        """Return where each image's latents are, and how surely."""
        features = self.body(images)
        return self.mean(features), self.log_variance(features)


def build(options: ScaffoldOptions, image: ImageSpec, latent: LatentSpec):
    """Return the network."""
    return ScaffoldEncoder(options.width, image, latent)


@hookimpl
def ganlab_encoders():
    """Offer the encoder."""
    yield EncoderComponent(
        name="scaffold-name",
        summary="Strided convolutions to a mean and a log-variance",
        options=ScaffoldOptions,
        build=build,
    )
