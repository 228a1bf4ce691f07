"""From an experiment to packed and divided data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganlab.config.experiment import Experiment
from ganlab.config.options import option_values
from ganlab.config.settings import DatasetSettings, ImageSettings
from ganlab.data.packing import BadImagesError, pack
from ganlab.data.split import Split, split
from ganlab.data.store import PackedFrom, Store
from ganlab.errors import ComponentError, GanlabError
from ganlab.paths import path_text

__all__ = ["Data", "prepare"]


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


def prepare(experiment: Experiment, *, cache: Path | None = None, progress: bool | None = None) -> Data:
    """Build the experiment's dataset, pack it or find it packed, and split it.

    Args:
        experiment: a validated experiment.
        cache: where packed data is kept; `cache_directory()` if left out.
        progress: as in `ganlab.data.packing.pack`.

    Raises:
        ExperimentError: the dataset refuses, or is empty; it names the key at fault.
        GanlabError: a bad image, no usable image, no space, or no access to the cache.
    """
    settings = experiment.settings
    dataset: DatasetSettings = settings.dataset
    source = experiment.dataset.build(experiment.image)
    try:
        store = pack(
            source,
            experiment.image,
            fit=settings.image.fit,
            resample=settings.image.resample,
            on_bad_image=dataset.on_bad_image,
            max_pixels=dataset.max_pixels,
            cache=cache,
            progress=progress,
            origin=_origin(experiment),
        )
    except ComponentError as error:
        raise experiment.dataset.refusal(error) from error
    except BadImagesError as error:
        remedy = 'or set `on_bad_image = "skip"` in [dataset] to leave bad images out.'
        raise GanlabError(f"{error}, {remedy}") from error
    return Data(store, split(len(store), dataset.holdout, dataset.split_seed))


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
