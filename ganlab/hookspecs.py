"""The whole plugin API on one page: one hook for each kind of component.

Hooks take no arguments and yield records. Their order never carries meaning,
and two plugins may offer the same name (`distribution/name` tells them apart).
A plugin is any module with one or more of these, marked by `ganlab.hookimpl`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from ganlab.components import (
    DatasetComponent,
    DiscriminatorComponent,
    EncoderComponent,
    EvaluatorComponent,
    FeaturesComponent,
    GeneratorComponent,
    LossComponent,
    TrackerComponent,
)

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "ganlab"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ganlab_datasets() -> Iterable[DatasetComponent]:  # type: ignore[empty-body]
    """Yield the datasets that this plugin offers."""


@hookspec
def ganlab_generators() -> Iterable[GeneratorComponent]:  # type: ignore[empty-body]
    """Yield the generators that this plugin offers."""


@hookspec
def ganlab_discriminators() -> Iterable[DiscriminatorComponent]:  # type: ignore[empty-body]
    """Yield the discriminators that this plugin offers."""


@hookspec
def ganlab_encoders() -> Iterable[EncoderComponent]:  # type: ignore[empty-body]
    """Yield the encoders that this plugin offers."""


@hookspec
def ganlab_losses() -> Iterable[LossComponent]:  # type: ignore[empty-body]
    """Yield the losses and penalties that this plugin offers."""


@hookspec
def ganlab_evaluators() -> Iterable[EvaluatorComponent]:  # type: ignore[empty-body]
    """Yield the evaluators that this plugin offers."""


@hookspec
def ganlab_features() -> Iterable[FeaturesComponent]:  # type: ignore[empty-body]
    """Yield the feature extractors that this plugin offers."""


@hookspec
def ganlab_trackers() -> Iterable[TrackerComponent]:  # type: ignore[empty-body]
    """Yield the trackers that this plugin offers."""
