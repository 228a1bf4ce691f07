"""The static part of an experiment: every key that is the core's own.

Each table of a component keeps its other keys as `options`, which the second step
of validation checks against the component's record (`ganlab.config.experiment`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from ganlab.config.types import Words

__all__ = [
    "COMPONENT_TABLES",
    "AdamSettings",
    "CheckpointSettings",
    "ComponentProvenance",
    "ComponentSettings",
    "DatasetSettings",
    "EmaSettings",
    "EvaluatorSettings",
    "FileProvenance",
    "HealthSettings",
    "ImageSettings",
    "LatentSettings",
    "LossSettings",
    "OptimizerSettings",
    "OptimizersSettings",
    "ProvenanceSettings",
    "RmspropSettings",
    "RunningStatisticsSettings",
    "SamplesSettings",
    "Settings",
    "SgdSettings",
    "TrainingSettings",
]

# Far beyond any use, and within what torch can count.
MOST_PIXELS = 2**16
MOST_ELEMENTS = 2**30

Label: TypeAlias = Annotated[
    str,
    # It is the name of a file, or a part of one.
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100),
    Words("a word of at most 100 letters a to z, digits, `.`, `_` and `-`, the first a letter or digit"),
]
Device: TypeAlias = Annotated[
    str,
    Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$"),
    Words('"auto", "cpu", "mps", "cuda", or "cuda:1" for a GPU by its number'),
]


class Table(BaseModel):
    """A table of the experiment file: strict, frozen, unknown keys refused, numbers finite."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
    )


class ImageSettings(Table):
    """`[image]`: what every image becomes. Left out, it is what the dataset suggests."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": {"anyOf": [{"required": ["size", "height"]}, {"required": ["size", "width"]}]}
        }
    )

    size: int | None = Field(None, ge=1, le=MOST_PIXELS)
    """Height and width in one."""
    height: int | None = Field(None, ge=1, le=MOST_PIXELS)
    """Pixels."""
    width: int | None = Field(None, ge=1, le=MOST_PIXELS)
    """Pixels."""
    channels: Literal[1, 2, 3, 4] | None = None
    """1 grayscale, 2 grayscale with alpha, 3 RGB, 4 RGBA."""
    fit: Literal["crop", "pad", "stretch"] = "crop"
    """What happens where the aspect ratio differs: cut the sides, add black borders, or distort."""
    resample: Literal["lanczos", "bicubic", "bilinear", "box", "hamming", "nearest"] = "lanczos"
    """Pillow's resampling filter; all but `nearest` are antialiased."""

    @model_validator(mode="after")
    def _size_stands_alone(self) -> ImageSettings:
        if self.size is not None and (self.height is not None or self.width is not None):
            raise ValueError("give either `size` or `height` and `width`, not both")
        if (self.height is None) != (self.width is None):
            raise ValueError("`height` and `width` go together; for a square use `size`")
        return self


class ComponentSettings(Table):
    """A table that chooses a component; keys the core does not know are its options."""

    model_config = ConfigDict(extra="allow")

    name: str
    """Which component: a name, or `distribution/name` where several plugins offer it."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the component."""
        return dict(self.__pydantic_extra__ or {})


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


class LatentSettings(Table):
    """`[latent]`: the generator's noise."""

    dim: int = Field(100, ge=1, le=MOST_ELEMENTS)
    """Elements of a latent vector."""
    distribution: Literal["normal", "uniform", "sphere"] = "normal"
    """N(0, 1), uniform on [-1, 1], or uniform on the sphere of radius √dim."""


class LossSettings(ComponentSettings):
    """An entry of `[[losses]]`: one term of the objective."""

    label: Label | None = None
    """What tags and files call this entry; its name if left out."""
    weight: float = 1.0
    """Factor of the term in the sum."""
    every: int = Field(1, ge=1)
    """Apply it on every n-th step only, n times as strongly (lazy regularisation)."""


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


