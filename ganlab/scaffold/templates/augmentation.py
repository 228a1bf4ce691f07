"""The augmentation `scaffold-name`: images in fog of random thickness."""

from pydantic import Field

from ganlab import Augmentation, AugmentationComponent, ImageSpec, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [[augmentations]]; each string is shown by `ganlab describe`."""

    most: float = Field(0.5, gt=0, lt=1)
    """Largest share of fog; below 1, or images could no longer be told apart."""


class ScaffoldAugmentation(Augmentation):
    """What the discriminator sees real and generated images through."""

    def __init__(self, most):
        self.most = most

    def __call__(self, samples, draws):
        """Return samples of the same shape; row i follows from its own sample and draws alone."""
        share = self.most * draws.rand()[:, None, None, None]
        return samples * (1 - share) + share


def build(options: ScaffoldOptions, image: ImageSpec):
    """Return the augmentation."""
    return ScaffoldAugmentation(options.most)


@hookimpl
def ganlab_augmentations():
    """Offer the augmentation."""
    yield AugmentationComponent(
        name="scaffold-name",
        summary="Fog, thicker for some images than for others",
        options=ScaffoldOptions,
        build=build,
    )
