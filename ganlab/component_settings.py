"""What the core itself reads from a table that chooses a component.

Every other key of such a table is an option of the component's own. Which kind of component has which
of these tables stands in `ganlab.kinds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "MOST_ELEMENTS",
    "AugmentationSettings",
    "ComponentSettings",
    "DatasetSettings",
    "EvaluatorSettings",
    "LossSettings",
    "OptimizerSettings",
    "Table",
    "TrackerSettings",
    "Words",
]

MOST_ELEMENTS = 2**30
"""Far beyond any use, and within what torch can count."""


@dataclass(frozen=True)
class Words:
    """Metadata of an annotation: what it takes, in words, where its type and bounds do not tell a person."""

    text: str


Label: TypeAlias = Annotated[
    str,
    # It is the name of a file, or a part of one.
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100),
    Words("a word of at most 100 letters a to z, digits, `.`, `_` and `-`, the first a letter or digit"),
]


class Table(BaseModel):
    """A table of the experiment file: strict, frozen, unknown keys refused, numbers finite."""

    # Built when first used, and docstrings read when first shown, as for `ganlab.Options`.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        allow_inf_nan=False,
        defer_build=True,
    )


class ComponentSettings(Table):
    """A table that chooses a component; keys the core does not know are its options."""

    model_config = ConfigDict(extra="allow")

    name: str
    """Which component: a name, or `distribution/name` where several plugins offer it."""


class DatasetSettings(ComponentSettings):
    """`[dataset]`: where samples come from."""

    holdout: float = Field(0.1, ge=0.0, lt=1.0)
    """Share of the samples kept out of training, for honest reference numbers."""
    split_seed: int = Field(0, ge=0, lt=2**63)
    """Which samples those are: the same ones for every `seed` of the experiment."""
    on_bad_image: Literal["fail", "skip"] = "fail"
    """Whether a file that cannot be decoded stops the packing or is left out and reported."""
    max_pixels: int | None = Field(None, ge=1)
    """An image with more pixels is bad, as a decompression bomb would be; 89,478,485 if left out."""
    mirror: bool = False
    """Show each training image flipped left to right half of the time."""


class AugmentationSettings(ComponentSettings):
    """An entry of `[[augmentations]]`: a random change of all that the discriminator sees."""

    label: Label | None = None
    """What tags and files call this entry; its name if left out."""
    always: bool = True
    """Show the discriminator every sample through it; `false` leaves it to losses that ask for it."""


class LossSettings(ComponentSettings):
    """An entry of `[[losses]]`: one term of the objective."""

    label: Label | None = None
    """What tags and files call this entry; its name if left out."""
    weight: float = Field(1.0, ge=0)
    """Factor of the term in the sum."""
    every: int = Field(1, ge=1)
    """Apply it on every n-th step only, n times as strongly (lazy regularisation)."""
    features: str | dict[str, Any] | None = None
    """The feature extractor that it looks at samples through, where it can: its name, or a table with
    `name` and its options."""


class OptimizerSettings(ComponentSettings):
    """`[optimizer.generator]` or `[optimizer.discriminator]`: how that player learns."""

    name: str = "adam"
    """Which optimizer: a name, or `distribution/name` where several plugins offer it."""
    learning_rate: float = Field(2e-4, gt=0)
    """Step size."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate goes from its full value to `final_fraction` of it at the last step."""
    final_fraction: float = Field(0.0, ge=0, le=1)
    """Where `linear` and `cosine` end, as a share of the learning rate."""
    warmup_steps: int = Field(0, ge=0)
    """Steps over which the learning rate rises from zero."""
    clip_gradient_norm: float | None = Field(None, gt=0)
    """Largest total gradient norm; longer gradients are scaled down to it."""
    clip_weights: float | None = Field(None, gt=0)
    """Largest size of a weight, to which all are clamped after each update; 0.01 in the first WGAN."""


class EvaluatorSettings(ComponentSettings):
    """An entry of `[[evaluators]]`: something that is measured while training."""

    label: Label | None = None
    """What tags and files call this entry; its name if left out."""
    every: int = Field(1000, ge=1)
    """Steps between evaluations."""
    samples: int = Field(5000, ge=2, le=MOST_ELEMENTS)
    """Generated samples, and real ones at the most."""
    features: str | dict[str, Any] | None = None
    """The feature extractor: its name, or a table with `name` and its options."""


class TrackerSettings(ComponentSettings):
    """An entry of `[[trackers]]`: where scalars, pictures and text go."""

    label: Label | None = None
    """What files call this entry; its name if left out."""