COMPONENT_TABLES: dict[str, type[ComponentSettings]] = {
    "dataset": DatasetSettings,
    "generator": ComponentSettings,
    "discriminator": ComponentSettings,
    "encoder": ComponentSettings,
    "loss": LossSettings,
    "evaluator": EvaluatorSettings,
    "features": ComponentSettings,
    "tracker": TrackerSettings,
}
"""Kind of component -> what the core knows of the table that chooses one."""


class OptimizerBase(Table):
    """What every optimizer has."""

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
    weight_decay: float = Field(0.0, ge=0)
    """Decay of the weights (decoupled in `adamw`, an L2 term elsewhere)."""


class AdamSettings(OptimizerBase):
    """Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019)."""

    name: Literal["adam", "adamw"] = "adam"
    """Which of the two."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)
    """Decay of the running means of gradient and squared gradient."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""


class SgdSettings(OptimizerBase):
    """Stochastic gradient descent."""

    name: Literal["sgd"]
    """Which optimizer."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Share of the last step that is taken again."""
    nesterov: bool = False
    """Nesterov's momentum."""

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SgdSettings:
        if self.nesterov and self.momentum == 0:
            raise ValueError("`nesterov` needs a `momentum` above 0")
        return self


class RmspropSettings(OptimizerBase):
    """RMSprop, the choice of the Wasserstein GAN paper."""

    name: Literal["rmsprop"]
    """Which optimizer."""
    alpha: float = Field(0.99, ge=0, lt=1)
    """Decay of the running mean of the squared gradient."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Share of the last step that is taken again."""


def _optimizer_family(table: Any) -> str:
    """Return which table of settings is meant; Adam's where no name is given."""
    name = table.get("name", "adam") if isinstance(table, dict) else getattr(table, "name", "adam")
    return "adam" if name == "adamw" else str(name)


OptimizerSettings: TypeAlias = Annotated[
    Annotated[AdamSettings, Tag("adam")]
    | Annotated[SgdSettings, Tag("sgd")]
    | Annotated[RmspropSettings, Tag("rmsprop")],
    Discriminator(_optimizer_family),
]


class OptimizersSettings(Table):
    """`[optimizer.generator]` and `[optimizer.discriminator]`."""

    generator: OptimizerSettings = AdamSettings()
    """The generator's, and the encoder's."""
    discriminator: OptimizerSettings = AdamSettings()
    """The discriminator's."""


class TrainingSettings(Table):
    """`[training]`: how long, how much at once, in what precision, on what."""

    steps: int = Field(ge=1)
    """Rounds of the game; the one unit of budget and cadence."""
    batch_size: int = Field(64, ge=1, le=MOST_ELEMENTS)
    """Samples of a turn, over all processes together."""
    microbatch_size: int | None = Field(None, ge=1, le=MOST_ELEMENTS)
    """Samples that pass the networks at once, gradients averaged over the batch; all if left out."""
    discriminator_steps: int = Field(1, ge=1, le=1000)
    """Turns of the discriminator in a step."""
    generator_steps: int = Field(1, ge=1, le=1000)
    """Turns of the generator in a step."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 autocast where the hardware has it natively, else fp32."""
    device: Device = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    reuse_fakes: bool = True
    """Let the generator's turn judge the fakes of the discriminator's, where each takes one turn."""
    joint_batch: bool = False
    """Pass real and fake through the discriminator together, sharing batch statistics."""
    log_every: int = Field(50, ge=1)
    """Steps between scalars."""


class EmaSettings(Table):
    """`[ema]`: the exponential moving average of the generator, which is what is evaluated."""

    half_life_images: float = Field(10_000, ge=0)
    """Images shown until an old weight counts half, a batch for each of the discriminator's turns; 0: off."""
    ramp_up: float = Field(0.05, ge=0)
    """The half-life is at most this share of the images shown so far; 0 for none."""


