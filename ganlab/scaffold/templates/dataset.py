"""The dataset `scaffold-name`: discs and rings in random places, to be replaced by your own samples."""

import hashlib

import numpy as np
from PIL import Image, ImageDraw
from pydantic import Field

from ganlab import DatasetComponent, ImageSource, ImageSpec, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [dataset]; each string is shown by `ganlab describe`."""

    count: int = Field(2000, ge=1)
    """Number of images."""
    seed: int = Field(0, ge=0)
    """Which images."""
    labels: bool = False
    """Label each image: a disc, or a ring."""


class ScaffoldDataset(ImageSource):
    """Images by index. For files, see `ganlab.ImageFiles`: a folder or a zip."""

    def __init__(self, count, seed, labels, size):
        self.count, self.seed, self.labelled, self.size = count, seed, labels, size

    def __len__(self):
        """Return the number of images."""
        return self.count

    def read(self, index):
        """Return image `index`; it must follow from the index and the options alone."""
        random = np.random.default_rng([self.seed, index])
        radius = random.uniform(0.15, 0.35) * min(self.size)
        x, y = (random.uniform(radius, side - radius) for side in self.size)
        picture = Image.new("L", self.size)
        box = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(picture).ellipse(box, fill=0 if index % 2 else 255, outline=255, width=2)
        return picture

    def labels(self):
        """Return a class for each image, or `None`."""
        return np.arange(self.count, dtype=np.int64) % 2 if self.labelled else None

    @property
    def class_names(self):
        """Names of the classes, in order; empty where there are no labels."""
        return ("disc", "ring") if self.labelled else ()

    def fingerprint(self):
        """Return a digest of all that decides a pixel or a label: packed data is found again by it."""
        # Raise the version whenever `read` draws other images.
        content = f"scaffold-name, version 1: {(self.count, self.seed, self.labelled, self.size)}"
        return hashlib.sha256(content.encode()).hexdigest()


def build(options: ScaffoldOptions, image: ImageSpec):
    """Return the dataset; `image` is the size that the experiment asks for, and the core resizes to it."""
    return ScaffoldDataset(options.count, options.seed, options.labels, (image.width, image.height))


@hookimpl
def ganlab_datasets():
    """Offer the dataset."""
    yield DatasetComponent(
        name="scaffold-name",
        summary="Discs and rings in random places",
        options=ScaffoldOptions,
        build=build,
        image=ImageSpec(channels=1, height=32, width=32),
    )
