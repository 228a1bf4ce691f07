"""A validated experiment: settings, and the components that they chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganlab.component_settings import (
    AugmentationSettings,
    DatasetSettings,
    OptimizerSettings,
    TrackerSettings,
)
from ganlab.components import (
    AugmentationComponent,
    DatasetComponent,
    DiscriminatorComponent,
    EncoderComponent,
    GeneratorComponent,
    ImageSpec,
    LatentSpec,
    Metric,
    OptimizerComponent,
    TrackerComponent,
)
from ganlab.config.origin import Origin
from ganlab.config.selection import EvaluatorSelection, LossSelection, Selection
from ganlab.config.settings import Settings
from ganlab.registry import Registry

__all__ = ["BestMetric", "Experiment"]


@dataclass(frozen=True)
class BestMetric:
    """The metric that chooses the best checkpoint.

    Attributes:
        label: the evaluator's label.
        metric: which of its numbers, with its direction.
    """

    label: str
    metric: Metric


@dataclass(frozen=True)
class Experiment:
    """A validated experiment. Nothing is built yet, and torch has not been imported.

    Attributes:
        settings: the static part, every default filled in.
        selections: every chosen component by the dotted path of its table, in the order of the sections.
        image: the `[image]` table with the dataset's suggestions filled in; `None` where
            samples are not sized by that table.
        best: what chooses the best checkpoint; `None` if nothing is evaluated.
        resolved: everything as nested tables: the content of `resolved.toml`.
        origin: where keys stand.
        file: the experiment file.
        plugin_files: the sources of local plugins, helpers beside them included, by their path
            relative to the directory that they are imported from (`patch_gan.py`).
        registry: the components that were to choose from.
        warnings: what differs from the `[provenance]` that the file brought along.
    """

    settings: Settings
    selections: Mapping[str, Selection[Any, Any]]
    image: ImageSpec | None
    latent: LatentSpec
    best: BestMetric | None
    resolved: Mapping[str, Any]
    origin: Origin
    file: Path
    plugin_files: Mapping[str, Path]
    registry: Registry = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def dataset(self) -> Selection[DatasetComponent, DatasetSettings]:
        """Where samples come from."""
        return self.selections["dataset"]

    @property
    def generator(self) -> Selection[GeneratorComponent]:
        """The network that turns latents into samples."""
        return self.selections["generator"]

    @property
    def discriminator(self) -> Selection[DiscriminatorComponent] | None:
        """The network that tells real from fake, where there is one."""
        return self.selections.get("discriminator")

    @property
    def encoder(self) -> Selection[EncoderComponent] | None:
        """The network that turns samples into latents, where there is one."""
        return self.selections.get("encoder")

    @property
    def augmentations(self) -> tuple[Selection[AugmentationComponent, AugmentationSettings], ...]:
        """What the discriminator sees samples through."""
        return self._each("augmentation")

    @property
    def losses(self) -> tuple[LossSelection, ...]:
        """The terms of the objective."""
        return self._each("loss")

    @property
    def optimizers(self) -> Mapping[str, Selection[OptimizerComponent, OptimizerSettings]]:
        """How each player learns, by the player's name."""
        return {each.path.removeprefix("optimizer."): each for each in self._each("optimizer")}

    @property
    def evaluators(self) -> tuple[EvaluatorSelection, ...]:
        """What is measured while training."""
        return self._each("evaluator")

    @property
    def trackers(self) -> tuple[Selection[TrackerComponent, TrackerSettings], ...]:
        """Where scalars, pictures and text go."""
        return self._each("tracker")

    def _each(self, kind: str) -> tuple[Any, ...]:
        return tuple(each for each in self.selections.values() if each.component.kind == kind)
