"""From an experiment to packed and divided data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganlab.component_settings import DatasetSettings
from ganlab.components import SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.config.options import option_values
from ganlab.config.settings import ImageSettings
from ganlab.data.copies import first_alike
from ganlab.data.packing import BadImagesError, pack, packed_spec
from ganlab.data.source import Source
from ganlab.data.split import Split, split
from ganlab.data.store import PackedFrom, Store
from ganlab.errors import GanlabError
from ganlab.paths import path_text
from ganlab.progress import say
from ganlab.words import counted

__all__ = ["Data", "Unpacked", "find", "prepare"]


@dataclass(frozen=True)
class Data:
    """All samples of an experiment, and which of them train.

    Attributes:
        store: the packed samples; `store.spec` is what networks are built for.
        split: training and held-out indices into the store.
    """

    store: Store
    split: Split

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Training samples of each class; empty where there are no labels."""
        if self.store.labels is None:
            return ()
        labels = self.store.labels[self.split.training]
        return tuple(np.bincount(labels, minlength=len(self.store.class_names)).tolist())


@dataclass(frozen=True)
class Unpacked:
    """The samples of an experiment before they are packed: enough to build networks for.

    Attributes:
        experiment: whose they are.
        source: what its dataset built.
        spec: what a sample will be.
    """

    experiment: Experiment
    source: Source
    spec: SampleSpec

    def pack(self, *, cache: Path | None = None, progress: bool = True) -> Data:
        """Pack the samples or find them packed, and split them with the dataset's `split_seed`.

        Args:
            cache: where packed data is kept; `cache_directory()` if left out.
            progress: as in `ganlab.data.packing.pack`.

        Raises:
            ExperimentError: the dataset is empty or breaks its contract; it names the key at fault.
            GanlabError: a bad image, no usable image, no space, or no access to the cache.
        """
        settings = self.experiment.settings
        dataset: DatasetSettings = settings.dataset
        try:
            with self.experiment.dataset.blamed("while its samples were packed"):
                store = pack(
                    self.source,
                    self.experiment.image,
                    fit=settings.image.fit,
                    resample=settings.image.resample,
                    on_bad_image=dataset.on_bad_image,
                    max_pixels=dataset.max_pixels,
                    cache=cache,
                    progress=progress,
                    origin=_origin(self.experiment),
                )
        except BadImagesError as error:
            remedy = 'or set `on_bad_image = "skip"` in [dataset] to leave bad images out.'
            raise GanlabError(f"{error}, {remedy}") from error
        alike = first_alike(store, cache=cache, progress=progress)
        if copies := int((alike != np.arange(len(store))).sum()):
            say(
                f"warning: {copies:,} of {counted(len(store), 'sample')} are copies of others; copies are "
                "held out, or trained on, together",
                progress,
            )
        return Data(store, split(len(store), dataset.holdout, dataset.split_seed, alike))


def find(experiment: Experiment) -> Unpacked:
    """Build the experiment's dataset, and tell what its samples will be; none is read yet.

    Raises:
        ExperimentError: the dataset refuses, or is no source of samples; it names the key at fault.
    """
    source = experiment.dataset.build(experiment.image)
    with experiment.dataset.blamed():
        return Unpacked(experiment, source, packed_spec(source, experiment.image))


def prepare(experiment: Experiment, *, cache: Path | None = None, progress: bool = True) -> Data:
    """Find the experiment's samples and pack them at once: `find`, then `Unpacked.pack`."""
    return find(experiment).pack(cache=cache, progress=progress)


def _origin(experiment: Experiment) -> PackedFrom:
    dataset, image = experiment.dataset, experiment.settings.image
    treatment = {"fit": image.fit, "resample": image.resample}
    usual = {key: ImageSettings.model_fields[key].default for key in treatment}
    return PackedFrom(
        dataset.component.name,
        {
            **option_values(dataset.options, defaults=False),
            **{key: value for key, value in treatment.items() if value != usual[key]},
        },
        tuple(path_text(value) for _, value in dataset.options if isinstance(value, Path)),
    )
