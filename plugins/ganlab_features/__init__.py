"""Feature extractors that need no download."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ganlab import (
    FeaturesComponent,
    GanlabError,
    ImageSpec,
    Options,
    SampleSpec,
    VectorSpec,
    hookimpl,
)

if TYPE_CHECKING:
    from ganlab_features.classifier import Classifier
    from ganlab_features.classifier_network import ClassifierNetwork
    from ganlab_features.coordinates import Coordinates
    from ganlab_features.encoder import EncoderFeatures
    from ganlab_features.pixels import Pixels
    from ganlab_features.random_conv import RandomConv
    from ganlab_features.wavelet import Wavelet


class PixelsOptions(Options):
    """Options of `pixels`."""

    size: int = Field(8, ge=1, le=2**16)
    """Height and width that images are averaged down to."""


class RandomConvOptions(Options):
    """Options of `random-conv`."""

    seed: int = Field(0, ge=0, lt=2**32 - 2)
    """Seed of the first network; the other two have the next ones."""


class ClassifierOptions(Options):
    """Options of `classifier`."""

    weights: Path
    """The file that `ganlab train-features` wrote."""
    output: Literal["features", "probabilities"] = "features"
    """What the last layer decides by, or the probability of each class."""


class EncoderOptions(Options):
    """Options of `encoder`."""

    run: Path
    """Directory of the run whose encoder it is: a VAE's, say."""
    checkpoint: Literal["best", "last"] | Annotated[int, Field(ge=0)] = "best"
    """Which of its checkpoints: the best (the last where nothing was measured), the last, or a step."""

    def named_contents(self) -> Mapping[str, str]:
        """Return the digest of the encoder's weights."""
        from ganlab_features.encoder import trained_encoder

        try:
            return {"run": trained_encoder(self.run, self.checkpoint).digest}
        except GanlabError:  # `build` tells of it.
            return {}


def build_wavelet(options: Options, image: ImageSpec) -> Wavelet:
    """Return the `wavelet` extractor."""
    from ganlab_features.wavelet import Wavelet

    return Wavelet(image)


def build_pixels(options: PixelsOptions, image: ImageSpec) -> Pixels:
    """Return the `pixels` extractor."""
    from ganlab_features.pixels import Pixels

    return Pixels(image, options.size)


def build_coordinates(options: Options, vector: VectorSpec) -> Coordinates:
    """Return the `coordinates` extractor."""
    from ganlab_features.coordinates import Coordinates

    return Coordinates(vector)


def build_random_conv(options: RandomConvOptions, image: ImageSpec) -> RandomConv:
    """Return the `random-conv` extractor."""
    from ganlab_features.random_conv import RandomConv

    return RandomConv(image, options.seed)


def build_classifier(options: ClassifierOptions, image: ImageSpec) -> Classifier:
    """Return the `classifier` extractor."""
    from ganlab_features.classifier import ClassifierFeatures, ClassifierProbabilities

    kind = ClassifierFeatures if options.output == "features" else ClassifierProbabilities
    return kind(image, options.weights)


def build_classifier_network(image: ImageSpec) -> ClassifierNetwork:
    """Return the untrained network of the `classifier` extractor."""
    from ganlab_features.classifier_network import ClassifierNetwork

    return ClassifierNetwork(image)


def build_encoder(options: EncoderOptions, spec: SampleSpec) -> EncoderFeatures:
    """Return the `encoder` extractor."""
    from ganlab_features.encoder import EncoderFeatures

    return EncoderFeatures(spec, options.run, options.checkpoint)


@hookimpl
def ganlab_features() -> Iterable[FeaturesComponent]:
    """Offer the extractors."""
    yield FeaturesComponent(
        name="wavelet",
        summary="Colour layout and oriented texture energy at all scales; fixed, nothing learned",
        build=build_wavelet,
    )
    yield FeaturesComponent(
        name="pixels",
        summary="Pixels averaged down to a few; blind to detail, for simple data and comparison",
        options=PixelsOptions,
        build=build_pixels,
        differentiable=True,
    )
    yield FeaturesComponent(
        name="coordinates",
        summary="The vector itself, where samples are vectors",
        build=build_coordinates,
        differentiable=True,
        accepts=(VectorSpec,),
    )
    yield FeaturesComponent(
        name="random-conv",
        summary="Three frozen convolutional networks with random weights; nothing learned",
        options=RandomConvOptions,
        build=build_random_conv,
    )
    yield FeaturesComponent(
        name="classifier",
        summary="A classifier of the dataset's own labels, trained by `ganlab train-features`",
        options=ClassifierOptions,
        build=build_classifier,
        differentiable=True,
        network=build_classifier_network,
    )
    yield FeaturesComponent(
        name="encoder",
        summary="The encoder of another run, a VAE's say: the mean code of each sample",
        options=EncoderOptions,
        build=build_encoder,
        differentiable=True,
        accepts=(SampleSpec,),
    )
