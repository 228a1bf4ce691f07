"""The static part of an experiment: every key that is the core's own.

What a component's table holds beside the core's keys (`ganlab.component_settings`) are its options, which
the second step of validation checks against the component's record (`ganlab.config.choosing`).
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from ganlab.component_settings import (
    MOST_ELEMENTS,
    AugmentationSettings,
    ComponentSettings,
    DatasetSettings,
    EvaluatorSettings,
    LossSettings,
    OptimizerSettings,
    Table,
    TrackerSettings,
    Words,
)

__all__ = [
    "CheckpointSettings",
    "ComponentProvenance",
    "EmaSettings",
    "FileProvenance",
    "HealthSettings",
    "ImageSettings",
    "LatentSettings",
    "PinnedStart",
    "PlayerOptimizers",
    "ProvenanceSettings",
    "RunningStatisticsSettings",
    "SamplesSettings",
    "Settings",
    "StartSettings",
    "TrainingSettings",
]

MOST_PIXELS = 2**16
"""Far beyond any use, and within what torch can count."""

Device: TypeAlias = Annotated[
    str,
    Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$"),
    Words('"auto", "cpu", "mps", "cuda", or "cuda:1" for a GPU by its number'),
]


class Section(Table):
    """A table of the core's own; a string literal under a key is its description."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class ImageSettings(Section):
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


class PinnedStart(Section):
    """`[start.pinned]`: what `[start]` was when a run began. Written by ganlab; a difference is refused."""

    run: str = Field(min_length=1)
    """The directory of the run whose weights they were, absolute."""
    step: int = Field(ge=0)
    """Of the checkpoint."""
    digest: str = Field(min_length=1)
    """SHA-256 of the weights of all networks in it."""


class StartSettings(Section):
    """`[start]`: the weights of another run to begin with, for fine-tuning."""

    run: str = Field(min_length=1)
    """A run's directory, id or title, as `ganlab resume` takes it."""
    checkpoint: Literal["best", "last"] | Annotated[int, Field(ge=0)] = "best"
    """Which of its checkpoints: the best (the last where nothing was measured), the last, or a step."""
    networks: list[Literal["generator", "discriminator", "encoder"]] = Field(
        default=["generator", "discriminator", "encoder"], min_length=1
    )
    """Which networks begin with its weights, of those that both have."""
    pinned: PinnedStart | None = None
    """What that was when a run began, and is again where its `resolved.toml` is run; ganlab writes it."""


class LatentSettings(Section):
    """`[latent]`: the generator's noise."""

    dim: int = Field(100, ge=1, le=MOST_ELEMENTS)
    """Elements of a latent vector."""
    distribution: Literal["normal", "uniform", "sphere"] = "normal"
    """N(0, 1), uniform on [-1, 1], or uniform on the sphere of radius √dim."""
    categories: list[Annotated[int, Field(ge=2, le=MOST_ELEMENTS)]] = Field(default_factory=list)
    """Choices among so many, each uniform and written as a one-hot code: the first elements of the vector."""

    @model_validator(mode="after")
    def _codes_fit(self) -> LatentSettings:
        if sum(self.categories) > self.dim:
            raise ValueError(f"`categories` take {sum(self.categories)} elements, and `dim` is {self.dim}")
        return self


class PlayerOptimizers(Section):
    """`[optimizer]`: the table of each player's optimizer."""

    generator: OptimizerSettings = OptimizerSettings()
    """The generator's, and the encoder's."""
    discriminator: OptimizerSettings = OptimizerSettings()
    """The discriminator's."""


