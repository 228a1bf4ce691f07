"""The features `scaffold-name`: responses of random filters, averaged over the image."""

import hashlib

import torch
from pydantic import Field
from torch.nn.functional import conv2d

from ganlab import ComponentError, FeatureExtractor, FeaturesComponent, ImageSpec, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [evaluators.features]; each string is shown by `ganlab describe`."""

    filters: int = Field(32, ge=1)
    """Number of filters; each gives two features."""
    kernel: int = Field(5, ge=1)
    """Height and width of a filter, in pixels."""
    seed: int = Field(0, ge=0)
    """Which filters."""


class ScaffoldFeatures(FeatureExtractor):
    """uint8 images `(N, C, H, W)` to float32 features `(N, d)`, each row from its own image alone."""

    standardise = True  # the core divides by the spread of the real samples' features

    def __init__(self, filters, kernel, seed, image):
        shape = (filters, image.channels, kernel, kernel)
        self.weights = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        self.content = f"scaffold-name, version 1: {(shape, seed)}"

    def extract(self, samples):
        """Return the features."""
        responses = conv2d(samples.float() / 127.5 - 1, self.weights.to(samples.device)).relu()
        return torch.cat([responses.mean(dim=(2, 3)), responses.amax(dim=(2, 3))], dim=1)

    def fingerprint(self):
        """Return a digest of all that decides a feature: those of real samples are cached by it."""
        return hashlib.sha256(self.content.encode()).hexdigest()


def build(options: ScaffoldOptions, image: ImageSpec):
    """Return the extractor; what it cannot do is told to the user here."""
    if options.kernel > min(image.height, image.width):
        size = f"{image.height}×{image.width}"
        raise ComponentError(f"kernels of {options.kernel} pixels do not fit into {size}", option="kernel")
    return ScaffoldFeatures(options.filters, options.kernel, options.seed, image)


@hookimpl
def ganlab_features():
    """Offer the features."""
    yield FeaturesComponent(
        name="scaffold-name",
        summary="Mean and maximum responses of random filters",
        options=ScaffoldOptions,
        build=build,
    )
