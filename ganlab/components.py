"""The typed records that plugins yield, and the small types they are told about.

Nothing here imports torch: hook modules import this one, and `ganlab --help`
must stay instant. Networks are imported inside a record's `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from ganlab.metrics import Direction
from ganlab.paths import parse_path
from ganlab.samples import ImageSpec, SampleSpec, VectorSpec

__all__ = [
    "AugmentationComponent",
    "Component",
    "DatasetComponent",
    "DiscriminatorComponent",
    "EncoderComponent",
    "EvaluatorComponent",
    "FeaturesComponent",
    "GeneratorComponent",
    "ImageSpec",
    "LatentSpec",
    "LossComponent",
    "Metric",
    "OptimizerComponent",
    "Options",
    "SampleSpec",
    "TrackerComponent",
    "VectorSpec",
]


class Options(BaseModel):
    """Base of every component's options: strict, frozen, unknown keys refused.

    A string literal under a field is its description (`ganlab describe` and the
    JSON Schema show it). A field of type `Path` is read relative to the file
    that sets it.
    """

    # Built when first used, and docstrings read when first shown (`ganlab.config.options`):
    # either would make every `ganlab plugins` wait for all options of all plugins.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, defer_build=True
    )

    def named_contents(self) -> Mapping[str, str]:
        """Return hex digests of what options name beside files, by the option, as far as it can be had.

        Another run's weights, say. As those of files, they tell whether an experiment is still the same.
        """
        return {}

    @field_validator("*", mode="after")
    @classmethod
    def _anchor_relative_paths(cls, value: Any, info: ValidationInfo) -> Any:
        """Resolve a `Path` against the directory of the file that sets it.

        The configuration passes `context={"directories": {field: directory}}`.
        """
        if not isinstance(value, Path) or not info.context or info.field_name is None:
            return value
        directory = info.context.get("directories", {}).get(info.field_name)
        path = parse_path(str(value))
        return path if directory is None else Path(directory, path).resolve()


@dataclass(frozen=True)
class LatentSpec:
    """The noise that a generator is fed.

    Attributes:
        dim: elements of one latent vector.
        distribution: `normal` N(0, 1), `uniform` on [-1, 1], or `sphere`, uniform
            on the sphere of radius √dim. It is that of the elements after the codes, and the dim
            theirs alone.
        categories: the vector begins with a one-hot code for each, of so many elements.
    """

    dim: int
    distribution: Literal["normal", "uniform", "sphere"] = "normal"
    categories: tuple[int, ...] = ()

    @property
    def continuous(self) -> int:
        """Elements that are no one-hot code."""
        return self.dim - sum(self.categories)


@dataclass(frozen=True)
class Metric:
    """A number that an evaluator yields.

    Attributes:
        name: as it stands in tags and files.
        better: which way is better; `None` where neither is (such a metric cannot choose
            the best checkpoint).
        title: as charts call it, `MMD²`; the name where it is empty.
        chooses: whether it may choose the best checkpoint of an experiment that does not say what does: not
            where noise does as well as anything can, as in the number of copies.
    """

    name: str
    better: Direction | None = "lower"
    title: str = ""
    chooses: bool = True


@dataclass(frozen=True)
class Component:
    """One named thing of one kind, as a plugin offers it.

    Attributes:
        name: how experiments ask for it; lower-case words joined by hyphens.
        summary: one line for `ganlab plugins`, with the paper where there is one.
        build: makes the thing; each kind's docstring says from what. Imports of torch
            belong inside it.
        options: the options that an experiment may give, validated before `build`.
        accepts: the sample specs that it can work with; `SampleSpec` stands for all.
    """

    kind: ClassVar[str]
    _: KW_ONLY
    name: str
    summary: str
    build: Callable[..., Any]
    options: type[Options] = Options
    accepts: tuple[type[SampleSpec], ...] = (ImageSpec,)


@dataclass(frozen=True)
class DatasetComponent(Component):
    """`build(options, image) -> ImageSource | ArraySource` (`ganlab.data.source`); a `VectorSource` is one.

    `image` is the `ImageSpec` that the experiment asks for; `None` for other samples. What the data
    is comes from `image` below and from the source; `accepts` has one member, the kind of
    sample it yields.

    Attributes:
        image: what `[image]` is where the experiment leaves it out.
        recognise: returns, for a path that there is, the options with which the dataset reads it; `None`
            if it cannot, or if the files look like what another dataset reads. `ganlab new experiment PATH`
            asks every dataset.
    """

    kind: ClassVar[str] = "dataset"
    image: ImageSpec = ImageSpec(channels=3, height=64, width=64)
    recognise: Callable[[Path], Mapping[str, Any] | None] | None = None


@dataclass(frozen=True)
class GeneratorComponent(Component):
    """`build(options, image, latent) -> nn.Module`, called as `(latents[, labels]) -> samples`.

    Latents `(N, latent.dim)`; samples `(N, *image.shape)`, in [-1, 1] where they are bounded, as images are.
    Where the network has a module `mapping`, what that returns `(N, …)` are the styles that samples
    are made of, for losses that differentiate by them.

    Attributes:
        takes_labels: whether `forward` wants labels `(N,)` int64 where the data has them.
    """

    kind: ClassVar[str] = "generator"
    takes_labels: bool = False


@dataclass(frozen=True)
class DiscriminatorComponent(Component):
    """`build(options, image) -> nn.Module`, called as `(samples[, labels]) -> logits`.

    Logits are `(N,)`, or `(N, …)` where each element is one more verdict on that
    sample; higher is more real; no sigmoid. A `ganlab.Verdict` may be returned instead. A network that
    compares the samples of a batch with one another says so in an attribute `samples_together`, the
    fewest that it makes sense of; without it, or where it is 1, each is judged by itself.

    Attributes:
        takes_labels: whether `forward` wants labels `(N,)` int64 where the data has them.
        outputs: names of the `outputs` in its `ganlab.Verdict`.
    """

    kind: ClassVar[str] = "discriminator"
    takes_labels: bool = False
    outputs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class EncoderComponent(Component):
    """`build(options, image, latent) -> nn.Module`, called as `(samples) -> (mean, log_variance)`.

    Both `(N, latent.dim)`. The encoder learns in the generator's turn.
    """

    kind: ClassVar[str] = "encoder"


@dataclass(frozen=True)
class AugmentationComponent(Component):
    """`build(options, image) -> ganlab.Augmentation`: what the discriminator sees samples through."""

    kind: ClassVar[str] = "augmentation"


@dataclass(frozen=True)
class LossComponent(Component):
    """`build(options) -> ganlab.Loss`.

    Attributes:
        needs: the networks beside the generator without which it makes no sense, and `augmentation`
            where it augments samples by itself.
        needs_outputs: of the discriminator's `outputs`, the names of those that it cannot do without.
        takes_features: whether it can look at samples through features that the experiment chooses.
            It is then built by `build(options, features)`, with a `ganlab.LossFeatures`, or `None`
            where the experiment chooses none.
    """

    kind: ClassVar[str] = "loss"
    needs: frozenset[Literal["augmentation", "discriminator", "encoder"]] = frozenset()
    needs_outputs: frozenset[str] = frozenset()
    takes_features: bool = False
    accepts: tuple[type[SampleSpec], ...] = (SampleSpec,)


@dataclass(frozen=True)
class OptimizerComponent(Component):
    """`build(options, parameters) -> torch.optim.Optimizer` over all of `parameters`, a list.

    The learning rate is the experiment's: the core sets `lr` of every parameter group before each step.
    """

    kind: ClassVar[str] = "optimizer"
    accepts: tuple[type[SampleSpec], ...] = (SampleSpec,)


@dataclass(frozen=True)
class EvaluatorComponent(Component):
    """`build(options, image) -> ganlab.Evaluator`.

    Attributes:
        metrics: every number it yields; the first is what its bare label means in
            `[checkpoint] best`.
        features: names of feature extractors in order of preference; the first that
            accepts the experiment's samples is used where the experiment names none.
        features_of: for an evaluator that is defined on certain features, as FID is: from its
            options the `features` table that it stands for (`{"name": "inception", …}`).
            The experiment then chooses none, and what the extractor's `build` refuses is told
            of the evaluator's own key of that name.
        needs: `features` to be handed every feature vector, `moments` where mean and
            covariance suffice (then the features are never held together).
        reference: `samples` to be handed as many real samples as generated ones, at the most;
            `all` for every training sample.
    """

    kind: ClassVar[str] = "evaluator"
    metrics: tuple[Metric, ...] = ()
    features: tuple[str, ...] = ("wavelet", "coordinates")
    features_of: Callable[[Any], Mapping[str, Any]] | None = None
    needs: Literal["features", "moments"] = "features"
    reference: Literal["samples", "all"] = "samples"
    accepts: tuple[type[SampleSpec], ...] = (SampleSpec,)


@dataclass(frozen=True)
class FeaturesComponent(Component):
    """`build(options, image) -> ganlab.FeatureExtractor`.

    Attributes:
        network: for features that are learned from labels: maps a spec with classes to an
            untrained `nn.Module`, called as `(samples) -> logits`, images `(N, C, H, W)` in
            [-1, 1] to `(N, classes)`. `ganlab train-features` trains it and writes its state as a
            safetensors file (`ganlab.after_training.feature_training`), which `build` reads from its option
            `weights`.
        differentiable: whether losses can learn through them: `extract` then also takes samples as
            float32 that are not rounded (images from 0 to 255), and passes finite gradients on to these.
    """

    kind: ClassVar[str] = "features"
    differentiable: bool = False
    network: Callable[..., Any] | None = None


@dataclass(frozen=True)
class TrackerComponent(Component):
    """`build(options, run) -> ganlab.Tracker`; `run` is a `ganlab.RunInfo`."""

    kind: ClassVar[str] = "tracker"
    accepts: tuple[type[SampleSpec], ...] = (SampleSpec,)
