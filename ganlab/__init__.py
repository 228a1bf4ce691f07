"""ganlab: GAN experiments from one TOML file, and plugins that are one Python file.

Everything a plugin needs is importable from here, and so is what scripts and notebooks use: `load`,
`run` and `measure`. A name is loaded on first use: `ganlab --help` waits for none of them, and a hook
module for those that it uses, but never for torch.
"""

from __future__ import annotations

import ganlab.startup  # noqa: F401

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganlab import tags

if TYPE_CHECKING:
    from ganlab.after_training.trained_discriminator import TrainedDiscriminator
    from ganlab.after_training.trained_generator import TrainedGenerator
    from ganlab.after_training.trained_network import TrainedNetwork
    from ganlab.api import FinishedRun, load, load_discriminator, load_encoder, measure, run
    from ganlab.components import (
        AugmentationComponent,
        DatasetComponent,
        DiscriminatorComponent,
        EncoderComponent,
        EvaluatorComponent,
        FeaturesComponent,
        GeneratorComponent,
        ImageSpec,
        LatentSpec,
        LossComponent,
        Metric,
        OptimizerComponent,
        Options,
        SampleSpec,
        TrackerComponent,
        VectorSpec,
    )
    from ganlab.data.cache_directory import cache_directory
    from ganlab.data.download import download
    from ganlab.data.files import ImageFiles
    from ganlab.data.images import open_image
    from ganlab.data.published_file import PublishedFile, ReadFile
    from ganlab.data.source import ArraySource, BadImageError, ImageSource, VectorSource
    from ganlab.engine.augmentation import Augmentation, Draws
    from ganlab.engine.game import Game
    from ganlab.engine.loss import Loss, LossValue, Verdict
    from ganlab.engine.loss_features import LossFeatures
    from ganlab.errors import ComponentError, GanlabError
    from ganlab.evaluation.banks import FeatureBank
    from ganlab.evaluation.evaluator import Estimate, Evaluator, FeatureExtractor, Shown
    from ganlab.evaluation.measurement import Measurement
    from ganlab.hookspecs import hookimpl
    from ganlab.tracking.tracker import RunInfo, Tracker

__version__ = "0.1.0"

__all__ = [
    "ArraySource",
    "Augmentation",
    "AugmentationComponent",
    "BadImageError",
    "ComponentError",
    "DatasetComponent",
    "DiscriminatorComponent",
    "Draws",
    "EncoderComponent",
    "Estimate",
    "Evaluator",
    "EvaluatorComponent",
    "FeatureBank",
    "FeatureExtractor",
    "FeaturesComponent",
    "FinishedRun",
    "Game",
    "GanlabError",
    "GeneratorComponent",
    "ImageFiles",
    "ImageSource",
    "ImageSpec",
    "LatentSpec",
    "Loss",
    "LossComponent",
    "LossFeatures",
    "LossValue",
    "Measurement",
    "Metric",
    "OptimizerComponent",
    "Options",
    "PublishedFile",
    "ReadFile",
    "RunInfo",
    "SampleSpec",
    "Shown",
    "Tracker",
    "TrackerComponent",
    "TrainedDiscriminator",
    "TrainedGenerator",
    "TrainedNetwork",
    "VectorSource",
    "VectorSpec",
    "Verdict",
    "cache_directory",
    "download",
    "hookimpl",
    "load",
    "load_discriminator",
    "load_encoder",
    "measure",
    "open_image",
    "run",
    "tags",
]

_LAZY = {
    "AugmentationComponent": "ganlab.components",
    "DatasetComponent": "ganlab.components",
    "DiscriminatorComponent": "ganlab.components",
    "EncoderComponent": "ganlab.components",
    "EvaluatorComponent": "ganlab.components",
    "FeaturesComponent": "ganlab.components",
    "GeneratorComponent": "ganlab.components",
    "ImageSpec": "ganlab.components",
    "LatentSpec": "ganlab.components",
    "LossComponent": "ganlab.components",
    "Metric": "ganlab.components",
    "OptimizerComponent": "ganlab.components",
    "Options": "ganlab.components",
    "SampleSpec": "ganlab.components",
    "TrackerComponent": "ganlab.components",
    "VectorSpec": "ganlab.components",
    "ComponentError": "ganlab.errors",
    "hookimpl": "ganlab.hookspecs",
    "ArraySource": "ganlab.data.source",
    "Augmentation": "ganlab.engine.augmentation",
    "Draws": "ganlab.engine.augmentation",
    "BadImageError": "ganlab.data.source",
    "cache_directory": "ganlab.data.cache_directory",
    "download": "ganlab.data.download",
    "PublishedFile": "ganlab.data.published_file",
    "ReadFile": "ganlab.data.published_file",
    "ImageFiles": "ganlab.data.files",
    "ImageSource": "ganlab.data.source",
    "VectorSource": "ganlab.data.source",
    "FeatureBank": "ganlab.evaluation.banks",
    "Estimate": "ganlab.evaluation.evaluator",
    "Evaluator": "ganlab.evaluation.evaluator",
    "FeatureExtractor": "ganlab.evaluation.evaluator",
    "Shown": "ganlab.evaluation.evaluator",
    "RunInfo": "ganlab.tracking.tracker",
    "Tracker": "ganlab.tracking.tracker",
    "Game": "ganlab.engine.game",
    "Loss": "ganlab.engine.loss",
    "LossFeatures": "ganlab.engine.loss_features",
    "LossValue": "ganlab.engine.loss",
    "Verdict": "ganlab.engine.loss",
    "open_image": "ganlab.data.images",
    "FinishedRun": "ganlab.api",
    "GanlabError": "ganlab.errors",
    "Measurement": "ganlab.evaluation.measurement",
    "TrainedDiscriminator": "ganlab.after_training.trained_discriminator",
    "TrainedGenerator": "ganlab.after_training.trained_generator",
    "TrainedNetwork": "ganlab.after_training.trained_network",
    "load": "ganlab.api",
    "load_discriminator": "ganlab.api",
    "load_encoder": "ganlab.api",
    "measure": "ganlab.api",
    "run": "ganlab.api",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'ganlab' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