class TrainingSettings(Section):
    """`[training]`: how long, how much at once, in what precision, on what."""

    steps: int = Field(ge=1)
    """Rounds of the game; the one unit of budget and cadence."""
    batch_size: int = Field(64, ge=1, le=MOST_ELEMENTS)
    """Samples of a turn, over all processes together."""
    microbatch_size: int | None = Field(None, ge=1, le=MOST_ELEMENTS)
    """Samples that pass a process's networks at once, gradients averaged over the batch; all if left out."""
    discriminator_steps: int = Field(1, ge=1, le=1000)
    """Turns of the discriminator in a step."""
    generator_steps: int = Field(1, ge=1, le=1000)
    """Turns of the generator in a step."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 autocast for images where the hardware has it natively, else fp32; torch computes
    convolutions of fp32 in TF32 where a GPU has that."""
    device: Device = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`; of several processes each has a GPU of its own in `cuda`,
    and all share the one of `cuda:1`."""
    reuse_fakes: bool = True
    """Let the generator's turn judge the fakes of the discriminator's, where each takes one turn and passes a
    process's batch at once: with a `microbatch_size` below that, every turn makes its own."""
    joint_batch: bool = False
    """Pass real and fake through the discriminator together, sharing batch statistics; not for discriminators
    that compare the samples of a batch."""
    cuda_graphs: Literal["auto"] | bool = False
    """Launch the kernels that compute a turn's gradients at once, to the same bytes; for one process with a
    CUDA device. `auto`: where a trial finds that possible; `true`: or else stop and say why not."""
    log_every: int = Field(50, ge=1)
    """Steps between scalars."""


class EmaSettings(Section):
    """`[ema]`: the exponential moving average of the generator, which is what is evaluated."""

    half_life_images: float = Field(10_000, ge=0)
    """Images shown until an old weight counts half, a batch for each of the discriminator's turns; 0: off."""
    ramp_up: float = Field(0.05, ge=0)
    """The half-life is at most this share of the images shown so far; 0 for none."""


class RunningStatisticsSettings(Section):
    """`[running_statistics]`: those of a normalised generator that is measured, drawn and exported."""

    samples: int = Field(512, ge=0, le=1_000_000)
    """Samples, in whole batches of 64, that batch statistics are averaged over; 0 keeps training's own."""


class SamplesSettings(Section):
    """`[samples]`: the pictures of a run."""

    every: int = Field(500, ge=1)
    """Steps between pictures."""
    count: int = Field(64, ge=1, le=1024)
    """Samples in a picture; where the generator is told classes, as many of them as fill a row for each."""


class CheckpointSettings(Section):
    """`[checkpoint]`: what is kept of a run."""

    every: int = Field(1000, ge=1)
    """Steps between checkpoints; the last step always has one."""
    keep: int = Field(3, ge=1)
    """Newest checkpoints kept, beside the best."""
    best: str | None = None
    """What chooses the best: an evaluator's label, or `label.metric`. If left out, the first metric
    with a direction that noise is not best in."""


class HealthSettings(Section):
    """`[health]`: when a run warns that it goes badly."""

    patience: int = Field(10, ge=0)
    """Evaluations in a row without a new best until a warning; 0 for none."""


class ComponentProvenance(Section):
    """An entry of `[[provenance.components]]`: where a chosen component came from."""

    path: str
    """The component's table, as in `losses.0`."""
    component: str
    """`distribution/name`."""
    plugin: str
    """The plugin's id."""
    version: str = ""
    """The distribution's version; empty for local files."""


class FileProvenance(Section):
    """An entry of `[[provenance.files]]`: a local file that was run."""

    name: str
    """Relative to the directory that it is imported from."""
    sha256: str
    """Of its content."""


class InputProvenance(Section):
    """An entry of `[[provenance.inputs]]`: a file that a component's option names; the dataset's apart."""

    option: str
    """Its path, entries of arrays by their label, as in `evaluators.frechet.features.weights`."""
    sha256: str
    """Of the file's content."""


class ProvenanceSettings(Section):
    """`[provenance]`: what a run was made of. Written by ganlab; a difference is a warning."""

    ganlab: str
    """Version of ganlab."""
    components: list[ComponentProvenance] = Field(default_factory=list)
    """Each chosen component."""
    files: list[FileProvenance] = Field(default_factory=list)
    """Each local plugin file, and those beside it that it imports."""
    inputs: list[InputProvenance] = Field(default_factory=list)
    """Each file that an option names, such as the weights of features."""


class Settings(Section):
    """An experiment file, as far as the core knows its keys."""

    title: str = Field(min_length=1, max_length=200)
    """What the run is called."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of every random stream of training; `dataset.split_seed` decides what is held out."""
    plugins: list[str] = Field(default_factory=list)
    """Local plugin files, relative to this file; installed packages are found by themselves."""
    image: ImageSettings = ImageSettings()
    """What every image becomes."""
    start: StartSettings | None = None
    """The weights of another run to begin with."""
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
    augmentations: list[AugmentationSettings] = Field(default_factory=list)
    """Random changes of all that the discriminator sees, one after the other."""
    losses: list[LossSettings] = Field(min_length=1)
    """The terms of the objective, summed."""
    optimizer: PlayerOptimizers = PlayerOptimizers()
    """How each player learns."""
    training: TrainingSettings
    """How long, how much at once, in what precision, on what."""
    ema: EmaSettings = EmaSettings()
    """The averaged generator."""
    running_statistics: RunningStatisticsSettings = RunningStatisticsSettings()
    """How a normalised generator is made ready to be measured, drawn and exported."""
    evaluators: list[EvaluatorSettings] = Field(default_factory=list)
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