class RunningStatisticsSettings(Table):
    """`[running_statistics]`: those of a normalised generator that is measured, drawn and exported."""

    samples: int = Field(512, ge=0, le=1_000_000)
    """Samples, in whole batches of 64, that batch statistics are averaged over; 0 keeps training's own."""


class SamplesSettings(Table):
    """`[samples]`: the pictures of a run."""

    every: int = Field(500, ge=1)
    """Steps between pictures."""
    count: int = Field(64, ge=1, le=1024)
    """Samples in a picture."""


class CheckpointSettings(Table):
    """`[checkpoint]`: what is kept of a run."""

    every: int = Field(1000, ge=1)
    """Steps between checkpoints; the last step always has one."""
    keep: int = Field(3, ge=1)
    """Newest checkpoints kept, beside the best."""
    best: str | None = None
    """What chooses the best: an evaluator's label, or `label.metric`. The first evaluator if left out."""


class HealthSettings(Table):
    """`[health]`: when a run warns that it fares badly."""

    patience: int = Field(10, ge=0)
    """Evaluations in a row without a new best until a warning; 0 for none."""


class ComponentProvenance(Table):
    """An entry of `[[provenance.components]]`: where a chosen component came from."""

    path: str
    """The component's table, as in `losses.0`."""
    component: str
    """`distribution/name`."""
    plugin: str
    """The plugin's id."""
    version: str = ""
    """The distribution's version; empty for local files."""


class FileProvenance(Table):
    """An entry of `[[provenance.files]]`: a local file that was run."""

    name: str
    """Relative to the directory that it is imported from."""
    sha256: str
    """Of its content."""


class ProvenanceSettings(Table):
    """`[provenance]`: what a run was made of. Written by ganlab; a difference is a warning."""

    ganlab: str
    """Version of ganlab."""
    components: list[ComponentProvenance] = []
    """Each chosen component."""
    files: list[FileProvenance] = []
    """Each local plugin file, and those beside it that it imports."""


class Settings(Table):
    """An experiment file, as far as the core knows its keys."""

    title: str = Field(min_length=1, max_length=200)
    """What the run is called."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of every random stream of training; `dataset.split_seed` decides what is held out."""
    plugins: list[str] = []
    """Local plugin files, relative to this file; installed packages are found by themselves."""
    image: ImageSettings = ImageSettings()
    """What every image becomes."""
    dataset: DatasetSettings
    """Where samples come from."""
    latent: LatentSettings = LatentSettings()
    """The generator's noise."""
    generator: ComponentSettings
    """The network that turns latents into samples."""
    discriminator: ComponentSettings | None = None
    """The network that tells real from fake; left out where no loss asks for it."""
    encoder: ComponentSettings | None = None
    """The network that turns samples into latents; for losses that ask for it."""
    losses: list[LossSettings] = Field(min_length=1)
    """The terms of the objective, summed."""
    optimizer: OptimizersSettings = OptimizersSettings()
    """How each player learns."""
    training: TrainingSettings
    """How long, how much at once, in what precision, on what."""
    ema: EmaSettings = EmaSettings()
    """The averaged generator."""
    running_statistics: RunningStatisticsSettings = RunningStatisticsSettings()
    """How a normalised generator is made ready to be measured, drawn and exported."""
    evaluators: list[EvaluatorSettings] = []
    """What is measured while training."""
    samples: SamplesSettings = SamplesSettings()
    """The pictures of a run."""
    checkpoint: CheckpointSettings = CheckpointSettings()
    """What is kept."""
    health: HealthSettings = HealthSettings()
    """When a run warns."""
    trackers: list[TrackerSettings] = Field(default_factory=lambda: [TrackerSettings(name="tensorboard")])
    """Where scalars, pictures and text go."""
    provenance: ProvenanceSettings | None = None
    """What a run was made of; ganlab writes it into `resolved.toml`."""
