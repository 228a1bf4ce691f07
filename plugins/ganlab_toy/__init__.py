"""The toy world: 2-D Gaussians and multilayer perceptrons, where ideas are tried in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ganlab import (
    DatasetComponent,
    DiscriminatorComponent,
    EncoderComponent,
    EvaluatorComponent,
    GeneratorComponent,
    LatentSpec,
    Metric,
    Options,
    SampleSpec,
    VectorSpec,
    hookimpl,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from ganlab import VectorSource
    from ganlab_toy.modes import GaussianModes

__all__ = [
    "GaussianModesOptions",
    "GaussiansOptions",
    "MixtureOptions",
    "MlpDiscriminatorOptions",
    "MlpEncoderOptions",
    "MlpGeneratorOptions",
    "build_discriminator",
    "build_encoder",
    "build_gaussian_modes",
    "build_gaussians",
    "build_generator",
    "ganlab_datasets",
    "ganlab_discriminators",
    "ganlab_encoders",
    "ganlab_evaluators",
    "ganlab_generators",
]


class MixtureOptions(Options):
    """A mixture of Gaussians in the plane."""

    arrangement: Literal["ring", "grid"] = "ring"
    """Where the modes are: on a circle, or on a square grid."""
    modes: int = Field(default=8, ge=1, le=2**20)
    """Number of Gaussians; a square number for a grid."""
    radius: float = Field(default=2.0, gt=0)
    """Radius of the ring."""
    spacing: float = Field(default=2.0, gt=0)
    """Distance between neighbours on the grid."""
    std: float = Field(default=0.05, gt=0)
    """Standard deviation of each Gaussian, along both axes."""


class GaussiansOptions(MixtureOptions):
    """Options of `gaussians`."""

    count: int = Field(default=20_000, ge=1, le=2**30)
    """Number of points; every mode has the same share of them, give or take one."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Which points: the same ones for every `seed` of training."""
    labels: bool = False
    """Whether each point is labelled with its mode."""


class GaussianModesOptions(MixtureOptions):
    """Options of `gaussian-modes`; those of the mixture are to be the dataset's."""

    within: float = Field(default=3.0, gt=0)
    """Standard deviations from a mode's centre within which a sample is of high quality."""


class MlpGeneratorOptions(Options):
    """Options of the `mlp` generator."""

    width: int = Field(default=128, ge=1, le=2**16)
    """Units of a hidden layer."""
    layers: int = Field(default=3, ge=0, le=1000)
    """Hidden layers."""
    activation: Literal["relu", "leaky-relu", "gelu", "tanh"] = "relu"
    """Nonlinearity after each hidden layer."""
    normalisation: Literal["none", "layer", "batch"] = "none"
    """Normalisation before each nonlinearity."""


class MlpDiscriminatorOptions(MlpGeneratorOptions):
    """Options of the `mlp` discriminator."""

    activation: Literal["relu", "leaky-relu", "gelu", "tanh"] = "leaky-relu"
    """Nonlinearity after each hidden layer."""
    labels: Literal["input", "classifier"] = "input"
    """Where the data has labels: an input beside the sample, or what a second output guesses (AC-GAN,
    Odena et al., 2017), for the loss `auxiliary-classifier`."""


class MlpEncoderOptions(MlpGeneratorOptions):
    """Options of the `mlp` encoder."""

    activation: Literal["relu", "leaky-relu", "gelu", "tanh"] = "leaky-relu"
    """Nonlinearity after each hidden layer."""


def build_gaussians(options: GaussiansOptions, image: SampleSpec | None = None) -> VectorSource:
    """Return the points; `image` does not matter to vectors.

    Raises:
        ComponentError: a grid of a number of modes that is not square.
    """
    from ganlab_toy.gaussians import GaussianSource

    return GaussianSource(
        _centres(options), options.std, options.count, options.seed, labelled=options.labels
    )


def build_gaussian_modes(options: GaussianModesOptions, image: SampleSpec) -> GaussianModes:
    """Return the evaluator.

    Raises:
        ComponentError: a grid of a number of modes that is not square.
    """
    from ganlab_toy.modes import GaussianModes

    return GaussianModes(_centres(options), options.std, options.within)


def build_generator(options: MlpGeneratorOptions, image: SampleSpec, latent: LatentSpec) -> nn.Module:
    """Return an `MlpGenerator`."""
    from ganlab_toy.mlp import MlpGenerator

    return MlpGenerator(
        image, latent.dim, options.width, options.layers, options.activation, options.normalisation
    )


def build_discriminator(options: MlpDiscriminatorOptions, image: SampleSpec) -> nn.Module:
    """Return an `MlpDiscriminator`."""
    from ganlab_toy.mlp import MlpDiscriminator

    return MlpDiscriminator(
        image, options.width, options.layers, options.activation, options.normalisation, options.labels
    )


def build_encoder(options: MlpEncoderOptions, image: SampleSpec, latent: LatentSpec) -> nn.Module:
    """Return an `MlpEncoder`."""
    from ganlab_toy.mlp import MlpEncoder

    return MlpEncoder(
        image, latent.dim, options.width, options.layers, options.activation, options.normalisation
    )


def _centres(options: MixtureOptions) -> NDArray[np.float64]:
    from ganlab_toy.gaussians import grid_centres, ring_centres

    if options.arrangement == "ring":
        return ring_centres(options.modes, options.radius)
    return grid_centres(options.modes, options.spacing)


@hookimpl
def ganlab_datasets() -> Iterator[DatasetComponent]:
    """Offer `gaussians`."""
    yield DatasetComponent(
        name="gaussians",
        summary="Ring or grid of 2-D Gaussians, on which mode collapse shows (Metz et al., 2017)",
        options=GaussiansOptions,
        build=build_gaussians,
        accepts=(VectorSpec,),
    )


@hookimpl
def ganlab_generators() -> Iterator[GeneratorComponent]:
    """Offer `mlp`."""
    yield GeneratorComponent(
        name="mlp",
        summary="Multilayer perceptron for vectors and small images (Goodfellow et al., 2014)",
        options=MlpGeneratorOptions,
        build=build_generator,
        accepts=(SampleSpec,),
        takes_labels=True,
    )


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer `mlp`."""
    yield DiscriminatorComponent(
        name="mlp",
        summary="Multilayer perceptron for vectors and small images (Goodfellow et al., 2014)",
        options=MlpDiscriminatorOptions,
        build=build_discriminator,
        accepts=(SampleSpec,),
        takes_labels=True,
    )


@hookimpl
def ganlab_encoders() -> Iterator[EncoderComponent]:
    """Offer `mlp`."""
    yield EncoderComponent(
        name="mlp",
        summary="Multilayer perceptron for vectors and small images (Kingma & Welling, 2014)",
        options=MlpEncoderOptions,
        build=build_encoder,
        accepts=(SampleSpec,),
    )


@hookimpl
def ganlab_evaluators() -> Iterator[EvaluatorComponent]:
    """Offer `gaussian-modes`."""
    yield EvaluatorComponent(
        name="gaussian-modes",
        summary="Gaussians of a mixture that are hit, and samples near one (Srivastava et al., 2017)",
        options=GaussianModesOptions,
        build=build_gaussian_modes,
        metrics=(Metric("hit", better="higher"), Metric("high-quality", better="higher")),
        features=("coordinates",),
        accepts=(VectorSpec,),
    )
